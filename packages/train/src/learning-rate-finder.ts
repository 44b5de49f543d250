/**
 * The learning-rate range test (Smith 2017, "Cyclical learning rates for training neural networks"): trains for a few
 * batches while the learning rate grows exponentially, to find where the loss falls and where it diverges.
 */
import { type FloatArray, type Model, type Parameter, ready, UnrollError, valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import { withFreshStates } from './carried.js';
import { type Optimizer, resolveOptimizer } from './optimizers.js';
import { DATA_OPTIONS, type RunOptions, type TrainingData, train } from './train.js';

export interface RangeTestOptions {
  /** The first learning rate. Default 1e-6. */
  from?: number;
  /** The last learning rate. Default 1. */
  to?: number;
  /** Number of learning rates, each used for one training step: a batch, or with `truncate` a chunk. Default 100. */
  steps?: number;
  /** Decay of the moving average that smooths the loss: the weight of the previous value. Default 0.9. */
  smoothing?: number;
  /** The test ends when the smoothed loss exceeds this multiple of its minimum. Default 4. */
  stopAt?: number;
}

/** The options of the test, and the data and options of `train`. The learning rate of the optimizer is ignored. */
export type FindLearningRateOptions = RangeTestOptions &
  TrainingData &
  Pick<
    RunOptions,
    | 'loss'
    | 'lossWeights'
    | 'classWeights'
    | 'optimizer'
    | 'batchSize'
    | 'truncate'
    | 'shuffle'
    | 'seed'
    | 'clip'
    | 'signal'
  >;

/** Types of the options, for checks. */
const FINDER_OPTIONS: OptionTypes<FindLearningRateOptions> = {
  loss: true,
  lossWeights: true,
  classWeights: true,
  optimizer: true,
  batchSize: 'count',
  truncate: true,
  shuffle: 'boolean',
  seed: 'integer',
  clip: true,
  signal: true,
  from: 'number',
  to: 'number',
  steps: 'count',
  smoothing: 'number',
  stopAt: 'number',
  ...DATA_OPTIONS,
};

/** One training step of the test. */
export interface RatePoint {
  /** Learning rate of the update in this step. */
  rate: number;
  /** Loss of the batch or chunk, before the update. */
  loss: number;
  /** An exponential moving average of the losses, with bias correction. */
  smoothed: number;
}

export interface LearningRateCurve {
  /** One point for each training step, in order. */
  points: RatePoint[];
  /** A tenth of the rate with the lowest smoothed loss; null if this is the first rate, or if there are no points. */
  suggestion: number | null;
  /** True if the loss exceeded the limit, or if the loss or a gradient was not finite. If false, the best rate may be above `to`. */
  diverged: boolean;
}

/**
 * Tests learning rates on a model, then restores its weights and states.
 * @throws UnrollError `value` for invalid options, and the errors of `train`
 */
export async function findLearningRate(
  model: Model,
  allOptions: FindLearningRateOptions,
): Promise<LearningRateCurve> {
  checkOptions('findLearningRate', allOptions, FINDER_OPTIONS);
  const { from = 1e-6, to = 1, steps = 100, smoothing = 0.9, stopAt = 4, ...options } = allOptions;
  if (!(from > 0 && from < to && to < Number.POSITIVE_INFINITY)) {
    throw valueError(
      `findLearningRate: from and to must be finite, with 0 < from < to, got from = ${from}, to = ${to}.`,
      {
        from,
        to,
      },
    );
  }
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw valueError(`findLearningRate: smoothing must be in [0, 1), got ${smoothing}.`, { smoothing });
  }
  await ready(); // before reading the data, which may be plain arrays
  const rate = (step: number): number => from * (to / from) ** (step / Math.max(steps - 1, 1));
  const optimizer = withRate(resolveOptimizer(options.optimizer), rate);
  const points: RatePoint[] = [];
  const saved = new Map<Parameter, FloatArray>();
  const save = async (parameters: readonly Parameter[]): Promise<void> => {
    for (const parameter of parameters) {
      if (!saved.has(parameter)) saved.set(parameter, await parameter.data());
    }
  };
  if (model.built) await save(model.parameters);
  /** Trains with growing rates; returns true if the loss exceeds the limit. */
  const sweep = async (): Promise<boolean> => {
    let average = 0;
    const beforeUpdate = (): Promise<void> => save(run.parameters);
    const run = train(model, { ...options, optimizer, epochs: steps, beforeUpdate });
    for await (const event of run) {
      if (event.type !== 'step') continue;
      average = smoothing * average + (1 - smoothing) * event.loss;
      const smoothed = average / (1 - smoothing ** (points.length + 1));
      points.push({ rate: rate(points.length), loss: event.loss, smoothed });
      if (smoothed > stopAt * lowestLoss(points).smoothed) return true;
      if (points.length === steps) return false;
    }
    return false;
  };
  try {
    const diverged = await withFreshStates(model, () => sweep().catch(handleNonFinite));
    return { points, suggestion: suggestedRate(points), diverged };
  } finally {
    for (const [parameter, values] of saved) parameter.assign(values);
  }
}

/** Returns true for a loss or gradient that is not finite, which ends the test; rethrows other errors. */
function handleNonFinite(error: unknown): true {
  if (error instanceof UnrollError && error.code === 'nan') return true;
  throw error;
}

/** Returns a copy of the optimizer with the learning rates that `rate` returns. */
function withRate(optimizer: Optimizer, rate: (updates: number) => number): Optimizer {
  const { name, config, slots, clip = null } = optimizer;
  return { name, config, slots, clip, learningRate: rate(0), rate, update: (call) => optimizer.update(call) };
}

/** Returns the point with the lowest smoothed loss. */
function lowestLoss(points: readonly RatePoint[]): RatePoint {
  return points.reduce((best, point) => (point.smoothed < best.smoothed ? point : best));
}

/** Returns {@link LearningRateCurve.suggestion}. */
function suggestedRate(points: readonly RatePoint[]): number | null {
  if (points.length === 0) return null;
  const best = lowestLoss(points);
  return best === points[0] ? null : best.rate / 10;
}
