/**
 * Learning-rate schedules: the learning rate as a pure function of the number of previous updates. Artifacts and
 * checkpoints store a schedule by its name and options. Formulas and option names are those of Keras 3; stepDecay and
 * oneCycle follow PyTorch.
 */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue, type OptionTypes } from '@unroll/core/internal';
import { type ConfiguredObject, resolve } from './registry.js';
import { withDefaults } from './with-defaults.js';

export interface Schedule extends ConfiguredObject {
  /** Returns the learning rate after `step` updates. The first update has step 0. */
  rate(step: number): number;
}

/** A learning rate: a number, a schedule, or a schedule's name and options. */
export type LearningRate = number | Schedule | ScheduleConfig;

function makeSchedule(
  name: string,
  config: Record<string, unknown>,
  rate: (step: number) => number,
): Schedule {
  return { name, config, rate };
}

/** Throws unless every value is a finite number above `bound` (or, with `orEqual`, equal to it). */
function checkAbove(name: string, values: Record<string, number>, bound = 0, orEqual = false): void {
  for (const [option, value] of Object.entries(values)) {
    if (Number.isFinite(value) && (orEqual ? value >= bound : value > bound)) continue;
    throw valueError(
      `${name}: ${option} must be a finite number ${orEqual ? '>=' : 'above'} ${bound}, got ${formatValue(value)}.`,
      {
        [option]: value,
      },
    );
  }
}

export interface DecayOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** Number of steps over which `decayRate` is applied once. */
  decaySteps: number;
  /** The decay per `decaySteps` steps; see the formula of the schedule. */
  decayRate: number;
  /** Decay in jumps after every `decaySteps` steps instead of continuously. Default false. */
  staircase?: boolean;
}

/** Checks the options. Returns them with defaults, and `decaysAt`: the number of decays after `step` steps. */
function parseDecay(
  name: string,
  options: DecayOptions,
): { decaysAt: (step: number) => number; config: Required<DecayOptions> } {
  checkOptions(name, options, {
    initialLearningRate: true,
    decaySteps: true,
    decayRate: true,
    staircase: 'boolean',
  });
  const config = withDefaults({ staircase: false }, options);
  const { initialLearningRate, decaySteps, decayRate, staircase } = config;
  checkAbove(name, { initialLearningRate, decaySteps, decayRate });
  return { config, decaysAt: (step) => (staircase ? Math.floor(step / decaySteps) : step / decaySteps) };
}

/** Returns a schedule with the rate initialLearningRate · decayRate^(step / decaySteps). */
export function exponentialDecay(options: DecayOptions): Schedule {
  const { config, decaysAt } = parseDecay('exponentialDecay', options);
  return makeSchedule(
    'exponentialDecay',
    { ...config },
    (step) => config.initialLearningRate * config.decayRate ** decaysAt(step),
  );
}

/** Returns a schedule with the rate initialLearningRate / (1 + decayRate · step / decaySteps). */
export function inverseTimeDecay(options: DecayOptions): Schedule {
  const { config, decaysAt } = parseDecay('inverseTimeDecay', options);
  return makeSchedule(
    'inverseTimeDecay',
    { ...config },
    (step) => config.initialLearningRate / (1 + config.decayRate * decaysAt(step)),
  );
}

export interface StepDecayOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** Steps between two decays. */
  stepSize: number;
  /** Factor by which each decay multiplies the rate. Default 0.1. */
  gamma?: number;
}

/** Returns a schedule with the rate initialLearningRate · gamma^⌊step / stepSize⌋ (PyTorch's StepLR). */
export function stepDecay(options: StepDecayOptions): Schedule {
  checkOptions('stepDecay', options, { initialLearningRate: true, stepSize: true, gamma: true });
  const { initialLearningRate, stepSize, gamma = 0.1 } = options;
  checkAbove('stepDecay', { initialLearningRate, stepSize, gamma });
  const config = { initialLearningRate, stepSize, gamma };
  return makeSchedule(
    'stepDecay',
    config,
    (step) => initialLearningRate * gamma ** Math.floor(step / stepSize),
  );
}

export interface PiecewiseOptions {
  /** The last step of each piece except the final one, in increasing order. */
  boundaries: readonly number[];
  /** The rate of each piece: one more entry than `boundaries`. */
  values: readonly number[];
}

/** Returns a schedule with one constant rate up to each boundary and one after the last boundary. */
export function piecewiseConstantDecay(options: PiecewiseOptions): Schedule {
  const name = 'piecewiseConstantDecay';
  checkOptions(name, options, { boundaries: 'array', values: 'array' });
  const { boundaries, values } = options;
  if (values.length !== boundaries.length + 1) {
    throw valueError(
      `${name}: values must have ${boundaries.length + 1} entries for ${boundaries.length} boundaries, got ` +
        `${values.length}.`,
      { boundaries, values },
    );
  }
  if (boundaries.some((boundary, i) => i > 0 && !(boundary > boundaries[i - 1]))) {
    throw valueError(`${name}: boundaries must increase, got ${boundaries.join(', ')}.`, { boundaries });
  }
  checkAbove(name, Object.fromEntries(values.map((value, i) => [`values[${i}]`, value])), 0, true);
  return makeSchedule(name, { boundaries: [...boundaries], values: [...values] }, (step) => {
    const piece = boundaries.findIndex((boundary) => step <= boundary);
    return values[piece < 0 ? boundaries.length : piece];
  });
}

