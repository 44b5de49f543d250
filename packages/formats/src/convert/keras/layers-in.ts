/**
 * Translates the config of a Keras layer into Unroll's, and assigns the weights of the file to parameters. The table
 * {@link LAYERS} has one entry per class of Keras that can be imported.
 */
import type { Json, JsonObject } from '@unroll/core/internal';
import { listIn } from './json.js';
import { type MaskRule, seedOf, type Translator } from './layer-types.js';
import { additiveAttention, attention } from './layers-in-attention.js';
import { bidirectional, recurrent, rnn, timeDistributed } from './layers-in-recurrent.js';
import type { KerasOptions } from './options.js';
import { hardSigmoidConversion, OLD_HARD_SIGMOID } from './rescale.js';

const isTrainable = (o: KerasOptions): boolean => o.config.trainable !== false;

/** Returns the translator of a layer without weights. @param read returns the options of the layer's own class */
function plain(
  className: string,
  masks: MaskRule,
  read: (o: KerasOptions) => JsonObject = () => ({}),
): Translator {
  return (o, name) => ({ className, config: { ...o.common(name), ...read(o) }, weights: [], masks });
}

const dense: Translator = (o, name) => {
  const useBias = o.flag('use_bias', true);
  return {
    className: 'Dense',
    config: {
      ...o.common(name),
      units: o.number('units'),
      activation: o.activation('activation'),
      useBias,
      ...o.weights('kernel', 'bias'),
    },
    weights: [
      {
        path: '',
        parameters: useBias ? ['kernel', 'bias'] : ['kernel'],
        trainable: isTrainable(o),
        ...hardSigmoidConversion(o, 'activation'),
      },
    ],
    masks: 'pass',
  };
};

const conv1d: Translator = (o, name) => {
  const useBias = o.flag('use_bias', true);
  channelsLast(o);
  return {
    className: 'Conv1D',
    config: {
      ...o.common(name),
      filters: o.number('filters'),
      kernelSize: o.single('kernel_size'),
      strides: o.single('strides', 1),
      padding: o.text('padding', 'valid'),
      dilationRate: o.single('dilation_rate', 1),
      groups: o.number('groups', 1),
      activation: o.activation('activation'),
      useBias,
      ...o.weights('kernel', 'bias'),
    },
    weights: [
      {
        path: '',
        parameters: useBias ? ['kernel', 'bias'] : ['kernel'],
        trainable: isTrainable(o),
        ...hardSigmoidConversion(o, 'activation'),
      },
    ],
    masks: 'drop',
  };
};

const channelsLast = (o: KerasOptions): void =>
  o.only('data_format', 'channels_last', 'insert a Permute layer and export again');

const embedding: Translator = (o, name) => ({
  className: 'Embedding',
  config: {
    ...o.common(name),
    inputDim: o.number('input_dim'),
    outputDim: o.number('output_dim'),
    maskZero: o.flag('mask_zero', false),
    ...o.weights('embeddings'),
  },
  weights: [{ path: '', parameters: ['embeddings'], trainable: isTrainable(o) }],
  masks: 'embedding',
});

function pooling(className: string): Translator {
  return plain(className, 'drop', (o) => {
    channelsLast(o);
    const poolSize = o.single('pool_size', 2);
    return { poolSize, strides: o.single('strides', poolSize), padding: o.text('padding', 'valid') };
  });
}

function globalPooling(className: string, masks: MaskRule): Translator {
  return plain(className, masks, (o) => {
    channelsLast(o);
    return { keepDims: o.flag('keepdims', false) };
  });
}

/** Returns the option `axis` as a number, or as a list if there are several axes. */
function axisOf(o: KerasOptions): Json {
  const axes = o.take('axis') === undefined ? [-1] : o.numbers('axis');
  return axes.length === 1 ? axes[0] : axes;
}

const batchNormalization: Translator = (o, name) => {
  const [center, scale] = [o.flag('center', true), o.flag('scale', true)];
  if (o.config.renorm !== true)
    for (const key of ['fused', 'renorm_clipping', 'renorm_momentum']) o.take(key);
  const affine = [...(scale ? ['gamma'] : []), ...(center ? ['beta'] : [])];
  return {
    className: 'BatchNormalization',
    config: {
      ...o.common(name),
      axis: axisOf(o),
      momentum: o.number('momentum', 0.99),
      epsilon: o.number('epsilon', 1e-3),
      ...{ center, scale },
      ...o.weights('beta', 'gamma', 'moving_mean', 'moving_variance'),
    },
    weights: [
      {
        path: '',
        parameters: [...affine, 'moving_mean', 'moving_variance'],
        fixed: 2,
        trainable: isTrainable(o),
      },
    ],
    masks: 'use',
  };
};

const layerNormalization: Translator = (o, name) => {
  const [center, scale] = [o.flag('center', true), o.flag('scale', true)];
  return {
    className: 'LayerNormalization',
    config: {
      ...o.common(name),
      axis: axisOf(o),
      epsilon: o.number('epsilon', 1e-3),
      ...{ center, scale },
      ...o.weights('beta', 'gamma'),
    },
    weights: [
      {
        path: '',
        parameters: [...(scale ? ['gamma'] : []), ...(center ? ['beta'] : [])],
        trainable: isTrainable(o),
      },
    ],
    masks: 'pass',
  };
};

