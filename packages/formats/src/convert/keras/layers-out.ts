/**
 * Translates the config of an Unroll layer into Keras's. The table {@link EXPORTED} has one entry per class of Unroll that
 * Keras also has.
 */
import { valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { WeightGroup } from './layer-types.js';
import { uniqueNames } from './layers-in-recurrent.js';
import { activationTo, constraintTo, initializerTo, regularizerTo, serialised, toSnake } from './names.js';

/** A config of Unroll: `{ className, config }`. */
export interface UnrollConfig {
  className: string;
  config: Record<string, unknown>;
}

/** A layer in Keras's form. */
export interface ExportedLayer {
  className: string;
  /** The serialised layer, `{ module, class_name, config, registered_name }`. */
  keras: JsonObject;
  weights: WeightGroup[];
  /** Paths of the parts that have a random state in Keras. */
  seeds: string[];
}

type Options = Readonly<Record<string, unknown>>;

/** The parts of a layer's translation. */
interface Parts {
  config: JsonObject;
  weights?: WeightGroup[];
  seeds?: string[];
}

type Exporter = (o: Options, where: string, nested: NestedExporter) => Parts;

/** Translates a layer or a model inside a layer. */
export type NestedExporter = (unrollConfig: UnrollConfig) => ExportedLayer;

const flag = (o: Options, key: string, fallback: boolean): boolean =>
  (o[key] as boolean | undefined) ?? fallback;
const number = (o: Options, key: string, fallback: number): number =>
  (o[key] as number | undefined) ?? fallback;

/** Returns initialiser, regulariser and constraint of weights. @param defaults Keras's default initialisers, by weight */
function weightOptions(o: Options, defaults: Readonly<Record<string, string>>): JsonObject {
  const config: JsonObject = {};
  for (const [name, fallback] of Object.entries(defaults)) {
    const camelName = name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
    config[`${name}_initializer`] = initializerTo(o[`${camelName}Initializer`] as string, fallback);
    config[`${name}_regularizer`] = regularizerTo(o[`${camelName}Regularizer`] as string);
    config[`${name}_constraint`] = constraintTo(o[`${camelName}Constraint`] as string);
  }
  return config;
}

/**
 * Checks options that Keras does not have.
 * @param values for each option, the only value with which the layer can be exported; a missing option counts as this value
 * @throws UnrollError `value` if an option has another value
 */
function only(o: Options, where: string, values: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(values)) {
    const got = o[key] ?? value;
    if (got === value) continue;
    throw valueError(
      `${where} cannot be exported to Keras: it has the option ${key}: ${JSON.stringify(got)}, which Keras does not have.`,
      { option: key },
    );
  }
}

const group = (parameters: string[], path = '', fixed = 0): WeightGroup => ({
  ...{ path, parameters, fixed },
  trainable: true,
});

const withBias = (o: Options): string[] => (flag(o, 'useBias', true) ? ['kernel', 'bias'] : ['kernel']);

const dense: Exporter = (o, where) => ({
  config: {
    units: o.units as number,
    activation: activationTo(o.activation ?? 'linear', where),
    use_bias: flag(o, 'useBias', true),
    ...weightOptions(o, { kernel: 'GlorotUniform', bias: 'Zeros' }),
  },
  weights: [group(withBias(o))],
});

const conv1d: Exporter = (o, where) => ({
  config: {
    filters: o.filters as number,
    kernel_size: [o.kernelSize as number],
    strides: [number(o, 'strides', 1)],
    padding: (o.padding as string | undefined) ?? 'valid',
    data_format: 'channels_last',
    dilation_rate: [number(o, 'dilationRate', 1)],
    groups: number(o, 'groups', 1),
    activation: activationTo(o.activation ?? 'linear', where),
    use_bias: flag(o, 'useBias', true),
    ...weightOptions(o, { kernel: 'GlorotUniform', bias: 'Zeros' }),
  },
  weights: [group(withBias(o))],
});