export interface PolynomialOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** Step at which the rate reaches endLearningRate. */
  decaySteps: number;
  /** Default 0.0001. */
  endLearningRate?: number;
  /** The exponent. Default 1: linear decay. */
  power?: number;
  /**
   * After decaySteps, continue with the formula for decaySteps · 2, then for decaySteps · 3, and so on: the rate rises
   * and decays again. Default false: the rate stays at endLearningRate.
   */
  cycle?: boolean;
}

/**
 * Returns a schedule with the rate
 * (initialLearningRate - endLearningRate) · (1 - step / decaySteps)^power + endLearningRate.
 */
export function polynomialDecay(options: PolynomialOptions): Schedule {
  const name = 'polynomialDecay';
  checkOptions(name, options, {
    initialLearningRate: true,
    decaySteps: true,
    endLearningRate: true,
    power: true,
    cycle: 'boolean',
  });
  const config = withDefaults({ endLearningRate: 0.0001, power: 1, cycle: false }, options);
  const { initialLearningRate, decaySteps, endLearningRate, power, cycle } = config;
  checkAbove(name, { initialLearningRate, decaySteps, power });
  checkAbove(name, { endLearningRate }, 0, true);
  return makeSchedule(name, config, (step) => {
    const length = cycle ? decaySteps * Math.max(1, Math.ceil(step / decaySteps)) : decaySteps;
    const remaining = 1 - Math.min(step, length) / length;
    return (initialLearningRate - endLearningRate) * remaining ** power + endLearningRate;
  });
}

export interface CosineOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** Steps of the decay, without the warm-up. */
  decaySteps: number;
  /** The final rate, as a fraction of the peak rate. Default 0. */
  alpha?: number;
  /** The peak rate, reached at the end of the warm-up. Default: no warm-up; the peak is initialLearningRate. */
  warmupTarget?: number | null;
  /** Steps of the linear warm-up from initialLearningRate to warmupTarget. Default 0. */
  warmupSteps?: number;
}

/** Returns the value of half a cosine wave that falls from 1 at p = 0 to alpha at p = 1. */
const cosine = (p: number, alpha: number): number => ((1 - alpha) * (1 + Math.cos(Math.PI * p))) / 2 + alpha;

/**
 * Returns a schedule that falls along half a cosine wave from the peak rate to alpha times the peak rate
 * (Loshchilov & Hutter 2017), after an optional linear warm-up.
 */
export function cosineDecay(options: CosineOptions): Schedule {
  const name = 'cosineDecay';
  checkOptions(name, options, {
    initialLearningRate: true,
    decaySteps: true,
    alpha: true,
    warmupTarget: true,
    warmupSteps: true,
  });
  const config = withDefaults({ alpha: 0, warmupTarget: null, warmupSteps: 0 }, options);
  const { initialLearningRate, decaySteps, alpha, warmupTarget, warmupSteps } = config;
  checkAbove(name, { decaySteps });
  checkAbove(name, { initialLearningRate, alpha, warmupSteps, warmupTarget: warmupTarget ?? 0 }, 0, true);
  const peak = warmupTarget ?? initialLearningRate;
  const warmup = warmupTarget === null ? 0 : warmupSteps;
  return makeSchedule(name, config, (step) => {
    if (step < warmup) return initialLearningRate + ((peak - initialLearningRate) * step) / warmup;
    return peak * cosine(Math.min(step - warmup, decaySteps) / decaySteps, alpha);
  });
}

export interface RestartOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** Steps before the first restart. */
  firstDecaySteps: number;
  /** The length of each period relative to the previous one. Default 2. */
  tMul?: number;
  /** The initial rate of each period relative to the previous one. Default 1. */
  mMul?: number;
  /** The minimum rate, as a fraction of initialLearningRate. Default 0. */
  alpha?: number;
}

/** Returns a schedule of cosine decays with warm restarts (SGDR, Loshchilov & Hutter 2017). */
export function cosineDecayRestarts(options: RestartOptions): Schedule {
  const name = 'cosineDecayRestarts';
  checkOptions(name, options, {
    initialLearningRate: true,
    firstDecaySteps: true,
    tMul: true,
    mMul: true,
    alpha: true,
  });
  const config = withDefaults({ tMul: 2, mMul: 1, alpha: 0 }, options);
  const { initialLearningRate, firstDecaySteps, tMul, mMul, alpha } = config;
  checkAbove(name, { initialLearningRate, firstDecaySteps, mMul });
  checkAbove(name, { alpha }, 0, true);
  checkAbove(name, { tMul }, 1, true);
  return makeSchedule(name, config, (step) => {
    let stepInPeriod = step;
    let length = firstDecaySteps;
    let amplitude = 1;
    if (tMul === 1) {
      const restarts = Math.floor(step / length);
      stepInPeriod -= restarts * length;
      amplitude = mMul ** restarts;
    } else {
      for (; stepInPeriod >= length; length *= tMul, amplitude *= mMul) stepInPeriod -= length;
    }
    return initialLearningRate * ((1 - alpha) * amplitude * cosine(stepInPeriod / length, 0) + alpha);
  });
}

