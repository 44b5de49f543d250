/**
 * Learning-rate schedules: the rate of each update as a pure function of the number of earlier updates. They are
 * plain values, stored in artifacts and checkpoints by name and options. Formulas and option names are those of Keras
 * 3; the step schedule and the one-cycle policy are PyTorch's.
 */
import { valueError } from '@unroll/core';
import { checkOptions, type OptionTypes, formatValue } from '@unroll/core/internal';
import { type Configured, resolve } from './registry.js';
import { withDefaults } from './with-defaults.js';

export interface Schedule extends Configured {
  /** The learning rate after `step` updates; the first update has step 0. */
  rate(step: number): number;
}

/** A learning rate: a number, a schedule, or a schedule's name and options. */
export type LearningRate = number | Schedule | ScheduleConfig;

function make(name: string, config: Record<string, unknown>, rate: (step: number) => number): Schedule {
  return { name, config, rate };
}

/** Throws unless every value is a finite number above `least` (or equal to it, with `orEqual`). */
function check(name: string, values: Record<string, number>, least = 0, orEqual = false): void {
  for (const [option, value] of Object.entries(values)) {
    if (Number.isFinite(value) && (orEqual ? value >= least : value > least)) continue;
    throw valueError(
      `${name}: ${option} must be a number ${orEqual ? '>=' : 'above'} ${least}, got ${formatValue(value)}.`,
      {
        [option]: value,
      },
    );
  }
}

export interface DecayOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** Steps of one decay. */
  decaySteps: number;
  /** Factor of one decay. */
  decayRate: number;
  /** Decay in jumps after every `decaySteps` steps instead of continuously. Default false. */
  staircase?: boolean;
}

function decays(
  name: string,
  options: DecayOptions,
): { p: (step: number) => number; config: Required<DecayOptions> } {
  checkOptions(name, options, {
    initialLearningRate: true,
    decaySteps: true,
    decayRate: true,
    staircase: 'boolean',
  });
  const config = withDefaults({ staircase: false }, options);
  const { initialLearningRate, decaySteps, decayRate, staircase } = config;
  check(name, { initialLearningRate, decaySteps, decayRate });
  return { config, p: (step) => (staircase ? Math.floor(step / decaySteps) : step / decaySteps) };
}

/** initialLearningRate · decayRate^(step / decaySteps). */
export function exponentialDecay(options: DecayOptions): Schedule {
  const { config, p } = decays('exponentialDecay', options);
  return make(
    'exponentialDecay',
    { ...config },
    (step) => config.initialLearningRate * config.decayRate ** p(step),
  );
}

/** initialLearningRate / (1 + decayRate · step / decaySteps). */
export function inverseTimeDecay(options: DecayOptions): Schedule {
  const { config, p } = decays('inverseTimeDecay', options);
  return make(
    'inverseTimeDecay',
    { ...config },
    (step) => config.initialLearningRate / (1 + config.decayRate * p(step)),
  );
}

export interface StepDecayOptions {
  initialLearningRate: number;
  /** Steps between two decays. */
  stepSize: number;
  /** Factor of one decay. Default 0.1. */
  gamma?: number;
}

/** initialLearningRate · gamma^⌊step / stepSize⌋ (PyTorch's StepLR). */
export function stepDecay(options: StepDecayOptions): Schedule {
  checkOptions('stepDecay', options, { initialLearningRate: true, stepSize: true, gamma: true });
  const { initialLearningRate, stepSize, gamma = 0.1 } = options;
  check('stepDecay', { initialLearningRate, stepSize, gamma });
  const config = { initialLearningRate, stepSize, gamma };
  return make('stepDecay', config, (step) => initialLearningRate * gamma ** Math.floor(step / stepSize));
}

export interface PiecewiseOptions {
  /** Increasing steps; a boundary belongs to the piece before it. */
  boundaries: readonly number[];
  /** The rate of each piece: one more than there are boundaries. */
  values: readonly number[];
}

/** A constant rate up to each boundary, and after the last one. */
export function piecewiseConstantDecay(options: PiecewiseOptions): Schedule {
  const name = 'piecewiseConstantDecay';
  checkOptions(name, options, { boundaries: 'array', values: 'array' });
  const { boundaries, values } = options;
  if (values.length !== boundaries.length + 1) {
    throw valueError(
      `${name}: ${boundaries.length} boundaries divide the steps into ${boundaries.length + 1} pieces, got ` +
        `${values.length} values.`,
      { boundaries, values },
    );
  }
  if (boundaries.some((boundary, i) => i > 0 && !(boundary > boundaries[i - 1]))) {
    throw valueError(`${name}: boundaries must increase, got ${boundaries.join(', ')}.`, { boundaries });
  }
  check(name, Object.fromEntries(values.map((value, i) => [`values[${i}]`, value])), 0, true);
  return make(name, { boundaries: [...boundaries], values: [...values] }, (step) => {
    const piece = boundaries.findIndex((boundary) => step <= boundary);
    return values[piece < 0 ? boundaries.length : piece];
  });
}

