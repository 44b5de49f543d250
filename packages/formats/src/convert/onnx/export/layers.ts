/** Writes layers as ONNX nodes. */
import { Network, Recurrent } from '@unroll/nn';
import { transposed } from '../arrays.js';
import { activations } from './activations.js';
import type { LayerCall } from './call.js';
import { BOOL, FLOAT, type GraphTensor, INT64, type OnnxGraph, reductionArguments } from './graph.js';
import { exportNetwork } from './network.js';
import { exportOperation } from './operations.js';
import { exportBidirectional, exportRecurrent } from './recurrent.js';

export type LayerExporter = (call: LayerCall) => GraphTensor[];

/** Returns the outputs of a layer that has one output. */
const output = (call: LayerCall, name: string, mask: string | null = null): GraphTensor[] => [
  { name, shape: call.shapes[0], mask },
];

function activated(call: LayerCall, x: string, activation: unknown = 'linear'): string {
  if (typeof activation !== 'string' || !Object.hasOwn(activations, activation))
    throw call.error(`the activation ${String(activation)} is not supported`);
  return activations[activation](call.graph, x);
}

const unchanged: LayerExporter = (call) => output(call, call.inputs[0].name, call.inputs[0].mask);

const dense: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const bias = config.useBias === false ? [] : [call.initializer('bias')];
  const kernel = call.initializer('kernel');
  const isMatrix = x.shape.length === 2 && bias.length > 0;
  const product = graph.node(isMatrix ? 'Gemm' : 'MatMul', [x.name, kernel, ...(isMatrix ? bias : [])]);
  const sum = bias.length > 0 && !isMatrix ? graph.node('Add', [product, ...bias]) : product;
  return output(call, activated(call, sum, config.activation), x.mask);
};

const embedding: LayerExporter = (call) => {
  const { graph, config } = call;
  const [ids] = call.inputs;
  const indices = graph.node('Cast', [ids.name], { to: INT64 });
  const y = graph.node('Gather', [call.initializer('embeddings'), indices], { axis: 0 });
  const isMasked = config.maskZero === true && ids.shape.length === 2;
  return output(call, y, isMasked ? bothMasks(graph, notEqual(graph, ids.name, 0), ids.mask) : ids.mask);
};

/** Returns 1 where x differs from a number, else 0. */
function notEqual(graph: OnnxGraph, x: string, value: number): string {
  const float = graph.node('Cast', [x], { to: FLOAT });
  const equal = graph.node('Equal', [float, graph.number(value)]);
  return graph.node('Cast', [graph.node('Not', [equal])], { to: FLOAT });
}

const bothMasks = (graph: OnnxGraph, mask: string, other: string | null): string =>
  other ? graph.node('Mul', [mask, other]) : mask;

/** Returns x with masked steps set to 0. */
function zeroMasked(graph: OnnxGraph, { name, mask, shape }: GraphTensor): string {
  if (!mask) return name;
  const axes = shape.slice(2).map((_, d) => d + 2);
  return graph.node('Where', [
    graph.node('Cast', [graph.node('Unsqueeze', [mask, graph.integers(axes)])], { to: BOOL }),
    name,
    graph.number(0),
  ]);
}

const masking: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const differs = notEqual(graph, x.name, Math.fround(Number(config.maskValue ?? 0)));
  const valid = graph.node('ReduceMax', ...reductionArguments(graph, differs, [2], false));
  const mask = bothMasks(graph, valid, x.mask);
  return output(call, zeroMasked(graph, { ...x, mask }), mask);
};

const layerNormalization: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const rank = x.shape.length;
  const axes = [(config.axis as number | number[] | undefined) ?? -1]
    .flat()
    .map((axis) => (axis < 0 ? axis + rank : axis));
  const first = Math.min(...axes);
  if (axes.length !== rank - first) throw call.error('it must normalise over the last axes');
  const shape = x.shape.slice(first);
  const count = shape.reduce((total, extent) => total * extent, 1);
  const gamma =
    config.scale === false
      ? graph.floats(`${call.path}.gamma`, new Float32Array(count).fill(1), shape)
      : call.initializer('gamma');
  const beta = config.center === false ? [] : [call.initializer('beta')];
  const epsilon = Number(config.epsilon ?? 1e-3);
  if (graph.opset >= 17) {
    const y = graph.node('LayerNormalization', [x.name, gamma, ...beta], {
      axis: first,
      epsilon: { float: epsilon },
    });
    return output(call, y, x.mask);
  }
  const mean = graph.node('ReduceMean', ...reductionArguments(graph, x.name, axes, true));
  const difference = graph.node('Sub', [x.name, mean]);
  const square = graph.node('Mul', [difference, difference]);
  const variance = graph.node('ReduceMean', ...reductionArguments(graph, square, axes, true));
  const deviation = graph.node('Sqrt', [graph.node('Add', [variance, graph.number(epsilon)])]);
  const scaled = graph.node('Mul', [graph.node('Div', [difference, deviation]), gamma]);
  return output(call, beta.length > 0 ? graph.node('Add', [scaled, ...beta]) : scaled, x.mask);
};

