/** Writes `TensorOperation` layers, which occur in imported models, as nodes. */
import type { LayerCall } from './call.js';
import { BOOL, FLOAT, type GraphTensor, type OnnxGraph, reductionArguments } from './graph.js';

/** Operations that one node computes, with its operator. */
const NODES: Readonly<Record<string, string>> = {
  abs: 'Abs',
  add: 'Add',
  ceil: 'Ceil',
  celu: 'Celu',
  divide: 'Div',
  elu: 'Elu',
  erf: 'Erf',
  exp: 'Exp',
  floor: 'Floor',
  hardSigmoid: 'HardSigmoid',
  leakyRelu: 'LeakyRelu',
  log: 'Log',
  matmul: 'MatMul',
  maximum: 'Max',
  minimum: 'Min',
  multiply: 'Mul',
  negative: 'Neg',
  power: 'Pow',
  prelu: 'PRelu',
  reciprocal: 'Reciprocal',
  relu: 'Relu',
  round: 'Round',
  sigmoid: 'Sigmoid',
  sign: 'Sign',
  softplus: 'Softplus',
  softsign: 'Softsign',
  sqrt: 'Sqrt',
  subtract: 'Sub',
  tanh: 'Tanh',
  thresholdedRelu: 'ThresholdedRelu',
};

/** Operations whose results are truth values, with the operator and the type of its inputs. */
const TRUTH: Readonly<Record<string, readonly [op: string, type: number]>> = {
  and: ['And', BOOL],
  equal: ['Equal', FLOAT],
  greater: ['Greater', FLOAT],
  greaterEqual: ['GreaterOrEqual', FLOAT],
  less: ['Less', FLOAT],
  lessEqual: ['LessOrEqual', FLOAT],
  not: ['Not', BOOL],
  or: ['Or', BOOL],
  xor: ['Xor', BOOL],
};

const REDUCTIONS: Readonly<Record<string, string>> = {
  sum: 'ReduceSum',
  mean: 'ReduceMean',
  max: 'ReduceMax',
  min: 'ReduceMin',
  norm1: 'ReduceL1',
  norm2: 'ReduceL2',
  sumSquare: 'ReduceSumSquare',
  logSumExp: 'ReduceLogSumExp',
};

interface Options {
  operation: string;
  operands?: readonly (null | number | string | readonly number[])[];
  axes?: readonly number[];
  keepDims?: boolean;
  shape?: readonly (number | { axis: number })[];
  order?: readonly number[];
  axis?: number;
  start?: number;
  end?: number;
  indices?: number | readonly number[];
  before?: number;
  after?: number;
  alpha?: number;
  beta?: number;
  low?: number;
  high?: number;
}

export function exportOperation(call: LayerCall): GraphTensor[] {
  const options = call.config as unknown as Options;
  const name = resultOf(call, options, operandsOf(call, options));
  return [{ name, shape: call.shapes[0], mask: null }];
}

/** Returns the names of all operands: inputs, constants and weights. */
function operandsOf(call: LayerCall, { operation, operands }: Options): string[] {
  if (!operands) return call.inputs.map(({ name }) => name);
  const all = operation === 'constant' ? [null, ...operands] : operands;
  let input = 0;
  return all.map((operand, i) => {
    if (operand === null) return call.inputs[input++].name;
    if (Array.isArray(operand)) return call.initializer(`operand_${i}`);
    return call.graph.number(Math.max(-3.4e38, Math.min(3.4e38, Number(operand))));
  });
}

/** Adds the nodes of an operation, and returns the name of the result. */
function resultOf(call: LayerCall, options: Options, operands: readonly string[]): string {
  const { graph } = call;
  const { operation, alpha, beta, axes = [], keepDims = false } = options;
  const numbers = {
    ...(alpha !== undefined && { alpha: { float: alpha } }),
    ...(beta !== undefined && { beta: { float: beta } }),
  };
  if (Object.hasOwn(NODES, operation)) return graph.node(NODES[operation], operands, numbers);
  if (Object.hasOwn(TRUTH, operation)) {
    const [op, type] = TRUTH[operation];
    const inputs = operands.map((operand) =>
      type === BOOL ? graph.node('Cast', [operand], { to: BOOL }) : operand,
    );
    return graph.node('Cast', [graph.node(op, inputs)], { to: FLOAT });
  }
  if (Object.hasOwn(REDUCTIONS, operation))
    return graph.node(
      REDUCTIONS[operation],
      ...reductionArguments(graph, operands[0], axes, keepDims, operation === 'sum'),
    );
  if (Object.hasOwn(COMPOSED, operation)) return COMPOSED[operation](graph, operands, options, call);
  throw call.error(`the export does not support the operation ${operation}`);
}

