/** Reads the optimizer of a Keras file: its options, and its state in the layouts of Keras 3 and of `.h5` files. */
import { type FloatArray, formatShape, type Shape } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { ImportReport, OptimizerRecord } from '../format.js';
import type { Hdf5Reader } from '../hdf5/read.js';
import { nameAndConfig } from './compile-in.js';
import { isObject } from './json.js';
import { toCamel } from './names.js';
import { longAttribute } from './weights-in.js';

/** An optimizer: its name in Unroll, its options (Unroll's names by Keras's names), and its slots in the order of Keras. */
interface OptimizerKind {
  name: string;
  options: Readonly<Record<string, string>>;
  slots(options: Readonly<Record<string, unknown>>): readonly string[];
  /** True if the slots have the opposite sign in Keras, which adds the momentum of SGD to the weights. */
  isNegated?: boolean;
}

const MOMENTS = { beta_1: 'beta1', beta_2: 'beta2', epsilon: 'epsilon' };

/** Optimizers by Keras's name, in snake_case. */
export const OPTIMIZERS: Readonly<Record<string, OptimizerKind>> = {
  adam: { name: 'adam', options: MOMENTS, slots: () => ['m', 'v'] },
  adam_w: { name: 'adamw', options: MOMENTS, slots: () => ['m', 'v'] },
  nadam: { name: 'nadam', options: MOMENTS, slots: () => ['m', 'v'] },
  sgd: {
    name: 'sgd',
    options: { momentum: 'momentum', nesterov: 'nesterov' },
    slots: ({ momentum }) => (momentum ? ['momentum'] : []),
    isNegated: true,
  },
  rmsprop: {
    name: 'rmsprop',
    options: { rho: 'rho', momentum: 'momentum', epsilon: 'epsilon', centered: 'centered' },
    slots: ({ momentum, centered }) => [
      'v',
      ...(momentum ? ['momentum'] : []),
      ...(centered ? ['mean'] : []),
    ],
  },
  adagrad: {
    name: 'adagrad',
    options: { initial_accumulator_value: 'initialAccumulatorValue', epsilon: 'epsilon' },
    slots: () => ['v'],
  },
};
const ALIASES: Readonly<Record<string, string>> = {
  adamw: 'adam_w',
  rms_prop: 'rmsprop',
  rm_sprop: 'rmsprop',
};

const CLIPS = { clipnorm: 'clipNorm', global_clipnorm: 'globalClipNorm', clipvalue: 'clipValue' };

/** Unroll's learning rate schedules, by Keras's class name in snake_case. */
const SCHEDULES: Readonly<Record<string, string>> = {
  exponential_decay: 'exponentialDecay',
  inverse_time_decay: 'inverseTimeDecay',
  piecewise_constant_decay: 'piecewiseConstantDecay',
  polynomial_decay: 'polynomialDecay',
  cosine_decay: 'cosineDecay',
};

/** A trainable parameter of the model. */
export interface TrainableParameter {
  name: string;
  shape: Shape;
}

export interface OptimizerFile {
  training: Json;
  h5: Hdf5Reader;
  /** In the order in which Keras lists them. */
  parameters: readonly TrainableParameter[];
  report: ImportReport;
  /** Why the optimizer's state in the file does not fit the imported parameters; null if it fits. */
  stateMismatch: string | null;
}

