/**
 * Weight initialisers with the names and definitions of Keras 3, and `chrono` for the biases of gates. All use counter-based
 * random streams and elementary arithmetic, so a seed gives the same weights on every machine. An initialiser is a name
 * (`'orthogonal'`) or, with options, the plain object returned by a function of this file (`constant({ value: 2 })`). A
 * model's config can store both.
 */
import { RandomStream, type Shape, valueError } from '@unroll/core';
import { checkOptions, exactLog, type OptionTypes, sizeOf } from '@unroll/core/internal';
import { nameAndOptions } from './named.js';
import { orthogonalMatrix } from './orthogonal.js';

/** Returns the initial values of a tensor of `shape`, row-major. */
export type InitializerFunction = (shape: Shape, random: RandomStream) => ArrayLike<number>;

interface SeedOption {
  /** Seed of this initialiser. Default: derived from the model's seed. */
  seed?: number;
}
interface ConstantOptions extends SeedOption {
  /** Default 0. */
  value?: number;
}
export interface UniformOptions extends SeedOption {
  /** Default -0.05. */
  minval?: number;
  /** Default 0.05. */
  maxval?: number;
}
export interface NormalOptions extends SeedOption {
  /** Default 0. */
  mean?: number;
  /** Default 0.05. */
  stddev?: number;
}
export interface VarianceScalingOptions extends SeedOption {
  /** Numerator of the variance. Default 1. */
  scale?: number;
  /** Denominator of the variance: the number of inputs, the number of outputs, or their mean. Default `fanIn`. */
  mode?: 'fanIn' | 'fanOut' | 'fanAvg';
  /** Default `truncatedNormal`. */
  distribution?: 'truncatedNormal' | 'untruncatedNormal' | 'uniform';
}
export interface GainOptions extends SeedOption {
  /** Factor by which the matrix is multiplied. Default 1. */
  gain?: number;
}
export interface ChronoOptions extends SeedOption {
  /** Length of the longest expected dependency in steps; greater than 2. */
  maxSteps: number;
  /** The type of cell whose bias is initialised. Default `lstm`. */
  cell?: 'lstm' | 'gru';
  /** The GRU's `updateGate` option. Default `keep`. */
  updateGate?: 'keep' | 'candidate';
}

/** Computes the values of a built-in initialiser with options O. */
type Draw<O> = (options: O, shape: Shape, random: RandomStream) => ArrayLike<number>;

/** Returns the function of a variance-scaling initialiser with fixed options. */
const scaled =
  (scale: number, mode: 'fanIn' | 'fanAvg', distribution: 'truncatedNormal' | 'uniform'): Draw<SeedOption> =>
  (_options, shape, random) =>
    varianceScaled({ scale, mode, distribution }, shape, random);

const initializers = {
  zeros: (_options: object, shape: Shape) => new Float64Array(sizeOf(shape)),
  ones: (_options: object, shape: Shape) => new Float64Array(sizeOf(shape)).fill(1),
  constant: ({ value = 0 }: ConstantOptions, shape: Shape) => new Float64Array(sizeOf(shape)).fill(value),
  randomUniform: ({ minval = -0.05, maxval = 0.05 }: UniformOptions, shape: Shape, random: RandomStream) =>
    random.uniform(sizeOf(shape), minval, maxval),
  randomNormal: ({ mean = 0, stddev = 0.05 }: NormalOptions, shape: Shape, random: RandomStream) =>
    random.normal(sizeOf(shape), mean, stddev),
  truncatedNormal: ({ mean = 0, stddev = 0.05 }: NormalOptions, shape: Shape, random: RandomStream) =>
    truncated(sizeOf(shape), mean, stddev, random),
  varianceScaling: varianceScaled,
  /** Uniform in ±√(6 / (fanIn + fanOut)) (Glorot & Bengio 2010). */
  glorotUniform: scaled(1, 'fanAvg', 'uniform'),
  glorotNormal: scaled(1, 'fanAvg', 'truncatedNormal'),
  /** He et al. 2015 */
  heUniform: scaled(2, 'fanIn', 'uniform'),
  heNormal: scaled(2, 'fanIn', 'truncatedNormal'),
  /** LeCun et al. 1998; recommended for selu */
  lecunUniform: scaled(1, 'fanIn', 'uniform'),
  lecunNormal: scaled(1, 'fanIn', 'truncatedNormal'),
  orthogonal: ({ gain = 1 }: GainOptions, shape: Shape, random: RandomStream) =>
    orthogonalMatrix(shape, gain, random),
  identity,
  chrono,
};

type Options<N extends InitializerName> = Parameters<(typeof initializers)[N]>[0];
/** An initialiser with options, as plain data. */
export interface InitializerConfig {
  className: InitializerName;
  config: Readonly<Record<string, unknown>>;
}
export type InitializerName = keyof typeof initializers;
/**
 * An initialiser: a name (with default options), an object with options, or a custom function. Artifacts do not need
 * the function, because they contain the weights.
 */
export type Initializer = Exclude<InitializerName, 'chrono'> | InitializerConfig | InitializerFunction;

/**
 * Returns initial values for a tensor of `shape`, row-major.
 * @param owner label of the layer, for the error
 * @throws UnrollError `value` for an unknown name; the message suggests the nearest name or lists all
 */
export function initialize(
  initializer: Initializer,
  shape: Shape,
  random: RandomStream,
  owner = '',
): ArrayLike<number> {
  if (typeof initializer === 'function') return initializer(shape, random);
  const { className, config } = nameAndOptions('initializer', initializers, initializer, owner);
  const { seed } = config as SeedOption;
  const stream = seed === undefined ? random : new RandomStream(seed);
  return (initializers[className] as Draw<unknown>)(config, shape, stream);
}