const embedding: Exporter = (o, where) => {
  only(o, where, { embeddingDropout: 0 });
  return {
    config: {
      input_dim: o.inputDim as number,
      output_dim: o.outputDim as number,
      mask_zero: flag(o, 'maskZero', false),
      ...weightOptions(o, { embeddings: 'RandomUniform' }),
    },
    weights: [group(['embeddings'])],
  };
};

const pooling: Exporter = (o, where) => {
  const padding = (o.padding as string | undefined) ?? 'valid';
  if (padding === 'causal') only({ padding }, where, { padding: 'valid' });
  const size = number(o, 'poolSize', 2);
  return {
    config: {
      pool_size: [size],
      strides: [number(o, 'strides', size)],
      padding,
      data_format: 'channels_last',
    },
  };
};

const globalPooling: Exporter = (o) => ({
  config: { data_format: 'channels_last', keepdims: flag(o, 'keepDims', false) },
});

const batchNormalization: Exporter = (o) => {
  const [center, scale] = [flag(o, 'center', true), flag(o, 'scale', true)];
  const affine = [...(scale ? ['gamma'] : []), ...(center ? ['beta'] : [])];
  const moving = { moving_mean: 'Zeros', moving_variance: 'Ones' };
  const { moving_mean_initializer, moving_variance_initializer } = weightOptions(o, moving);
  return {
    config: {
      axis: number(o, 'axis', -1),
      momentum: number(o, 'momentum', 0.99),
      epsilon: number(o, 'epsilon', 1e-3),
      ...{ center, scale, moving_mean_initializer, moving_variance_initializer },
      ...weightOptions(o, { beta: 'Zeros', gamma: 'Ones' }),
    },
    weights: [group([...affine, 'moving_mean', 'moving_variance'], '', 2)],
  };
};

const layerNormalization: Exporter = (o) => {
  const [center, scale] = [flag(o, 'center', true), flag(o, 'scale', true)];
  return {
    config: {
      axis: (o.axis as Json | undefined) ?? -1,
      epsilon: number(o, 'epsilon', 1e-3),
      ...{ center, scale },
      ...weightOptions(o, { beta: 'Zeros', gamma: 'Ones' }),
    },
    weights: [group([...(scale ? ['gamma'] : []), ...(center ? ['beta'] : [])])],
  };
};

const dropout: Exporter = (o) => ({
  config: {
    rate: o.rate as number,
    seed: (o.seed as number | undefined) ?? null,
    noise_shape: (o.noiseShape as Json | undefined) ?? null,
  },
  seeds: (o.rate as number) > 0 ? ['seed_generator'] : [],
});

/** Returns the options of a cell, which its layer also has. */
function cellOptions(kind: string, o: Options, where: string): JsonObject {
  only(o, where, { weightDrop: 0, updateGate: 'keep' });
  return {
    units: o.units as number,
    activation: activationTo(o.activation ?? 'tanh', where),
    ...(kind !== 'SimpleRNN' && {
      recurrent_activation: activationTo(o.recurrentActivation ?? 'sigmoid', where),
    }),
    use_bias: flag(o, 'useBias', true),
    ...weightOptions(o, { kernel: 'GlorotUniform', recurrent: 'Orthogonal', bias: 'Zeros' }),
    ...(kind === 'LSTM' && { unit_forget_bias: flag(o, 'unitForgetBias', true) }),
    ...(kind === 'GRU' && { reset_after: flag(o, 'resetAfter', true) }),
    dropout: number(o, 'dropout', 0),
    recurrent_dropout: number(o, 'recurrentDropout', 0),
    seed: (o.seed as number | undefined) ?? null,
  };
}

const sequenceOptions = (o: Options): JsonObject => ({
  return_sequences: flag(o, 'returnSequences', false),
  return_state: flag(o, 'returnState', false),
  go_backwards: flag(o, 'goBackwards', false),
  stateful: flag(o, 'stateful', false),
  unroll: false,
  zero_output_for_mask: flag(o, 'zeroOutputForMask', false),
});