export interface PolynomialOptions {
  initialLearningRate: number;
  decaySteps: number;
  /** Default 0.0001. */
  endLearningRate?: number;
  /** Default 1: a straight line. */
  power?: number;
  /** Start again with a decay two, three, ... times as long instead of staying at the end. Default false. */
  cycle?: boolean;
}

/** (initialLearningRate - endLearningRate) (1 - step / decaySteps)^power + endLearningRate. */
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
  check(name, { initialLearningRate, decaySteps, power });
  check(name, { endLearningRate }, 0, true);
  return make(name, config, (step) => {
    const length = cycle ? decaySteps * Math.max(1, Math.ceil(step / decaySteps)) : decaySteps;
    const left = 1 - Math.min(step, length) / length;
    return (initialLearningRate - endLearningRate) * left ** power + endLearningRate;
  });
}

export interface CosineOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** Steps from the top to the end, without the warm-up. */
  decaySteps: number;
  /** The rate at the end, as a fraction of the rate at the top. Default 0. */
  alpha?: number;
  /** The rate at the end of the warm-up. Default none: no warm-up. */
  warmupTarget?: number | null;
  /** Steps of the linear warm-up from initialLearningRate to warmupTarget. Default 0. */
  warmupSteps?: number;
}

/** Half a cosine wave from 1 (at 0) to alpha (at 1). */
const cosine = (p: number, alpha: number): number => ((1 - alpha) * (1 + Math.cos(Math.PI * p))) / 2 + alpha;

/**
 * Half a cosine wave from the top to alpha times the top (Loshchilov & Hutter 2017), after an optional warm-up.
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
  check(name, { decaySteps });
  check(name, { initialLearningRate, alpha, warmupSteps, warmupTarget: warmupTarget ?? 0 }, 0, true);
  const top = warmupTarget ?? initialLearningRate;
  const warm = warmupTarget === null ? 0 : warmupSteps;
  return make(name, config, (step) => {
    if (step < warm) return initialLearningRate + ((top - initialLearningRate) * step) / warm;
    return top * cosine(Math.min(step - warm, decaySteps) / decaySteps, alpha);
  });
}

export interface RestartOptions {
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

/** Cosine decay with warm restarts (SGDR, Loshchilov & Hutter 2017). */
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
  check(name, { initialLearningRate, firstDecaySteps, mMul });
  check(name, { alpha }, 0, true);
  check(name, { tMul }, 1, true);
  return make(name, config, (step) => {
    let since = step;
    let length = firstDecaySteps;
    let height = 1;
    if (tMul === 1) {
      const restarts = Math.floor(step / length);
      since -= restarts * length;
      height = mMul ** restarts;
    } else {
      for (; since >= length; length *= tMul, height *= mMul) since -= length;
    }
    return initialLearningRate * ((1 - alpha) * height * cosine(since / length, 0) + alpha);
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
  /** The last rate is the first one / finalDivFactor. Default 10000. */
  finalDivFactor?: number;
  /** Default `cos`. */
  annealStrategy?: 'cos' | 'linear';
  /**
   * Three phases: fall to the first rate as fast as the rate rose, then to the last one. Default false: two phases.
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

/** The one-cycle policy: up to the highest rate, then down to almost 0 (Smith & Topin 2019; PyTorch's OneCycleLR). */
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
  check(name, { maxLearningRate, totalSteps, pctStart, divFactor, finalDivFactor });
  if (pctStart > 1)
    throw valueError(`${name}: pctStart must be between 0 and 1, got ${pctStart}.`, { pctStart });
  if (annealStrategy !== 'cos' && annealStrategy !== 'linear') {
    throw valueError(`${name}: annealStrategy must be 'cos' or 'linear', got ${formatValue(annealStrategy)}.`, {
      annealStrategy,
    });
  }
  const first = maxLearningRate / divFactor;
  const last = first / finalDivFactor;
  const rise = pctStart * totalSteps - 1;
  const phases: readonly { end: number; from: number; to: number }[] = [
    { end: rise, from: first, to: maxLearningRate },
    ...(threePhase ? [{ end: 2 * rise, from: maxLearningRate, to: first }] : []),
    { end: totalSteps - 1, from: threePhase ? first : maxLearningRate, to: last },
  ];
  return make(name, config, (step) => {
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

/** Resolves a schedule by name and options. @throws UnrollError `value` for an unknown name or option */
export function resolveSchedule(spec: Schedule | ScheduleConfig): Schedule {
  return resolve<Schedule>('schedule', schedules, spec);
}

/** Checks a learning rate, and resolves schedules by name. */
export function resolveRate(optimizer: string, learningRate: LearningRate): number | Schedule {
  if (typeof learningRate === 'object' && learningRate !== null) return resolveSchedule(learningRate);
  check(optimizer, { learningRate });
  return learningRate;
}

/** The rate after that many updates. */
export function rateAt(learningRate: number | Schedule, step: number): number {
  return typeof learningRate === 'number' ? learningRate : learningRate.rate(step);
}