/** Returns the optimizer; null if the file has none or Unroll does not have it. The report lists what is lost. */
export function optimizerFrom(file: OptimizerFile): OptimizerRecord | null {
  const { training, report } = file;
  const serialised = isObject(training) ? (training.optimizer ?? training.optimizer_config ?? null) : null;
  const found = serialised === null ? null : nameAndConfig(serialised);
  if (!found) return null;
  const drop = (what: string, reason: string): null => {
    report.dropped.push({ name: what, reason });
    return null;
  };
  const key = ALIASES[found.name] ?? found.name;
  const problem = unsupportedOption(key, found.config);
  if (problem) return drop(`optimizer ${found.name}`, `${problem}; predictions do not depend on it`);
  const kind = OPTIMIZERS[key];
  const options = optionsFrom(kind, found.config);
  if (!options)
    return drop(
      `optimizer ${found.name}`,
      'its learning rate schedule does not exist in Unroll; predictions do not depend on it',
    );
  if (found.config.use_ema === true)
    drop(
      'moving average of the weights',
      'it starts anew when training continues; predictions use the weights in the file',
    );
  const record = { name: kind.name, options, iterations: 0, slots: {} };
  if (file.stateMismatch !== null) {
    drop('state of the optimizer', `${file.stateMismatch}; training continues with a new state`);
    return record;
  }
  const state = stateIn(file, kind, found.config);
  if (state === null) {
    report.defaulted.push({
      name: 'state of the optimizer',
      value: 'none',
      reason: 'the file does not contain it',
    });
    return record;
  }
  if (typeof state === 'string') {
    drop('state of the optimizer', `${state}; training continues with a new state`);
    return record;
  }
  if (state.rate !== null && typeof options.learningRate === 'number') options.learningRate = state.rate;
  return { ...record, iterations: state.iterations, slots: state.slots };
}

/** Returns why Unroll cannot import the optimizer, as a clause for a message; null if it can. */
function unsupportedOption(key: string, config: JsonObject): string | null {
  if (!Object.hasOwn(OPTIMIZERS, key)) return 'Unroll has no such optimizer';
  if (config.amsgrad === true) return 'Unroll has no AMSGrad';
  if (typeof config.gradient_accumulation_steps === 'number' && config.gradient_accumulation_steps > 1)
    return 'Unroll accumulates gradients in fit(), with the option accumulate';
  if (typeof config.decay === 'number' && config.decay > 0)
    return 'Unroll has no option decay; use a schedule';
  return null;
}

type Options = Record<string, unknown>;

function optionsFrom(kind: OptimizerKind, config: JsonObject): Options | null {
  const options: Record<string, unknown> = {};
  const rate = rateFrom(config.learning_rate ?? config.lr);
  if (rate === null) return null;
  options.learningRate = rate;
  for (const [key, option] of Object.entries({ ...kind.options, ...CLIPS, weight_decay: 'weightDecay' })) {
    const value = config[key];
    if (typeof value === 'number' || typeof value === 'boolean') options[option] = value;
  }
  if (kind.name === 'adamw') options.weightDecay ??= 0;
  // In the optimizers of tf.keras before 2.11, RMSprop without momentum adds epsilon to the square root, as PyTorch does.
  const isLegacy = 'decay' in config || config.is_legacy_optimizer === true;
  if (isLegacy && kind.name === 'rmsprop' && !config.momentum) options.convention = 'pytorch';
  return options as Options;
}

/** Returns a learning rate or a schedule, `{ name, ... }`; null for a schedule that Unroll does not have. */
function rateFrom(value: Json | undefined): unknown {
  if (typeof value === 'number') return value;
  const found = value === undefined || value === null ? null : nameAndConfig(value);
  if (!found || !Object.hasOwn(SCHEDULES, found.name)) return null;
  const entries = Object.entries(found.config).filter(([key, option]) => key !== 'name' && option !== null);
  return {
    name: SCHEDULES[found.name],
    ...Object.fromEntries(entries.map(([key, option]) => [toCamel(key), option])),
  };
}

interface OptimizerState {
  iterations: number;
  rate: number | null;
  slots: Record<string, Map<string, FloatArray>>;
}

/** Paths of the arrays that contain the state. Each slot has one array per parameter, in the order of the parameters. */
interface StateLayout {
  iterations: string;
  rate: string | null;
  slots: Record<string, string[]>;
}