/** Returns the translator of an activation layer. @param read returns the activation */
function activationLayer(read: (o: KerasOptions) => string, masks: MaskRule = 'pass'): Translator {
  return plain('Activation', masks, (o) => ({ activation: read(o) }));
}

/** Refuses options of an activation layer. @param supported the part of the message before "got": `alpha must be 1` */
function refuseActivation(o: KerasOptions, supported: string, got: number | string): never {
  throw o.refuse(
    `${supported}, got ${got}. In Keras, replace the layer by a custom layer class with the same function and save the model again; before the import, register a layer with the name of this class (registerLayer)`,
  );
}

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;

/** Returns `relu`, `leakyRelu` (slope 0.2) or `relu6`. @throws UnrollError `value` for other options */
function reluOf(o: KerasOptions): string {
  const [slope, threshold] = [o.number('negative_slope', 0), o.number('threshold', 0)];
  const max = o.take('max_value');
  if (threshold === 0 && max === undefined && slope === 0) return 'relu';
  if (threshold === 0 && max === undefined && isNear(slope, 0.2)) return 'leakyRelu';
  if (threshold === 0 && max === 6 && slope === 0) return 'relu6';
  return refuseActivation(
    o,
    'Unroll has only relu, relu6 and leakyRelu (negative_slope 0.2)',
    `negative_slope ${slope}, threshold ${threshold}, max_value ${max ?? null}`,
  );
}

/** Returns `leakyRelu` for the slope 0.2. @throws UnrollError `value` for another slope */
function leakyReluOf(o: KerasOptions): string {
  const slope = o.number('negative_slope', o.number('alpha', 0.3));
  if (isNear(slope, 0.2)) return 'leakyRelu';
  return refuseActivation(o, 'negative_slope (or alpha) must be 0.2', slope);
}

/** Returns a function that returns the activation if the option has the only value that Unroll supports, and throws otherwise. */
function activationWith(activation: string, key: string, only: number): (o: KerasOptions) => string {
  return (o) => {
    const value = o.number(key, only);
    return value === only ? activation : refuseActivation(o, `${key} must be ${only}`, value);
  };
}

/** The translators of Keras's layers, by class name. */
export const LAYERS: Readonly<Record<string, Translator>> = {
  Activation: activationLayer((o) => {
    if (!o.hasOldHardSigmoid('activation')) return o.activation('activation');
    throw o.refuse(OLD_HARD_SIGMOID);
  }),
  ActivityRegularization: plain('Activation', 'pass', (o) => ({
    activation: 'linear',
    activityRegularizer: { className: 'l1l2', config: { l1: o.number('l1', 0), l2: o.number('l2', 0) } },
  })),
  Add: plain('Add', 'merge'),
  AdditiveAttention: additiveAttention,
  Attention: attention,
  AveragePooling1D: pooling('AveragePooling1D'),
  BatchNormalization: batchNormalization,
  Bidirectional: bidirectional,
  Concatenate: plain('Concatenate', 'concat', (o) => ({ axis: o.number('axis', -1) })),
  Conv1D: conv1d,
  CuDNNGRU: recurrent('CuDNNGRU'),
  CuDNNLSTM: recurrent('CuDNNLSTM'),
  Dense: dense,
  Dropout: plain('Dropout', 'pass', (o) => {
    const noiseShape = o.take('noise_shape');
    const shape = noiseShape === undefined ? null : listIn(noiseShape, `noise_shape of ${o.where}`);
    return { rate: o.number('rate'), ...(shape && { noiseShape: shape }), ...seedOf(o) };
  }),
  ELU: activationLayer(activationWith('elu', 'alpha', 1)),
  Embedding: embedding,
  Flatten: plain('Flatten', 'none', (o) => {
    channelsLast(o);
    return {};
  }),
  GRU: recurrent('GRU'),
  GlobalAveragePooling1D: globalPooling('GlobalAveragePooling1D', 'use'),
  GlobalMaxPooling1D: globalPooling('GlobalMaxPooling1D', 'drop'),
  Identity: activationLayer(() => 'linear'),
  LSTM: recurrent('LSTM'),
  LayerNormalization: layerNormalization,
  LeakyReLU: activationLayer(leakyReluOf),
  Masking: plain('Masking', 'masking', (o) => ({ maskValue: o.number('mask_value', 0) })),
  MaxPooling1D: pooling('MaxPooling1D'),
  Multiply: plain('Multiply', 'merge'),
  Permute: plain('Permute', 'none', (o) => ({ dims: o.numbers('dims') })),
  RNN: rnn,
  ReLU: activationLayer(reluOf),
  RepeatVector: plain('RepeatVector', 'none', (o) => ({ n: o.number('n') })),
  Reshape: plain('Reshape', 'none', (o) => ({ targetShape: o.numbers('target_shape') })),
  SimpleRNN: recurrent('SimpleRNN'),
  Softmax: activationLayer(activationWith('softmax', 'axis', -1), 'refuse'),
  SpatialDropout1D: plain('SpatialDropout1D', 'pass', (o) => {
    o.take('noise_shape');
    return { rate: o.number('rate'), ...seedOf(o) };
  }),
  TimeDistributed: timeDistributed,
};

export function translatorOf(className: string): Translator | null {
  return Object.hasOwn(LAYERS, className) ? LAYERS[className] : null;
}