export interface OneCycleOptions {
  /** The highest rate. */
  maxLearningRate: number;
  /** Steps of the whole cycle; afterwards the rate is constant. */
  totalSteps: number;
  /** Fraction of the steps in which the rate rises. Default 0.3. */
  pctStart?: number;
  /** The first rate is maxLearningRate / divFactor. Default 25. */
  divFactor?: number;
  /** The last rate is the first rate / finalDivFactor. Default 10000. */
  finalDivFactor?: number;
  /** The shape of each phase: half a cosine wave or a line. Default `cos`. */
  annealStrategy?: 'cos' | 'linear';
  /**
   * Use three phases: after the rise, the rate falls back to the first rate in the same number of steps, and then to
   * the last rate. Default false: after the rise, the rate falls directly to the last rate.
   */
  threePhase?: boolean;
}

const ONE_CYCLE: OptionTypes<OneCycleOptions> = {
  maxLearningRate: true,
  totalSteps: true,
  pctStart: true,
  divFactor: true,
  finalDivFactor: true,
  annealStrategy: true,
  threePhase: 'boolean',
};

/**
 * Returns a schedule with the one-cycle policy: the rate rises to the highest rate and then falls to almost 0
 * (Smith & Topin 2019; PyTorch's OneCycleLR).
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const name = 'oneCycle';
  checkOptions(name, options, ONE_CYCLE);
  const defaults = {
    pctStart: 0.3,
    divFactor: 25,
    finalDivFactor: 1e4,
    annealStrategy: 'cos',
    threePhase: false,
  };
  const config = withDefaults({ ...defaults }, options);
  const { maxLearningRate, totalSteps, pctStart, divFactor, finalDivFactor, annealStrategy, threePhase } =
    config;
  checkAbove(name, { maxLearningRate, totalSteps, pctStart, divFactor, finalDivFactor });
  if (pctStart > 1)
    throw valueError(`${name}: pctStart must be between 0 and 1, got ${pctStart}.`, { pctStart });
  if (annealStrategy !== 'cos' && annealStrategy !== 'linear') {
    throw valueError(
      `${name}: annealStrategy must be 'cos' or 'linear', got ${formatValue(annealStrategy)}.`,
      {
        annealStrategy,
      },
    );
  }
  const first = maxLearningRate / divFactor;
  const last = first / finalDivFactor;
  const rise = pctStart * totalSteps - 1;
  const phases: readonly { end: number; from: number; to: number }[] = [
    { end: rise, from: first, to: maxLearningRate },
    ...(threePhase ? [{ end: 2 * rise, from: maxLearningRate, to: first }] : []),
    { end: totalSteps - 1, from: threePhase ? first : maxLearningRate, to: last },
  ];
  return makeSchedule(name, config, (step) => {
    const n = phases.findIndex(({ end }) => step <= end);
    if (n < 0) return last;
    const { end, from, to } = phases[n];
    const start = n === 0 ? 0 : phases[n - 1].end;
    const p = end > start ? (step - start) / (end - start) : 1;
    return annealStrategy === 'cos' ? to + (from - to) * cosine(p, 0) : from + (to - from) * p;
  });
}

const schedules = {
  exponentialDecay,
  inverseTimeDecay,
  stepDecay,
  piecewiseConstantDecay,
  polynomialDecay,
  cosineDecay,
  cosineDecayRestarts,
  oneCycle,
};

export type ScheduleName = keyof typeof schedules;
/** A schedule by name and options, as stored in artifacts. */
export type ScheduleConfig = { name: ScheduleName; readonly [option: string]: unknown };

/** Converts a name with options to a schedule. @throws UnrollError `value` for an unknown name or option */
export function resolveSchedule(spec: Schedule | ScheduleConfig): Schedule {
  return resolve<Schedule>('schedule', schedules, spec);
}

/**
 * Checks a learning rate. Returns the number, or the schedule, created from its name and options if necessary.
 * @param optimizer the name of the optimizer in error messages
 */
export function resolveRate(optimizer: string, learningRate: LearningRate): number | Schedule {
  if (typeof learningRate === 'object' && learningRate !== null) return resolveSchedule(learningRate);
  checkAbove(optimizer, { learningRate });
  return learningRate;
}

/** Returns the learning rate after `step` updates. */
export function rateAt(learningRate: number | Schedule, step: number): number {
  return typeof learningRate === 'number' ? learningRate : learningRate.rate(step);
}