const batchNormalization: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const rank = x.shape.length;
  const option = Number(config.axis ?? -1);
  const axis = option < 0 ? option + rank : option;
  const size = x.shape[axis];
  const constant = (name: string, value: number): string =>
    call.weight(name)
      ? call.initializer(name)
      : graph.floats(`${call.path}.${name}`, new Float32Array(size).fill(value), [size]);
  const order = x.shape.map((_, d) => d);
  const forward = [0, axis, ...order.filter((d) => d !== 0 && d !== axis)];
  const backward = order.map((d) => forward.indexOf(d));
  const y = graph.node(
    'BatchNormalization',
    [
      graph.transpose(x.name, forward),
      ...[
        constant('gamma', 1),
        constant('beta', 0),
        constant('moving_mean', 0),
        constant('moving_variance', 1),
      ],
    ],
    { epsilon: { float: Number(config.epsilon ?? 1e-3) } },
  );
  return output(call, graph.transpose(y, backward), x.mask);
};

interface WindowConfig {
  strides?: number;
  padding?: string;
  dilationRate?: number;
}

/** Returns the attributes of a convolution or pooling node. `pads` follows from Unroll's padding. */
function windowAttributes(
  size: number,
  { strides = 1, padding = 'valid', dilationRate = 1 }: WindowConfig,
): Record<string, string | readonly number[]> {
  const total = (size - 1) * dilationRate;
  const common = { kernel_shape: [size], strides: [strides] };
  if (padding === 'causal') return { ...common, pads: [total, 0] };
  if (padding === 'same' && strides > 1) return { ...common, auto_pad: 'SAME_UPPER' };
  const before = padding === 'same' ? Math.floor(total / 2) : 0;
  return { ...common, pads: [before, padding === 'same' ? total - before : 0] };
}

/** Returns the mask of the output of a convolution. */
function windowMask(call: LayerCall, size: number, config: WindowConfig): string | null {
  const { graph } = call;
  const [{ mask }] = call.inputs;
  if (!mask) return null;
  const { strides = 1, padding = 'valid', dilationRate = 1 } = config;
  if (strides > 1) throw call.error('strides with a mask are not supported');
  if (padding !== 'valid' || size === 1) return mask;
  // An output is valid if all steps of its window are: its mask is the minimum, -max(-mask).
  const channels = graph.node('Unsqueeze', [graph.node('Neg', [mask]), graph.integers([1])]);
  const attributes = { kernel_shape: [size], dilations: [dilationRate] };
  const largest = graph.node('MaxPool', [channels], attributes);
  return graph.node('Neg', [graph.node('Squeeze', [largest, graph.integers([1])])]);
}

const conv1d: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const weight = call.weight('kernel');
  if (!weight) throw call.error('it has no weights before the first call');
  const { shape, values } = weight;
  const [size, inputs, filters] = shape;
  const kernel = transposed({ extents: [...shape], values }, [2, 1, 0]).values;
  const W = graph.floats(`${call.path}.kernel`, kernel, [filters, inputs, size]);
  const bias = config.useBias === false ? [] : [call.initializer('bias')];
  const window = config as WindowConfig;
  const { dilationRate = 1 } = window;
  const history = (size - 1) * dilationRate;
  const isStreamed = call.settings.streaming && history > 0;
  const input = isStreamed ? withHistory(call, history) : zeroMasked(graph, x);
  const attributes = isStreamed
    ? windowAttributes(size, { ...window, padding: 'valid' })
    : windowAttributes(size, window);
  const y = graph.node('Conv', [graph.transpose(input, [0, 2, 1]), W, ...bias], {
    ...attributes,
    dilations: [dilationRate],
    group: Number(config.groups ?? 1),
  });
  const steps = graph.transpose(y, [0, 2, 1]);
  return output(call, activated(call, steps, config.activation), windowMask(call, size, window));
};

