/** Translates loss, metrics and optimizer into Keras's `compile_config`, and the optimizer's state into Keras's variables. */
import { type FloatArray, type Parameter, type Shape, valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { ExportOptions, OptimizerRecord } from '../format.js';
import { LOSSES, METRICS } from './compile-in.js';
import { serialised, toSnake } from './names.js';
import { OPTIMIZERS } from './optimizer-in.js';

/** One variable of the optimizer. */
export interface OptimizerArray {
  /** Path of the variable in `.h5` files. */
  name: string;
  shape: Shape;
  values: ArrayLike<number>;
  dtype: 'float32' | 'int32';
}

export interface TrainingConfig {
  compile: JsonObject;
  arrays: OptimizerArray[];
}

export type Values = ReadonlyMap<string, { parameter: Parameter; values: FloatArray }>;

/** Keras's class names of optimizers and losses, by Unroll's names. */
const CLASSES: Readonly<Record<string, string>> = {
  ...{ adam: 'Adam', adamw: 'AdamW', nadam: 'Nadam', sgd: 'SGD', rmsprop: 'RMSprop', adagrad: 'Adagrad' },
  mse: 'MeanSquaredError',
  mae: 'MeanAbsoluteError',
  huber: 'Huber',
  logCosh: 'LogCosh',
  poisson: 'Poisson',
  binaryCrossentropy: 'BinaryCrossentropy',
  categoricalCrossentropy: 'CategoricalCrossentropy',
  sparseCategoricalCrossentropy: 'SparseCategoricalCrossentropy',
  binaryFocalCrossentropy: 'BinaryFocalCrossentropy',
  categoricalFocalCrossentropy: 'CategoricalFocalCrossentropy',
};

/**
 * Returns `compile_config` and the variables of the optimizer; null if there is no loss or no optimizer.
 * @throws UnrollError `value` for a loss, a metric or an optimizer that Keras does not have
 */
export function trainingTo(
  { compile, optimizer }: ExportOptions,
  parameters: readonly string[],
  values: Values,
): TrainingConfig | null {
  if (!compile || !optimizer || compile.loss === undefined) return null;
  return {
    compile: {
      optimizer: optimizerTo(optimizer),
      loss: perOutput(compile.loss, lossTo),
      loss_weights: (compile.lossWeights as Json | undefined) ?? null,
      metrics: compile.metrics === undefined ? null : perOutput(compile.metrics, metricTo),
      weighted_metrics: null,
      run_eagerly: false,
      steps_per_execution: 1,
      jit_compile: false,
    },
    arrays: stateTo(optimizer, parameters, values),
  };
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function perOutput(value: unknown, convert: (name: string, options: Record<string, unknown>) => Json): Json {
  if (Array.isArray(value)) return value.map((entry) => perOutput(entry, convert));
  if (!isPlain(value)) return convert(String(value), {});
  const { name, ...options } = value;
  if (typeof name === 'string') return convert(name, options);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, perOutput(entry, convert)]));
}

function lossTo(name: string, options: Record<string, unknown>): Json {
  const className = Object.values(LOSSES).includes(name) ? CLASSES[name] : undefined;
  if (!className) throw notInKeras('loss', name);
  const { reduction = 'sumOverBatchSize', ...others } = options;
  const entries = Object.entries(others).filter(([, option]) => option !== null && option !== undefined);
  const known = entries.map(([key, option]) => [toSnake(key), option as Json] as const);
  return serialised('keras.losses', className, {
    reduction: toSnake(String(reduction)),
    // A label smoothing of 0 is left out, because not all losses of Keras have the option.
    ...Object.fromEntries(known.filter(([key, option]) => !(key === 'label_smoothing' && option === 0))),
  });
}

function metricTo(name: string): Json {
  const found = Object.entries(METRICS).find(([, unrollName]) => unrollName === name);
  if (found) return found[0];
  throw notInKeras('metric', name);
}

function notInKeras(kind: string, name: string): Error {
  return valueError(
    `The ${kind} ${name} cannot be exported: Keras has no such ${kind}. Export without training options: { training: false }.`,
    { name },
  );
}

function kindOf(name: string): (typeof OPTIMIZERS)[string] {
  const found = Object.values(OPTIMIZERS).find((kind) => kind.name === name);
  if (found) return found;
  throw notInKeras('optimizer', name);
}

/** Returns Keras's default name of an optimizer: its class name in snake case, as Keras converts it. */
const kerasName = (name: string): string => KERAS_NAMES[name] ?? name;
const KERAS_NAMES: Readonly<Record<string, string>> = { adamw: 'adam_w', rmsprop: 'rm_sprop' };

