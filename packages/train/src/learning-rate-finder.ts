/**
 * The learning-rate range test (Smith 2017, "Cyclical learning rates for training neural networks"): trains for a few
 * batches while the learning rate grows from tiny to huge, and shows where the loss falls and where it explodes.
 */
import { type FloatArray, type Model, type Parameter, ready, UnrollError, valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import { withFreshStates } from './carried.js';
import { type Optimizer, resolveOptimizer } from './optimizers.js';
import { DATA, type RunOptions, type TrainingData, train } from './train.js';

export interface RangeTestOptions {
  /** The first learning rate. Default 1e-6. */
  from?: number;
  /** The last learning rate. Default 1. */
  to?: number;
  /** Number of batches, one per rate. Default 100. */
  steps?: number;
  /** Weight of the previous value in the smoothed loss. Default 0.9. */
  smoothing?: number;
  /** The test ends when the smoothed loss exceeds this multiple of its minimum. Default 4. */
  stopAt?: number;
}

/** Options and data as for `train`; the optimizer's learning rate is ignored. */
export type FindLearningRateOptions = RangeTestOptions &
  TrainingData &
  Pick<
    RunOptions,
    | 'loss'
    | 'lossWeights'
    | 'classWeights'
    | 'optimizer'
    | 'batchSize'
    | 'shuffle'
    | 'seed'
    | 'clip'
    | 'signal'
  >;

const FIND: OptionTypes<FindLearningRateOptions> = {
  loss: true,
  lossWeights: true,
  classWeights: true,
  optimizer: true,
  batchSize: 'count',
  shuffle: 'boolean',
  seed: 'integer',
  clip: true,
  signal: true,
  from: 'number',
  to: 'number',
  steps: 'count',
  smoothing: 'number',
  stopAt: 'number',
  ...DATA,
};

/** One batch of the test. */
export interface RatePoint {
  rate: number;
  loss: number;
  /** An exponential moving average of the losses, with bias correction. */
  smoothed: number;
}

export interface LearningRateCurve {
  points: RatePoint[];
  /** A tenth of the rate with the lowest smoothed loss; null if the loss never fell. */
  suggestion: number | null;
  /** True if the loss exploded. If false, the best rate may be above `to`. */
  diverged: boolean;
}

/**
 * Tests learning rates on a model, then restores its weights.
 * @throws UnrollError `value` for invalid options, and the errors of `train`
 */
export async function findLearningRate(
  model: Model,
  given: FindLearningRateOptions,
): Promise<LearningRateCurve> {
  checkOptions('findLearningRate', given, FIND);
  const { from = 1e-6, to = 1, steps = 100, smoothing = 0.9, stopAt = 4, ...options } = given;
  if (!(from > 0 && from < to && to < Number.POSITIVE_INFINITY)) {
    throw valueError(
      `findLearningRate: from and to must be increasing numbers above 0, got ${from} and ${to}.`,
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
    for (const one of parameters) if (!saved.has(one)) saved.set(one, await one.data());
  };
  if (model.built) await save(model.parameters);
  const sweep = async (): Promise<boolean> => {
    let mean = 0;
    const beforeUpdate = (): Promise<void> => save(run.parameters);
    const run = train(model, { ...options, optimizer, epochs: steps, beforeUpdate });
    for await (const event of run) {
      if (event.type !== 'step') continue;
      mean = smoothing * mean + (1 - smoothing) * event.loss;
      const smoothed = mean / (1 - smoothing ** (points.length + 1));
      points.push({ rate: rate(points.length), loss: event.loss, smoothed });
      if (smoothed > stopAt * least(points).smoothed) return true;
      if (points.length === steps) return false;
    }
    return false;
  };
  try {
    const diverged = await withFreshStates(model, () => sweep().catch(explosion));
    return { points, suggestion: suggested(points), diverged };
  } finally {
    for (const [parameter, values] of saved) parameter.assign(values);
  }
}

/** A loss that is not finite ends the test; other errors are rethrown. */
function explosion(error: unknown): true {
  if (error instanceof UnrollError && error.code === 'nan') return true;
  throw error;
}

function withRate(optimizer: Optimizer, rate: (updates: number) => number): Optimizer {
  const { name, config, slots, clip = null } = optimizer;
  return { name, config, slots, clip, learningRate: rate(0), rate, update: (call) => optimizer.update(call) };
}

function least(points: readonly RatePoint[]): RatePoint {
  return points.reduce((best, point) => (point.smoothed < best.smoothed ? point : best));
}

function suggested(points: readonly RatePoint[]): number | null {
  if (points.length === 0) return null;
  const best = least(points);
  return best === points[0] ? null : best.rate / 10;
}