const cellWeights = (o: Options, path: string, prefix = ''): WeightGroup =>
  group(
    [...['kernel', 'recurrent_kernel'], ...(flag(o, 'useBias', true) ? ['bias'] : [])].map(
      (name) => prefix + name,
    ),
    path,
  );

const recurrent =
  (kind: string): Exporter =>
  (o, where) => ({
    config: { ...sequenceOptions(o), ...cellOptions(kind, o, where) },
    weights: [cellWeights(o, 'cell')],
  });

const CELLS: Readonly<Record<string, string>> = {
  SimpleRNNCell: 'SimpleRNN',
  GRUCell: 'GRU',
  LSTMCell: 'LSTM',
};

interface ExportedCell {
  keras: JsonObject;
  weights: WeightGroup[];
}

function cellTo({ className, config }: UnrollConfig, where: string, path: string, prefix = ''): ExportedCell {
  if (className === 'StackedRNNCells') {
    const uniqueName = uniqueNames();
    const cells = (config.cells as UnrollConfig[]).map((cell, n) =>
      cellTo(cell, where, `${path}/cells/${uniqueName(cell.className)}`, `${prefix}cell_${n}/`),
    );
    return {
      keras: serialised('keras.layers', className, { cells: cells.map(({ keras }) => keras) }),
      weights: cells.flatMap(({ weights }) => weights),
    };
  }
  const kind = Object.hasOwn(CELLS, className) ? CELLS[className] : null;
  if (!kind) throw notInKeras(`${where} with the cell ${className}`);
  return {
    keras: serialised('keras.layers', className, cellOptions(kind, config, where)),
    weights: [cellWeights(config, path, prefix)],
  };
}

const rnn: Exporter = (o, where) => {
  only(o, where, { dropout: 0, recurrentDropout: 0 });
  const { keras, weights } = cellTo(o.cell as UnrollConfig, where, 'cell');
  return { config: { ...sequenceOptions(o), cell: keras }, weights };
};

const bidirectional: Exporter = (o, _where, nested) => {
  const forward = nested(o.layer as UnrollConfig);
  const backward = nested(o.backwardLayer as UnrollConfig);
  const weightsOf = (layer: ExportedLayer, config: UnrollConfig, direction: string): WeightGroup[] =>
    layer.weights.map((part) => ({
      ...part,
      path: `${direction}_layer/${part.path}`,
      parameters: part.parameters.map((name) => `${String(config.config.name)}/${name}`),
    }));
  return {
    config: {
      merge_mode: o.mergeMode === 'none' ? null : ((o.mergeMode as string | undefined) ?? 'concat'),
      layer: forward.keras,
      backward_layer: backward.keras,
    },
    weights: [
      ...weightsOf(forward, o.layer as UnrollConfig, 'forward'),
      ...weightsOf(backward, o.backwardLayer as UnrollConfig, 'backward'),
    ],
    seeds: [
      ...forward.seeds.map((path) => `forward_layer/${path}`),
      ...backward.seeds.map((path) => `backward_layer/${path}`),
    ],
  };
};

const timeDistributed: Exporter = (o, _where, nested) => {
  const innerConfig = o.layer as UnrollConfig;
  const inner = nested(innerConfig);
  return {
    config: { layer: inner.keras },
    weights: inner.weights.map((part) => ({
      ...part,
      path: part.path ? `layer/${part.path}` : 'layer',
      parameters: part.parameters.map((name) => `${String(innerConfig.config.name)}/${name}`),
    })),
    seeds: inner.seeds.map((path) => `layer/${path}`),
  };
};