const NORMAL: OptionTypes<NormalOptions> = { seed: 'integer', mean: 'number', stddev: 'number' };
const GAIN: OptionTypes<GainOptions> = { seed: 'integer', gain: 'number' };

/**
 * Returns a function that checks options and returns an {@link InitializerConfig}.
 * @param owner name of the returned function, for errors
 */
const withOptions =
  <N extends InitializerName>(
    className: N,
    optionTypes: OptionTypes<Options<N>>,
    owner: string = className,
  ) =>
  (config: Options<N>): InitializerConfig => {
    checkOptions<Options<N>>(owner, config, optionTypes);
    return { className, config: { ...config } };
  };

/** Creates an initialiser that sets every element to `value`. */
export const constant = /* @__PURE__ */ withOptions('constant', { seed: 'integer', value: 'number' });
/** Creates an initialiser that draws uniformly from [minval, maxval). */
export const randomUniform = /* @__PURE__ */ withOptions('randomUniform', {
  seed: 'integer',
  minval: 'number',
  maxval: 'number',
});
/** Creates an initialiser that draws from a normal distribution. */
export const randomNormal = /* @__PURE__ */ withOptions('randomNormal', NORMAL);
/** Creates an initialiser that draws from a normal distribution, truncated at two standard deviations. */
export const truncatedNormal = /* @__PURE__ */ withOptions('truncatedNormal', NORMAL);
/** Creates an initialiser with variance `scale` / fan: the general form of the Glorot, He and LeCun initialisers. */
export const varianceScaling = /* @__PURE__ */ withOptions('varianceScaling', {
  seed: 'integer',
  scale: 'number',
  mode: ['fanIn', 'fanOut', 'fanAvg'],
  distribution: ['truncatedNormal', 'untruncatedNormal', 'uniform'],
});
/** Creates an initialiser for matrices with orthonormal rows or columns, multiplied by `gain`. */
export const orthogonal = /* @__PURE__ */ withOptions('orthogonal', GAIN);
/** Creates an initialiser for `gain` times the identity matrix, for recurrent kernels of relu cells (Le et al. 2015). */
export const identityMatrix = /* @__PURE__ */ withOptions('identity', GAIN, 'identityMatrix');
/**
 * Creates an initialiser for `biasInitializer` that gives the units memories of 1 to `maxSteps` steps (Tallec & Ollivier
 * 2018, "Can recurrent neural networks warp time?"). With u uniform in [1, maxSteps - 1), the biases are ln u for the
 * forget gates and -ln u for the input gates of an LSTM, or ln u for the update gates of a GRU (-ln u with the
 * `updateGate` `candidate`). An LSTM then ignores `unitForgetBias`.
 */
export const chronoInitializer = /* @__PURE__ */ withOptions(
  'chrono',
  { seed: 'integer', maxSteps: 'number', cell: ['lstm', 'gru'], updateGate: ['keep', 'candidate'] },
  'chronoInitializer',
);

function varianceScaled(options: VarianceScalingOptions, shape: Shape, random: RandomStream): Float64Array {
  const { scale = 1, mode = 'fanIn', distribution = 'truncatedNormal' } = options;
  const [fanIn, fanOut] = fans(shape);
  const fan = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[mode];
  const variance = scale / Math.max(1, fan);
  if (!(variance > 0)) throw valueError(`varianceScaling: scale must be above 0, got ${scale}.`, { scale });
  const count = sizeOf(shape);
  if (distribution === 'uniform') {
    const limit = Math.sqrt(3 * variance);
    return random.uniform(count, -limit, limit);
  }
  if (distribution === 'untruncatedNormal') return random.normal(count, 0, Math.sqrt(variance));
  // A standard normal distribution truncated at ±2 has a standard deviation of 0.8796.
  return truncated(count, 0, Math.sqrt(variance) / 0.87962566103423978, random);
}

/** Draws normal values; redraws those more than two standard deviations from the mean. */
function truncated(count: number, mean: number, stddev: number, random: RandomStream): Float64Array {
  const out = new Float64Array(count);
  for (let i = 0; i < count; ) {
    for (const value of random.normal(count - i)) {
      if (Math.abs(value) <= 2) out[i++] = mean + stddev * value;
    }
  }
  return out;
}

/** Returns fanIn and fanOut: the number of inputs of each output, and the number of outputs of each input. */
function fans(shape: Shape): [number, number] {
  if (shape.length < 2) return [shape[0] ?? 1, shape[0] ?? 1];
  const receptiveField = sizeOf(shape.slice(0, -2));
  return [shape[shape.length - 2] * receptiveField, shape[shape.length - 1] * receptiveField];
}

function identity({ gain = 1 }: GainOptions, shape: Shape): Float64Array {
  if (shape.length !== 2) throw valueError(`identity needs a matrix, got a tensor of rank ${shape.length}.`);
  const [rows, cols] = shape;
  const out = new Float64Array(rows * cols);
  for (let i = 0; i < Math.min(rows, cols); i++) out[i * cols + i] = gain;
  return out;
}

function chrono(options: ChronoOptions, shape: Shape, random: RandomStream): Float64Array {
  const { maxSteps, cell = 'lstm', updateGate = 'keep' } = options;
  if (!(maxSteps > 2)) throw valueError(`chronoInitializer: maxSteps must be above 2, got ${maxSteps}.`);
  const out = new Float64Array(sizeOf(shape));
  const units = shape[shape.length - 1] / (cell === 'lstm' ? 4 : 3);
  random.uniform(units, 1, maxSteps - 1).forEach((u, i) => {
    const bias = exactLog(u);
    if (cell === 'gru') out[i] = updateGate === 'keep' ? bias : -bias;
    else {
      out[i] = -bias;
      out[units + i] = bias;
    }
  });
  return out;
}
