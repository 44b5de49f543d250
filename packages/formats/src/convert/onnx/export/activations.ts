/** Writes activations as ONNX nodes, and as activation functions of recurrent nodes. */
import type { Attribute, OnnxGraph } from './graph.js';

/** Adds the nodes of an activation of x, and returns the name of the result. */
type Build = (graph: OnnxGraph, x: string) => string;

const node =
  (op: string, attributes: Record<string, Attribute> = {}): Build =>
  (graph, x) =>
    graph.node(op, [x], attributes);

const HARD_SIGMOID: Record<string, Attribute> = { alpha: { float: 1 / 6 }, beta: { float: 0.5 } };
const clip = (graph: OnnxGraph, x: string, low: number, high: number): string =>
  graph.node('Clip', [x, graph.number(low), graph.number(high)]);
const times = (graph: OnnxGraph, x: string, y: string | number): string =>
  graph.node('Mul', [x, typeof y === 'number' ? graph.number(y) : y]);
const plus = (graph: OnnxGraph, x: string, y: string | number): string =>
  graph.node('Add', [x, typeof y === 'number' ? graph.number(y) : y]);
const silu: Build = (graph, x) => times(graph, x, graph.node('Sigmoid', [x]));
const hardSilu: Build = (graph, x) => times(graph, x, graph.node('HardSigmoid', [x], HARD_SIGMOID));

export const activations: Readonly<Record<string, Build>> = {
  linear: (_graph, x) => x,
  tanh: node('Tanh'),
  sigmoid: node('Sigmoid'),
  relu: node('Relu'),
  hardSigmoid: node('HardSigmoid', HARD_SIGMOID),
  softmax: node('Softmax', { axis: -1 }),
  logSoftmax: node('LogSoftmax', { axis: -1 }),
  softplus: node('Softplus'),
  softsign: node('Softsign'),
  elu: node('Elu'),
  celu: node('Elu'),
  selu: node('Selu'),
  exponential: node('Exp'),
  gelu: (graph, x) =>
    times(graph, times(graph, x, 0.5), plus(graph, graph.node('Erf', [times(graph, x, Math.SQRT1_2)]), 1)),
  silu,
  swish: silu,
  hardSilu,
  hardSwish: hardSilu,
  leakyRelu: node('LeakyRelu', { alpha: { float: 0.2 } }),
  relu6: (graph, x) => clip(graph, x, 0, 6),
  mish: (graph, x) => times(graph, x, graph.node('Tanh', [graph.node('Softplus', [x])])),
  hardTanh: (graph, x) => clip(graph, x, -1, 1),
  tanhShrink: (graph, x) => graph.node('Sub', [x, graph.node('Tanh', [x])]),
  hardShrink: node('Shrink', { lambd: { float: 0.5 }, bias: { float: 0 } }),
  softShrink: node('Shrink', { lambd: { float: 0.5 }, bias: { float: 0.5 } }),
  logSigmoid: (graph, x) => graph.node('Neg', [graph.node('Softplus', [graph.node('Neg', [x])])]),
  squareplus: (graph, x) => {
    const root = graph.node('Sqrt', [plus(graph, times(graph, x, x), 4)]);
    return times(graph, plus(graph, x, root), 0.5);
  },
  sparsePlus: (graph, x) => {
    const half = times(graph, plus(graph, clip(graph, x, -1, 1), 1), 0.5);
    return plus(graph, times(graph, half, half), graph.node('Relu', [plus(graph, x, -1)]));
  },
  sparseSigmoid: (graph, x) => times(graph, plus(graph, clip(graph, x, -1, 1), 1), 0.5),
  glu: (graph, x) => {
    const parts = graph.nodes('Split', [x], 2, { axis: -1, ...(graph.opset >= 18 && { num_outputs: 2 }) });
    return times(graph, parts[0], graph.node('Sigmoid', [parts[1]]));
  },
};

/** An activation function of a recurrent node. Parameters that the function does not have in ONNX are undefined. */
export interface RecurrentFunction {
  name: string;
  alpha?: number;
  beta?: number;
}

const functions: Readonly<Record<string, RecurrentFunction>> = {
  tanh: { name: 'Tanh' },
  sigmoid: { name: 'Sigmoid' },
  relu: { name: 'Relu' },
  hardSigmoid: { name: 'HardSigmoid', alpha: 1 / 6, beta: 0.5 },
  linear: { name: 'Affine', alpha: 1, beta: 0 },
  softplus: { name: 'Softplus' },
  softsign: { name: 'Softsign' },
  elu: { name: 'Elu', alpha: 1 },
  leakyRelu: { name: 'LeakyRelu', alpha: 0.2 },
};

/** The functions that the cells GeneralRNN, GeneralLSTM and GeneralGRU may have, with ONNX's default parameters. */
const general: Readonly<Record<string, RecurrentFunction>> = {
  ...functions,
  hardSigmoid: { name: 'HardSigmoid', alpha: 0.2, beta: 0.5 },
  leakyRelu: { name: 'LeakyRelu', alpha: 0.01 },
  scaledTanh: { name: 'ScaledTanh', alpha: 1, beta: 1 },
  thresholdedRelu: { name: 'ThresholdedRelu', alpha: 1 },
};

/** Returns the function of a recurrent node for an activation; null if ONNX has none. */
export function recurrentFunction(activation: unknown): RecurrentFunction | null {
  return typeof activation === 'string' && Object.hasOwn(functions, activation)
    ? functions[activation]
    : null;
}

/** Returns the function of a recurrent node for a function of a general cell; null if ONNX has none. */
export function generalFunction({ name, alpha, beta }: RecurrentFunction): RecurrentFunction | null {
  if (!Object.hasOwn(general, name)) return null;
  const found = general[name];
  return {
    name: found.name,
    ...(found.alpha !== undefined && { alpha: alpha ?? found.alpha }),
    ...(found.beta !== undefined && { beta: beta ?? found.beta }),
  };
}