/** Adds the nodes of an operation, and returns the name of the result. */
type Build = (graph: OnnxGraph, operands: readonly string[], options: Options, call: LayerCall) => string;

/** Operations that need several nodes, or a node with other inputs than the operands. */
const COMPOSED: Readonly<Record<string, Build>> = {
  identity: (_graph, [x]) => x,
  clip: (graph, [x], { low, high }) =>
    graph.node('Clip', [
      x,
      low === undefined ? '' : graph.number(low),
      high === undefined ? '' : graph.number(high),
    ]),
  linear: (graph, [x], { alpha = 1, beta = 0 }) =>
    graph.node('Add', [graph.node('Mul', [x, graph.number(alpha)]), graph.number(beta)]),
  scaledTanh: (graph, [x], { alpha = 1, beta = 1 }) =>
    graph.node('Mul', [
      graph.node('Tanh', [graph.node('Mul', [x, graph.number(beta)])]),
      graph.number(alpha),
    ]),
  selu: (graph, [x], { alpha = 1.6732632423543772, beta = 1.0507009873554805 }) =>
    graph.node('Selu', [x], { alpha: { float: alpha }, gamma: { float: beta } }),
  shrink: (graph, [x], { alpha = 0.5, beta = 0 }) =>
    graph.node('Shrink', [x], { lambd: { float: alpha }, bias: { float: beta } }),
  square: (graph, [x]) => graph.node('Mul', [x, x]),
  truncate: (graph, [x]) =>
    graph.node('Mul', [graph.node('Sign', [x]), graph.node('Floor', [graph.node('Abs', [x])])]),
  where: (graph, [condition, x, y]) =>
    graph.node('Where', [graph.node('Cast', [condition], { to: BOOL }), x, y]),
  permute: (graph, [x], { order = [] }) => graph.transpose(x, order),
  reverse: (graph, [x], { axis = 1 }) =>
    graph.node('Slice', [x, ...[[-1], [-(2 ** 31)], [axis], [-1]].map((values) => graph.integers(values))]),
  slice: (graph, [x], { axis = 1, start = 0, end = 2 ** 31 - 1 }) =>
    graph.node('Slice', [x, ...[[start], [end], [axis]].map((values) => graph.integers(values))]),
  take: (graph, [x], { axis = 1, indices = 0 }) => {
    const list = graph.integers([indices].flat());
    return graph.node('Gather', [x, typeof indices === 'number' ? graph.node('Squeeze', [list]) : list], {
      axis,
    });
  },
  pad: (graph, [x], { axis = 1, before = 0, after = 0, alpha = 0 }, call) => {
    const pads = (count: number): number[] => call.inputs[0].shape.map((_, d) => (d === axis ? count : 0));
    return graph.node('Pad', [x, graph.integers([...pads(before), ...pads(after)]), graph.number(alpha)]);
  },
  reshape: (graph, [x], options) => graph.node('Reshape', [x, shapeOf(graph, x, options)]),
  broadcast: (graph, [x], options) => graph.node('Expand', [x, shapeOf(graph, x, options)]),
  constant: (graph, [x, value], options) => graph.node('Expand', [value, shapeOf(graph, x, options)]),
  lengthMask: (graph, [x, lengths]) => {
    const scalar = (index: number): string => graph.node('Squeeze', [graph.integers([index])]);
    const steps = graph.node('Gather', [graph.node('Shape', [x]), scalar(1)]);
    const range = graph.node('Cast', [graph.node('Range', [scalar(0), steps, scalar(1)])], { to: FLOAT });
    const limits = graph.node('Unsqueeze', [
      graph.node('Cast', [lengths], { to: FLOAT }),
      graph.integers([1]),
    ]);
    return graph.node('Cast', [graph.node('Less', [range, limits])], { to: FLOAT });
  },
};

/** Returns the shape [batch, ...shape] as a vector of the graph. */
function shapeOf(graph: OnnxGraph, x: string, { shape = [] }: Options): string {
  const fullShape = graph.node('Shape', [x]);
  const parts = [{ axis: 0 }, ...shape].map((extent) =>
    typeof extent === 'number'
      ? graph.integers([extent])
      : graph.node('Gather', [fullShape, graph.integers([extent.axis])], { axis: 0 }),
  );
  return graph.node('Concat', parts, { axis: 0 });
}