/** Returns the input of a causal layer, preceded by the last steps of the previous chunk. These steps are a state. */
function withHistory(call: LayerCall, history: number): string {
  const { graph, config } = call;
  const [x] = call.inputs;
  if (Number(config.strides ?? 1) > 1)
    throw call.error('strides are not supported with the option streaming');
  const shape = [history, x.shape[2]];
  const state = call.stateInput('x', shape);
  const joined = graph.node('Concat', [state, zeroMasked(graph, x)], { axis: 1 });
  const next = graph.node('Slice', [
    joined,
    ...[[-history], [2 ** 31 - 1], [1]].map((values) => graph.integers(values)),
  ]);
  call.stateOutput(state, next, shape);
  return joined;
}

function pooling(op: 'MaxPool' | 'AveragePool'): LayerExporter {
  return (call) => {
    const { graph, config } = call;
    const [x] = call.inputs;
    if (x.mask) throw call.error('a mask is not supported');
    const size = Number(config.poolSize ?? 2);
    if (call.settings.streaming && size > 1)
      throw call.error('it is not supported with the option streaming');
    const window = { ...(config as WindowConfig), strides: Number(config.strides ?? size) };
    const y = graph.node(op, [graph.transpose(x.name, [0, 2, 1])], windowAttributes(size, window));
    return output(call, graph.transpose(y, [0, 2, 1]));
  };
}

const globalAverage: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const keep = config.keepDims === true;
  if (!x.mask) return output(call, graph.node('ReduceMean', ...reductionArguments(graph, x.name, [1], keep)));
  const total = graph.node('ReduceSum', ...reductionArguments(graph, zeroMasked(graph, x), [1], keep, true));
  const count = graph.node('ReduceSum', ...reductionArguments(graph, x.mask, [1], true, true));
  const divisor = graph.node('Max', [count, graph.number(1)]);
  return output(
    call,
    graph.node('Div', [total, keep ? graph.node('Unsqueeze', [divisor, graph.integers([2])]) : divisor]),
  );
};

const globalMax: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const keep = config.keepDims === true;
  if (!x.mask) return output(call, graph.node('ReduceMax', ...reductionArguments(graph, x.name, [1], keep)));
  const valid = graph.node('Cast', [graph.node('Unsqueeze', [x.mask, graph.integers([2])])], { to: BOOL });
  const lowest = graph.number(-3.4028234663852886e38);
  const largest = graph.node(
    'ReduceMax',
    ...reductionArguments(graph, graph.node('Where', [valid, x.name, lowest]), [1], keep),
  );
  const isEmpty = graph.node('Equal', [largest, lowest]);
  return output(call, graph.node('Where', [isEmpty, graph.number(0), largest]));
};

const flatten: LayerExporter = (call) =>
  output(call, call.graph.node('Reshape', [call.inputs[0].name, call.graph.integers([0, -1])]));

const reshape: LayerExporter = (call) => {
  const { graph, config } = call;
  return output(
    call,
    graph.node('Reshape', [call.inputs[0].name, graph.integers([0, ...(config.targetShape as number[])])]),
  );
};

const permute: LayerExporter = (call) =>
  output(call, call.graph.transpose(call.inputs[0].name, [0, ...(call.config.dims as number[])]));

const repeatVector: LayerExporter = (call) => {
  const { graph, config } = call;
  const row = graph.node('Unsqueeze', [call.inputs[0].name, graph.integers([1])]);
  return output(call, graph.node('Expand', [row, graph.integers([1, Number(config.n), 1])]));
};

/** Returns the mask of a merged output: valid where any input is; null if one has no mask. */
function anyMask(call: LayerCall): string | null {
  const masks = call.inputs.map(({ mask }) => mask);
  if (masks.includes(null)) return null;
  const distinct = [...new Set(masks as string[])];
  return distinct.length === 1 ? distinct[0] : call.graph.node('Max', distinct);
}

function merging(op: 'Add' | 'Mul'): LayerExporter {
  return (call) => {
    const { graph } = call;
    const mask = anyMask(call);
    if (op === 'Mul' && call.inputs.some((input) => input.mask)) throw call.error('a mask is not supported');
    const rank = Math.max(...call.inputs.map(({ shape }) => shape.length));
    const values = call.inputs.map(({ name, shape }) => {
      const missing = Array.from({ length: rank - shape.length }, (_, d) => d + 1);
      return missing.length > 0 ? graph.node('Unsqueeze', [name, graph.integers(missing)]) : name;
    });
    return output(
      call,
      values.reduce((a, b) => graph.node(op, [a, b])),
      mask,
    );
  };
}

