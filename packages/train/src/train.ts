/**
 * Training as a stream of events: `train` returns an async generator. It yields to the event loop after every batch,
 * so that a page stays responsive and an AbortSignal takes effect. loop.ts contains the loop itself.
 */
import { type Model, RandomStream, valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import {
  type Batches,
  type BatchSource,
  type Examples,
  iterableSource,
  type ExampleRange,
  rangeSource,
  splitRange,
  toRange,
} from './batches.js';
import type { JsonValue, RunControl } from './callbacks/callback.js';
import { type Clip, resolveClip } from './clip.js';
import { sourceOf } from './evaluate.js';
import type { TrainEvent } from './events.js';
import { Loop } from './loop.js';
import type { ObjectiveOptions } from './objective.js';
import { type AverageOptions, checkAverage } from './optimizers/average.js';
import { type OptimizerSpec, resolveOptimizer } from './optimizers.js';
import type { MetricOptions } from './scores.js';
import type { RunSnapshot } from './snapshot.js';
import { type GradientHook, OptimizerMemory } from './step.js';

/** The training data: all examples, or batches of them. */
export type TrainingData =
  | (Examples & { batches?: undefined })
  | {
      /**
       * Batches of Examples; a function is called at the start of each epoch. `batchSize` does not apply.
       */
      batches: Batches;
      x?: undefined;
      y?: undefined;
      sampleWeights?: undefined;
      mask?: undefined;
    };

export interface RunOptions extends ObjectiveOptions, MetricOptions {
  /** A name (with default options), a name with options, or an optimizer. */
  optimizer: OptimizerSpec;
  /** Number of epochs. Default 1. */
  epochs?: number;
  /** Examples per step. Default 32. */
  batchSize?: number;
  /** Batches per epoch of an iterable. Default: until it ends. */
  stepsPerEpoch?: number;
  /** Shuffle the examples in every epoch. Iterables keep their order. Default true. */
  shuffle?: boolean;
  /** Seed of shuffling and dropout. Default 0. */
  seed?: number;
  /** Default none. */
  clip?: Clip;
  /**
   * Number of batches whose gradients are accumulated for one update: n batches have the same effect as one batch n
   * times as large. The remaining batches at the end of an epoch make an update of their own. Default 1.
   */
  accumulate?: number;
  /** Data on which loss and metrics are measured after every epoch. */
  validationData?: Examples | Batches;
  /** Share of the examples used for validation: the last ones, before any shuffling. */
  validationSplit?: number;
  /** Ends the run after the current batch; the end event's reason is then `aborted`. */
  signal?: AbortSignal;
  /** Called with the gradients of each update before clipping; may change them. */
  beforeUpdate?: GradientHook;
  /**
   * Keep a moving average of the weights. Validation uses the average, and it replaces the weights when the run
   * ends (not when it is aborted). Default: none.
   */
  average?: AverageOptions;
  /** State of the optimizer, from earlier runs and for later ones. Default: a new one. */
  memory?: OptimizerMemory;
  /** The state to resume from. See {@link Run.snapshot}. */
  resume?: RunSnapshot;
  /** Expected length of each sequence: a shorter one raises a warning. Default: no check. */
  window?: number;
  /** Stored unchanged in checkpoints: scalers, vocabularies and other data that belong to the model. */
  extra?: JsonValue;
}

/** The options of a run, for checks. */
export const RUN: OptionTypes<RunOptions> = {
  loss: true,
  lossWeights: 'arrayOrObject',
  classWeights: true,
  metrics: 'arrayOrObject',
  weightedMetrics: 'arrayOrObject',
  optimizer: true,
  epochs: 'count',
  batchSize: 'count',
  stepsPerEpoch: 'count',
  shuffle: 'boolean',
  seed: 'integer',
  clip: true,
  accumulate: 'count',
  validationData: true,
  validationSplit: 'number',
  signal: true,
  beforeUpdate: 'function',
  average: true,
  memory: true,
  resume: true,
  window: 'count',
  extra: true,
};
/** The options of training data, for checks. */
export const DATA: OptionTypes<TrainingData> = {
  batches: true,
  x: true,
  y: true,
  sampleWeights: true,
  mask: true,
};

export type TrainOptions = RunOptions & TrainingData;

/** A run: its events, and the controls for use between two events. */
export interface Run extends RunControl, AsyncGenerator<TrainEvent, void, void> {
  /**
   * The complete state of the run after the last event: weights, optimizer, accumulated gradients, carried states,
   * position. A run that resumes from it gives bitwise the same results as an uninterrupted run. Null before the
   * model is built.
   */
  snapshot(): Promise<RunSnapshot | null>;
  /** Names of the metrics of each epoch, which callbacks can monitor. */
  readonly metricNames: readonly string[];
}

/**
 * Trains `model` and yields an event for every step and epoch.
 * @throws UnrollError `value`, `shape` or `data` for invalid options or data; `nan` for values that are not finite
 */
export function train(model: Model, options: TrainOptions): Run {
  checkOptions('train', options, { ...RUN, ...DATA });
  const { epochs = 1, batchSize = 32, seed = 0, shuffle = true, accumulate = 1 } = options;
  if (options.average) checkAverage(options.average);
  const random = new RandomStream(seed, 'train');
  const shuffling = shuffle ? (epoch: number) => random.child('shuffle', epoch) : null;
  const optimizer = resolveOptimizer(options.optimizer);
  const { training, validation, rows } = sources(options, batchSize, shuffling);
  const loop = new Loop(model, {
    training,
    validation,
    rows,
    objective: options,
    optimizer,
    clip: resolveClip(optimizer, options.clip),
    random,
    epochs,
    seed,
    shuffle: shuffle && rows !== null,
    batchSize,
    accumulate,
    signal: options.signal ?? null,
    beforeUpdate: options.beforeUpdate ?? null,
    memory: options.memory ?? new OptimizerMemory(),
    average: options.average ?? null,
    resume: options.resume ?? null,
    window: options.window ?? null,
    extra: options.extra ?? null,
  });
  return asRun(loop);
}

type Shuffling = Parameters<typeof rangeSource>[2];

function sources(
  options: TrainOptions,
  batchSize: number,
  shuffling: Shuffling,
): { training: BatchSource; validation: BatchSource | null; rows: ExampleRange | null } {
  const { validationData, validationSplit } = options;
  if (validationData && validationSplit) {
    throw valueError('Set either validationData or validationSplit, not both.');
  }
  const given = validationData ? sourceOf(validationData, batchSize) : null;
  if (options.batches) {
    if (validationSplit) {
      throw valueError(
        'validationSplit is for arrays and tensors; for batches of an iterable use validationData.',
      );
    }
    const training = iterableSource(options.batches, options.stepsPerEpoch ?? null);
    return { training, validation: given, rows: null };
  }
  const all = toRange(options);
  const split = validationSplit ? splitRange(all, validationSplit) : null;
  const rows = split?.training ?? all;
  const training = rangeSource(rows, batchSize, shuffling);
  return { training, validation: split ? rangeSource(split.validation, batchSize) : given, rows };
}

function asRun(loop: Loop): Run {
  const controls: RunControl & Pick<Run, 'snapshot' | 'metricNames'> = {
    model: loop.model,
    stop: () => loop.stop(),
    get parameters() {
      return loop.parameters;
    },
    weights: () => loop.weights(),
    snapshot: () => loop.snapshot(),
    get metricNames() {
      return loop.metricNames;
    },
    get learningRateScale() {
      return loop.learningRateScale;
    },
    set learningRateScale(scale) {
      loop.learningRateScale = scale;
    },
  };
  const events = loop.events();
  return Object.defineProperties(events, Object.getOwnPropertyDescriptors(controls)) as Run;
}
