/** Writes layers as PyTorch code: modules with their tensors, and statements of `forward`. */
import { UnrollError } from '@unroll/core';
import {
  convolutionTensors,
  denseTensors,
  recurrentTensors,
  renamed,
  required,
  type WeightsOf,
} from './export-weights.js';
import type { NamedTensor } from './pickle-writer.js';

export interface ExportedLayer {
  /** For `self.lstm = nn.LSTM(3, 4)`: name `lstm`, code `nn.LSTM(3, 4)`. */
  modules: { name: string; code: string }[];
  tensors: NamedTensor[];
  /** Statements of `forward`: x is the layer's input before them, and its output after them. */
  forward: string[];
  /** Remarks for the comment at the beginning of the file. */
  notes: string[];
}

/** A layer's config as in config.json. */
export interface LayerJson {
  className: string;
  config: Record<string, unknown> & { name?: string };
}

/** A layer to export, with its weights. */
interface Call extends LayerJson {
  /** Name of the module's attribute in the class. */
  name: string;
  weight: WeightsOf;
  /** Number of axes of the input. */
  rank: number;
}

type Export = (call: Call) => Partial<ExportedLayer>;

const py = (value: unknown): string => (value === true ? 'True' : value === false ? 'False' : String(value));

/** Returns the arguments of a module as code. Undefined options are left out, so PyTorch's defaults apply. */
const args = (positional: readonly number[], options: Record<string, unknown>): string =>
  [
    ...positional,
    ...Object.entries(options).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${py(value)}`],
    ),
  ].join(', ');

const unsupported = ({ name, className }: { name: string; className: string }, why: string): UnrollError =>
  new UnrollError('value', `Layer ${name} (${className}) cannot be written for PyTorch: ${why}.`, {
    name,
    className,
  });

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: 'torch.relu(x)',
  tanh: 'torch.tanh(x)',
  sigmoid: 'torch.sigmoid(x)',
  softmax: 'torch.softmax(x, -1)',
  logSoftmax: 'torch.log_softmax(x, -1)',
  softplus: 'F.softplus(x)',
  softsign: 'F.softsign(x)',
  elu: 'F.elu(x)',
  celu: 'F.celu(x)',
  selu: 'F.selu(x)',
  exponential: 'torch.exp(x)',
  gelu: 'F.gelu(x)',
  silu: 'F.silu(x)',
  swish: 'F.silu(x)',
  hardSigmoid: 'F.hardsigmoid(x)',
  hardSilu: 'F.hardswish(x)',
  hardSwish: 'F.hardswish(x)',
  leakyRelu: 'F.leaky_relu(x, 0.2)',
  relu6: 'F.relu6(x)',
  mish: 'F.mish(x)',
  hardTanh: 'F.hardtanh(x)',
  tanhShrink: 'F.tanhshrink(x)',
  hardShrink: 'F.hardshrink(x)',
  softShrink: 'F.softshrink(x)',
  logSigmoid: 'F.logsigmoid(x)',
};

/** Returns the statement of an activation; none for `linear`. */
function activate(call: Call, name: unknown = 'linear'): string[] {
  if (name === 'linear' || name === null) return [];
  const code = typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (code) return [`x = ${code}`];
  throw unsupported(call, `PyTorch has no activation ${String(name)}`);
}

const CELLS: Readonly<Record<string, 'RNN' | 'LSTM' | 'GRU'>> = {
  SimpleRNN: 'RNN',
  LSTM: 'LSTM',
  GRU: 'GRU',
  ProjectedLSTM: 'LSTM',
};

/** Returns the type of the module that computes the same as a cell. @throws UnrollError `value` if there is none */
function cellOf(call: Call, { className, config }: LayerJson): 'RNN' | 'LSTM' | 'GRU' {
  const cell = Object.hasOwn(CELLS, className) ? CELLS[className] : undefined;
  if (!cell) throw unsupported(call, `PyTorch has no module for the cell of ${className}`);
  const { activation = 'tanh', recurrentActivation = 'sigmoid', resetAfter = true } = config;
  if (activation !== 'tanh' && !(cell === 'RNN' && activation === 'relu'))
    throw unsupported(call, `the activation of nn.${cell} must be tanh, got ${String(activation)}`);
  if (cell !== 'RNN' && recurrentActivation !== 'sigmoid')
    throw unsupported(call, `the gates of nn.${cell} must be sigmoid, got ${String(recurrentActivation)}`);
  if (cell === 'GRU' && !resetAfter)
    throw unsupported(
      call,
      'nn.GRU applies the reset gate after the recurrent matrix product (resetAfter: true)',
    );
  return cell;
}

/** Exports a recurrent layer. @param layers one layer per direction, each with the prefix of its parameter names */
function recurrent(
  call: Call,
  layers: readonly { json: LayerJson; prefix: string }[],
  mergeMode: unknown,
): ExportedLayer {
  const { name } = call;
  const [{ json }] = layers;
  const cell = cellOf(call, json);
  const { units, projection, activation, useBias, returnSequences, returnState, goBackwards } = json.config;
  if (returnState) throw unsupported(call, 'it returns its states');
  if (layers.length > 1 && cellOf(call, layers[1].json) !== cell)
    throw unsupported(call, 'its directions have different cells');
  if (
    layers.some(
      ({ json: { config } }) => config.units !== units || (config.useBias ?? true) !== (useBias ?? true),
    )
  )
    throw unsupported(call, 'its directions differ in units or useBias');
  if (layers.some(({ json: { config } }) => (config.activation ?? 'tanh') !== (activation ?? 'tanh')))
    throw unsupported(call, 'its directions have different activations');
  const weights = layers.map(
    ({ prefix }): WeightsOf =>
      (parameter) =>
        call.weight(prefix + parameter),
  );
  const options = {
    batch_first: true,
    nonlinearity: activation === 'relu' ? "'relu'" : undefined,
    bias: useBias === false ? false : undefined,
    proj_size: projection,
    bidirectional: layers.length > 1 ? true : undefined,
  };
  const input = required(weights[0], 'kernel').shape[0];
  const tensors = weights.flatMap((weight, i) =>
    recurrentTensors(
      name,
      i === 0 ? '_l0' : '_l0_reverse',
      cell,
      weight,
      layers[i].json.config.updateGate === 'candidate',
    ),
  );
  const forward = goBackwards ? ['x = x.flip(1)'] : [];
  if (returnSequences) forward.push(`x, _ = self.${name}(x)`);
  else {
    forward.push(cell === 'LSTM' ? `_, (h, _) = self.${name}(x)` : `_, h = self.${name}(x)`);
    forward.push(layers.length > 1 ? 'x = torch.cat([h[0], h[1]], -1)' : 'x = h[0]');
  }
  if (layers.length > 1) forward.push(...merge(call, mergeMode));
  return {
    modules: [{ name, code: `nn.${cell}(${args([input, units as number], options)})` }],
    ...{ tensors, forward, notes: [] },
  };
}

const MERGES: Readonly<Record<string, string[]>> = {
  concat: [],
  sum: ['a, b = x.chunk(2, -1)', 'x = a + b'],
  ave: ['a, b = x.chunk(2, -1)', 'x = (a + b) / 2'],
  mul: ['a, b = x.chunk(2, -1)', 'x = a * b'],
};

function merge(call: Call, mode: unknown): string[] {
  const lines = typeof mode === 'string' && Object.hasOwn(MERGES, mode) ? MERGES[mode] : undefined;
  if (lines) return lines;
  throw unsupported(call, `mergeMode must be concat, sum, ave or mul, got ${String(mode)}`);
}

function bidirectional(call: Call): ExportedLayer {
  const {
    layer,
    backwardLayer,
    mergeMode = 'concat',
  } = call.config as unknown as {
    layer: LayerJson;
    backwardLayer: LayerJson;
    mergeMode?: string;
  };
  const layers = [layer, backwardLayer].map((json) => ({ json, prefix: `${json.config.name}/` }));
  return recurrent(call, layers, mergeMode);
}

/** Exports an `RNN` layer, which has one cell or stacked cells. */
function cells(call: Call): ExportedLayer {
  const { cell, ...options } = call.config as { cell: LayerJson } & Record<string, unknown>;
  const isStacked = cell.className === 'StackedRNNCells';
  const inner = isStacked ? (cell.config.cells as LayerJson[]) : [cell];
  const parts = inner.map(({ className, config }, n) => {
    const isLast = n === inner.length - 1;
    const json = {
      className: className.replace(/Cell$/, ''),
      config: {
        ...config,
        returnSequences: isLast ? options.returnSequences : true,
        returnState: options.returnState,
        goBackwards: n === 0 && options.goBackwards,
      },
    };
    const name = isStacked ? `${call.name}_${n}` : call.name;
    return recurrent({ ...call, name }, [{ json, prefix: isStacked ? `cell_${n}/` : '' }], 'concat');
  });
  return {
    modules: parts.flatMap(({ modules }) => modules),
    tensors: parts.flatMap(({ tensors }) => tensors),
    forward: parts.flatMap(({ forward }) => forward),
    notes: [],
  };
}

const recurrentLayer: Export = (call) => recurrent(call, [{ json: call, prefix: '' }], 'concat');

function dense(call: Call): Partial<ExportedLayer> {
  const { name, config, weight } = call;
  const [input, units] = required(weight, 'kernel').shape;
  const bias = config.useBias === false ? false : undefined;
  return {
    modules: [{ name, code: `nn.Linear(${args([input, units], { bias })})` }],
    tensors: denseTensors(name, weight),
    forward: [`x = self.${name}(x)`, ...activate(call, config.activation)],
  };
}

function convolution(call: Call): Partial<ExportedLayer> {
  const { name, config, weight } = call;
  const {
    strides = 1,
    dilationRate = 1,
    groups = 1,
    padding = 'valid',
    useBias,
  } = config as Record<string, number>;
  const [size, perGroup, filters] = required(weight, 'kernel').shape;
  if (strides > 1 && String(padding) === 'same')
    throw unsupported(call, 'padding "same" with strides depends on the length of the sequence');
  const options = {
    stride: strides > 1 ? strides : undefined,
    dilation: dilationRate > 1 ? dilationRate : undefined,
    groups: groups > 1 ? groups : undefined,
    bias: (useBias as unknown) === false ? false : undefined,
  };
  const total = (size - 1) * dilationRate;
  const left = String(padding) === 'causal' ? total : String(padding) === 'same' ? Math.floor(total / 2) : 0;
  const right = String(padding) === 'same' ? total - left : 0;
  return {
    modules: [{ name, code: `nn.Conv1d(${args([perGroup * groups, filters, size], options)})` }],
    tensors: convolutionTensors(name, weight),
    forward: [
      'x = x.transpose(1, 2)',
      ...(total > 0 && String(padding) !== 'valid' ? [`x = F.pad(x, (${left}, ${right}))`] : []),
      `x = self.${name}(x).transpose(1, 2)`,
      ...activate(call, config.activation),
    ],
  };
}

function checkAxis(call: Call): void {
  const { axis = -1 } = call.config;
  const last = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
  if (last !== -1 && last !== call.rank - 1)
    throw unsupported(call, `its axis is ${JSON.stringify(axis)}, not the last one`);
}

function layerNorm(call: Call): Partial<ExportedLayer> {
  const { name, config, weight } = call;
  const { epsilon = 1e-3 } = config;
  checkAxis(call);
  const [width] = (weight('gamma') ?? weight('beta'))?.shape ?? [];
  const hasBoth = weight('gamma') && weight('beta');
  if (width === undefined || !weight('gamma')) throw unsupported(call, 'it must have a scale (gamma)');
  const options = { eps: epsilon, bias: hasBoth ? undefined : false };
  return {
    modules: [{ name, code: `nn.LayerNorm(${args([width], options)})` }],
    tensors: renamed(name, weight, { weight: 'gamma', bias: 'beta' }),
    forward: [`x = self.${name}(x)`],
  };
}

function batchNorm(call: Call): Partial<ExportedLayer> {
  const { name, config, weight, rank } = call;
  const { epsilon = 1e-3, momentum = 0.99 } = config as { epsilon?: number; momentum?: number };
  checkAxis(call);
  const { shape, values } = required(weight, 'moving_mean');
  const constant = (value: number) => ({ shape, values: new Float32Array(values.length).fill(value) });
  // nn.BatchNorm1d has both weight and bias, or neither.
  const filled: WeightsOf = (parameter) =>
    weight(parameter) ??
    (parameter === 'gamma' ? constant(1) : parameter === 'beta' ? constant(0) : undefined);
  const names = {
    weight: 'gamma',
    bias: 'beta',
    running_mean: 'moving_mean',
    running_var: 'moving_variance',
  };
  const options = { eps: epsilon, momentum: Number((1 - momentum).toPrecision(6)) };
  const apply = `self.${name}(x)`;
  return {
    modules: [{ name, code: `nn.BatchNorm1d(${args([shape[0]], options)})` }],
    tensors: renamed(name, filled, names),
    forward: [rank === 3 ? `x = self.${name}(x.transpose(1, 2)).transpose(1, 2)` : `x = ${apply}`],
  };
}

function embedding({ name, weight, config }: Call): Partial<ExportedLayer> {
  const { shape } = required(weight, 'embeddings');
  const notes = config.maskZero
    ? [`${name}: id 0 is padding; to skip its steps, use pack_padded_sequence`]
    : [];
  return {
    modules: [{ name, code: `nn.Embedding(${shape.join(', ')})` }],
    tensors: renamed(name, weight, { weight: 'embeddings' }),
    forward: [`x = self.${name}(x)`],
    notes,
  };
}

const dropout: Export = ({ name, config }) => ({
  modules: [{ name, code: `nn.Dropout(${String(config.rate ?? 0)})` }],
  forward: [`x = self.${name}(x)`],
});

const pooling =
  (kind: 'max' | 'avg'): Export =>
  (call) => {
    const { poolSize = 2, strides = poolSize, padding = 'valid' } = call.config;
    if (padding !== 'valid') throw unsupported(call, `its padding is ${String(padding)}`);
    return { forward: [`x = F.${kind}_pool1d(x.transpose(1, 2), ${poolSize}, ${strides}).transpose(1, 2)`] };
  };

const globalPooling =
  (kind: 'amax' | 'mean'): Export =>
  ({ config }) => ({ forward: [`x = x.${kind}(1${config.keepDims ? ', keepdim=True' : ''})`] });

function timeDistributed(call: Call): Partial<ExportedLayer> {
  const inner = call.config.layer as LayerJson;
  const prefix = `${inner.config.name}/`;
  if (inner.className !== 'Dense' && inner.className !== 'Activation')
    throw unsupported(
      call,
      `only Dense and Activation are supported inside TimeDistributed, got ${inner.className}`,
    );
  return EXPORTS[inner.className]({
    ...call,
    ...inner,
    name: call.name,
    weight: (name) => call.weight(prefix + name),
  });
}

const EXPORTS: Readonly<Record<string, Export>> = {
  SimpleRNN: recurrentLayer,
  LSTM: recurrentLayer,
  GRU: recurrentLayer,
  ProjectedLSTM: recurrentLayer,
  RNN: cells,
  Bidirectional: bidirectional,
  Dense: dense,
  Embedding: embedding,
  Conv1D: convolution,
  LayerNormalization: layerNorm,
  BatchNormalization: batchNorm,
  Activation: (call) => ({ forward: activate(call, call.config.activation) }),
  Dropout: dropout,
  SpatialDropout1D: ({ name }) => ({
    notes: [`${name}: SpatialDropout1D only acts in training and is left out`],
  }),
  WordDropout: ({ name }) => ({ notes: [`${name}: WordDropout only acts in training and is left out`] }),
  ActivationRegularization: () => ({}),
  Masking: ({ name }) => ({
    notes: [`${name}: to skip masked steps, use pack_padded_sequence`],
  }),
  TimeDistributed: timeDistributed,
  GlobalAveragePooling1D: globalPooling('mean'),
  GlobalMaxPooling1D: globalPooling('amax'),
  MaxPooling1D: pooling('max'),
  AveragePooling1D: pooling('avg'),
  Flatten: () => ({ forward: ['x = x.flatten(1)'] }),
  Permute: ({ config }) => ({ forward: [`x = x.permute(0, ${(config.dims as number[]).join(', ')})`] }),
  Reshape: ({ config }) => ({
    forward: [`x = x.reshape(x.shape[0], ${(config.targetShape as number[]).join(', ')})`],
  }),
  RepeatVector: ({ config }) => ({ forward: [`x = x.unsqueeze(1).expand(-1, ${String(config.n)}, -1)`] }),
};

/** Class names of the layers that can be exported. */
export const EXPORTED_LAYERS: readonly string[] = Object.keys(EXPORTS);

/** Exports a layer. @throws UnrollError `value` for a layer that PyTorch does not have */
export function exportLayer(json: LayerJson, name: string, weight: WeightsOf, rank: number): ExportedLayer {
  const write = Object.hasOwn(EXPORTS, json.className) ? EXPORTS[json.className] : undefined;
  const call = { ...json, name, weight, rank };
  if (!write)
    throw unsupported(
      call,
      `supported layers are ${EXPORTED_LAYERS.join(', ')}, and Add, Multiply and Concatenate in a graph`,
    );
  return { modules: [], tensors: [], forward: [], notes: [], ...write(call) };
}