function optimizerTo({ name, options }: OptimizerRecord): JsonObject {
  const kind = kindOf(name);
  if (options.convention === 'pytorch') throw notInKeras('optimizer', `${name} with convention 'pytorch'`);
  const excluded = options.excludeFromWeightDecay;
  if (Array.isArray(excluded) && excluded.length > 0 && options.weightDecay)
    throw notInKeras('optimizer option', 'excludeFromWeightDecay');
  const config: JsonObject = {
    name: kerasName(name),
    learning_rate: rateTo(options.learningRate),
  };
  for (const [key, option] of Object.entries(kind.options))
    config[key] = (options[option] as Json | undefined) ?? null;
  if (options.weightDecay) config.weight_decay = options.weightDecay as number;
  const clips = { clipnorm: 'clipNorm', global_clipnorm: 'globalClipNorm', clipvalue: 'clipValue' };
  for (const [key, option] of Object.entries(clips))
    if (options[option] !== undefined) config[key] = options[option] as number;
  return serialised('keras.optimizers', CLASSES[name], config);
}

const SCHEDULES: Readonly<Record<string, string>> = {
  exponentialDecay: 'ExponentialDecay',
  inverseTimeDecay: 'InverseTimeDecay',
  piecewiseConstantDecay: 'PiecewiseConstantDecay',
  polynomialDecay: 'PolynomialDecay',
  cosineDecay: 'CosineDecay',
};

function rateTo(rate: unknown): Json {
  if (typeof rate === 'number') return rate;
  const { name, ...options } = rate as { name: string };
  if (!Object.hasOwn(SCHEDULES, name)) throw notInKeras('learning rate schedule', name);
  const entries = Object.entries(options).map(([key, option]) => [toSnake(key), option as Json]);
  return serialised('keras.optimizers.schedules', SCHEDULES[name], Object.fromEntries(entries));
}

/** Returns the variables of the optimizer in Keras's order: see optimizer-in.ts. */
function stateTo(record: OptimizerRecord, parameters: readonly string[], model: Values): OptimizerArray[] {
  const { name, options, iterations, slots } = record;
  const kind = kindOf(name);
  const slotNames = kind.slots({ momentum: options.momentum, centered: options.centered });
  const array = (slot: string, parameter: string): OptimizerArray => {
    const { shape, size } = valuesOfParameter(model, parameter).parameter;
    const initial = name === 'adagrad' ? Number(options.initialAccumulatorValue ?? 0.1) : 0;
    const values = slots[slot]?.get(parameter) ?? new Float32Array(size).fill(initial);
    return {
      name: `${kerasName(name)}/${parameter.replaceAll('/', '_')}_${SLOT_NAMES[slot]}`,
      shape,
      values: kind.isNegated ? values.map((value: number) => -value) : values,
      dtype: 'float32',
    };
  };
  const alternates = slotNames.length === 2 && slotNames[0] === 'm';
  const moments = alternates
    ? parameters.flatMap((parameter) => slotNames.map((slot) => array(slot, parameter)))
    : slotNames.flatMap((slot) => parameters.map((parameter) => array(slot, parameter)));
  const scalar = (label: string, value: number, dtype: 'float32' | 'int32'): OptimizerArray => ({
    ...{ name: `${kerasName(name)}/${label}`, shape: [], values: [value], dtype },
  });
  const rate =
    typeof options.learningRate === 'number'
      ? [scalar('learning_rate', options.learningRate, 'float32')]
      : [];
  const product =
    name === 'nadam'
      ? [scalar('u_product', momentumProduct(Number(options.beta1 ?? 0.9), iterations), 'float32')]
      : [];
  return [scalar('iteration', iterations, 'int32'), ...rate, ...moments, ...product];
}

/** Returns the values of a parameter of the model. */
export function valuesOfParameter(
  values: Values,
  name: string,
): { parameter: Parameter; values: FloatArray } {
  const found = values.get(name);
  if (found) return found;
  throw valueError(`The model has no parameter ${name}.`, { name });
}

const SLOT_NAMES: Readonly<Record<string, string>> = {
  m: 'momentum',
  v: 'velocity',
  momentum: 'momentum',
  mean: 'average_gradient',
};

/** Returns the product of Nadam's momentums over all updates so far. */
function momentumProduct(beta1: number, updates: number): number {
  let product = 1;
  for (let t = 1; t <= updates && product > 0; t++) product *= beta1 * (1 - 0.5 * 0.96 ** t);
  return product;
}