/** Returns the state; null if the file has none; the reason as a string if the state cannot be used. */
function stateIn(
  file: OptimizerFile,
  kind: OptimizerKind,
  config: JsonObject,
): OptimizerState | string | null {
  const { h5, parameters } = file;
  const slots = kind.slots(config);
  const count = parameters.length;
  const layout =
    h5.kind('/optimizer/vars') === 'group'
      ? numberedLayout(h5, kind, slots, count, config.use_ema === true)
      : namedLayout(h5, slots);
  if (layout === null || typeof layout === 'string') return layout;
  const state: OptimizerState = {
    iterations: h5.read(layout.iterations).values[0] ?? 0,
    rate: layout.rate === null ? null : (h5.read(layout.rate).values[0] ?? null),
    slots: {},
  };
  for (const slot of slots) {
    const paths = layout.slots[slot] ?? [];
    if (paths.length !== count) return `it has ${paths.length} arrays of ${slot} for ${count} parameters`;
    state.slots[slot] = new Map();
    for (const [i, path] of paths.entries()) {
      const { shape, values } = h5.read(path);
      const { name, shape: expected } = parameters[i];
      if (formatShape(shape) !== formatShape(expected))
        return `${path} has shape ${formatShape(shape)}, but ${name} has ${formatShape(expected)}`;
      state.slots[slot].set(name, kind.isNegated ? values.map((value: number) => -value) : values);
    }
  }
  return state;
}

/**
 * Returns the layout of numbered arrays, `optimizer/vars/0`, ...: the number of updates, the learning rate (Keras 3 only, and
 * only if it is not a schedule), the moving averages of the weights (if there are any), the slots, and for Nadam the product
 * of the momentums. For each parameter, the two moments of Adam and its variants are adjacent; other arrays are grouped by
 * slot.
 */
function numberedLayout(
  h5: Hdf5Reader,
  kind: OptimizerKind,
  slots: readonly string[],
  count: number,
  hasAverage: boolean,
): StateLayout | string | null {
  const total = h5.keys('/optimizer/vars').length;
  if (total <= 2 && count > 0 && slots.length > 0) return null;
  const path = (i: number): string => `/optimizer/vars/${i}`;
  const otherCount = total - 1 - count * (slots.length + (hasAverage ? 1 : 0));
  // Keras 2 stores the momentum of SGD even if the option momentum is 0.
  const hasRate = otherCount > 0 && isScalarFloat(h5, path(1));
  const extraCount = otherCount - (hasRate ? 1 : 0);
  const allowed =
    kind.name === 'nadam' ? [0, 1] : kind.name === 'sgd' && slots.length === 0 ? [0, count] : [0];
  if (!allowed.includes(extraCount)) return `it has ${total} arrays for ${count} parameters`;
  const start = 1 + (hasRate ? 1 : 0) + (hasAverage ? count : 0);
  const alternates = slots.length === 2 && slots[0] === 'm';
  return {
    iterations: path(0),
    rate: hasRate ? path(1) : null,
    slots: Object.fromEntries(
      slots.map((slot, s) => [
        slot,
        Array.from({ length: count }, (_, i) => path(start + (alternates ? 2 * i + s : s * count + i))),
      ]),
    ),
  };
}

const isScalarFloat = (h5: Hdf5Reader, path: string): boolean => {
  const { shape, dtype } = h5.describe(path);
  return shape.length === 0 && dtype.startsWith('float');
};

/** Names of the slots in `.h5` files: `Adam/m/dense/kernel:0`, `Adam/dense/kernel/m:0` or `adam/dense_kernel_momentum`. */
const SLOT_NAMES: Readonly<Record<string, RegExp>> = {
  m: /(^|\/)m(\/|:|$)|_momentum$/,
  v: /(^|\/)(v|rms|velocity|accumulator|accum)(\/|:|$)|_(velocity|accumulator)$/,
  momentum: /(^|\/)(m|momentum)(\/|:|$)|_momentum$/,
  mean: /(^|\/)(mg|average_gradient)(\/|:|$)|_average_gradient$/,
};

function namedLayout(h5: Hdf5Reader, slots: readonly string[]): StateLayout | null {
  if (h5.kind('/optimizer_weights') !== 'group') return null;
  const names = longAttribute(h5, '/optimizer_weights', 'weight_names');
  const path = (name: string): string => `/optimizer_weights/${name}`;
  const iterations = names.find((name) => /(^|\/)iter(ation)?s?(:|$)/.test(name));
  if (iterations === undefined) return null;
  const rate = names.find((name) => /(^|\/)learning_rate(:|$)/.test(name));
  return {
    iterations: path(iterations),
    rate: rate === undefined ? null : path(rate),
    slots: Object.fromEntries(
      slots.map((slot) => [slot, names.filter((name) => SLOT_NAMES[slot].test(name)).map(path)]),
    ),
  };
}