const attention: Exporter = (o, where) => {
  const mode = (o.scoreMode as string | undefined) ?? 'dot';
  if (mode !== 'dot' && mode !== 'concat') only({ scoreMode: mode }, where, { scoreMode: 'dot' });
  const useScale = flag(o, 'useScale', false);
  const rate = number(o, 'dropout', 0);
  return {
    config: { use_scale: useScale, score_mode: toSnake(mode), dropout: rate },
    weights: [group([...(useScale ? ['scale'] : []), ...(mode === 'concat' ? ['concat_score_weight'] : [])])],
    seeds: rate > 0 ? ['seed_generator'] : [],
  };
};

const additiveAttention: Exporter = (o, where) => {
  only(o, where, { units: null });
  const useScale = flag(o, 'useScale', true);
  const rate = number(o, 'dropout', 0);
  return {
    config: { use_scale: useScale, dropout: rate },
    weights: [group(useScale ? ['scale'] : [])],
    seeds: rate > 0 ? ['seed_generator'] : [],
  };
};

const plain =
  (read: (o: Options, where: string) => JsonObject = () => ({})): Exporter =>
  (o, where) => ({ config: read(o, where) });

/** The exporters of Unroll's layers, by class name. */
export const EXPORTED: Readonly<Record<string, Exporter>> = {
  Activation: plain((o, where) => ({ activation: activationTo(o.activation, where) })),
  Add: plain(),
  AdditiveAttention: additiveAttention,
  Attention: attention,
  AveragePooling1D: pooling,
  BatchNormalization: batchNormalization,
  Bidirectional: bidirectional,
  Concatenate: plain((o) => ({ axis: number(o, 'axis', -1) })),
  Conv1D: conv1d,
  Dense: dense,
  Dropout: dropout,
  Embedding: embedding,
  Flatten: plain(() => ({ data_format: 'channels_last' })),
  GRU: recurrent('GRU'),
  GlobalAveragePooling1D: globalPooling,
  GlobalMaxPooling1D: globalPooling,
  LSTM: recurrent('LSTM'),
  LayerNormalization: layerNormalization,
  Masking: plain((o) => ({ mask_value: number(o, 'maskValue', 0) })),
  MaxPooling1D: pooling,
  Multiply: plain(),
  Permute: plain((o) => ({ dims: [...(o.dims as number[])] })),
  RNN: rnn,
  RepeatVector: plain((o) => ({ n: o.n as number })),
  Reshape: plain((o) => ({ target_shape: [...(o.targetShape as number[])] })),
  SimpleRNN: recurrent('SimpleRNN'),
  SpatialDropout1D: (o) => ({
    config: { rate: o.rate as number, seed: (o.seed as number | undefined) ?? null },
    seeds: (o.rate as number) > 0 ? ['seed_generator'] : [],
  }),
  TimeDistributed: timeDistributed,
};

/** Translates a layer that is not a model. @throws UnrollError `value` for a layer or an option that Keras does not have */
export function layerTo({ className, config }: UnrollConfig, nested: NestedExporter): ExportedLayer {
  const name = String(config.name);
  const where = `Layer "${name}" (${className})`;
  const exporter = Object.hasOwn(EXPORTED, className) ? EXPORTED[className] : null;
  if (!exporter) throw notInKeras(where);
  const { config: layerOptions, weights = [], seeds = [] } = exporter(config, where, nested);
  const trainable = config.trainable !== false;
  const activity = regularizerTo(config.activityRegularizer as string);
  const options: JsonObject = {
    name,
    ...(className !== 'SpatialDropout1D' && { trainable }), // Keras's class does not take the option
    dtype: 'float32',
    ...layerOptions,
    ...(activity && { activity_regularizer: activity }),
  };
  return {
    className,
    keras: serialised('keras.layers', className, options),
    weights: weights.map((part) => ({ ...part, trainable })),
    seeds,
  };
}

function notInKeras(what: string): Error {
  return valueError(
    `${what} cannot be exported: Keras has no such layer. Layers that can be exported: ${Object.keys(EXPORTED).join(', ')}.`,
    { what },
  );
}