const concatenate: LayerExporter = (call) => {
  const { graph, config } = call;
  const rank = call.inputs[0].shape.length;
  const option = Number(config.axis ?? -1);
  const axis = option < 0 ? option + rank : option;
  const isMasked = call.inputs.some(({ mask }) => mask);
  if (axis === 1 && isMasked) throw call.error('sequences with masks cannot be joined along the time axis');
  const y = graph.node(
    'Concat',
    call.inputs.map(({ name }) => name),
    { axis },
  );
  return output(call, y, anyMask(call));
};

const timeDistributed: LayerExporter = (call) => {
  const { graph } = call;
  const [x] = call.inputs;
  const [inner] = call.layer.sublayers;
  const rest = x.shape.slice(2);
  if (rest.includes(-1)) throw call.error('the shape of a step must be known');
  const flat = graph.node('Reshape', [x.name, graph.integers([-1, ...rest])]);
  const [y] = exportLayer(call.inner(inner, [{ name: flat, shape: [-1, ...rest], mask: null }]));
  const steps = graph.node('Slice', [
    graph.node('Shape', [x.name]),
    ...[[0], [2]].map((values) => graph.integers(values)),
  ]);
  const shape = graph.node('Concat', [steps, graph.integers(y.shape.slice(1))], { axis: 0 });
  return output(call, graph.node('Reshape', [y.name, shape]), x.mask);
};

const residual: LayerExporter = (call) => {
  const { graph } = call;
  const [inner] = call.layer.sublayers;
  const [x] = call.inputs;
  const [y, ...states] = exportLayer(call.inner(inner, call.inputs));
  return [{ ...y, name: graph.node('Add', [zeroMasked(graph, x), y.name]) }, ...states];
};

const outputEmbedding: LayerExporter = (call) => {
  const { graph, config } = call;
  const [x] = call.inputs;
  const table = call.weight('embeddings');
  if (!table) throw call.error('it has no weights before the first call');
  const kernel = graph.node('Transpose', [call.initializer('embeddings')], { perm: [1, 0] });
  const product = graph.node('MatMul', [x.name, kernel]);
  const sum = config.useBias === false ? product : graph.node('Add', [product, call.initializer('bias')]);
  return output(call, activated(call, sum, config.activation), x.mask);
};

const activation: LayerExporter = (call) =>
  output(call, activated(call, call.inputs[0].name, call.config.activation), call.inputs[0].mask);

/** The layers that can be exported, by class name. */
export const layerExporters: Readonly<Record<string, LayerExporter>> = {
  Activation: activation,
  ActivationRegularization: unchanged,
  Add: merging('Add'),
  AveragePooling1D: pooling('AveragePool'),
  BatchNormalization: batchNormalization,
  Bidirectional: exportBidirectional,
  Concatenate: concatenate,
  Conv1D: conv1d,
  Dense: dense,
  Dropout: unchanged,
  Embedding: embedding,
  Flatten: flatten,
  GlobalAveragePooling1D: globalAverage,
  GlobalMaxPooling1D: globalMax,
  LayerNormalization: layerNormalization,
  Masking: masking,
  MaxPooling1D: pooling('MaxPool'),
  Multiply: merging('Mul'),
  OutputEmbedding: outputEmbedding,
  Permute: permute,
  RepeatVector: repeatVector,
  Reshape: reshape,
  Residual: residual,
  SpatialDropout1D: unchanged,
  TensorOperation: exportOperation,
  TimeDistributed: timeDistributed,
  WordDropout: unchanged,
};

/** Adds the nodes of a layer, and returns its outputs. @throws UnrollError `value` for a layer that ONNX cannot express */
export function exportLayer(call: LayerCall): GraphTensor[] {
  const { layer } = call;
  if (layer instanceof Network) return exportNetwork(layer, call, exportLayer);
  if (layer instanceof Recurrent) return exportRecurrent(call);
  const exporter = Object.hasOwn(layerExporters, layer.className)
    ? layerExporters[layer.className]
    : undefined;
  if (exporter) return exporter(call);
  throw call.error(
    `the export does not support this layer. Supported layers: ${[...Object.keys(layerExporters), 'recurrent layers'].join(', ')}`,
  );
}
