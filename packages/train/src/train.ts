/**
 * `train`: training as an async generator of events. `train` returns control to the event loop every few milliseconds, so that
 * a page stays responsive and an AbortSignal takes effect. The training loop is in loop.ts.
 */
import { type Model, RandomStream, valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import {
  type Batches,
  type BatchSource,
  type ExampleRange,
  type Examples,
  iterableSource,
  type PrepareInputs,
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
import type { TruncateOptions } from './truncate.js';

/** The training data: all examples, or batches of examples. */
export type TrainingData =
  | (Examples & { batches?: undefined })
  | {
      /** Batches of examples; a function is called at the start of each epoch. `batchSize` does not apply. */
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
  /** Batches per epoch if `batches` is given. Default: an epoch ends when the iterable ends. */
  stepsPerEpoch?: number;
  /** Shuffle the examples in every epoch. Iterables keep their order. Default true. */
  shuffle?: boolean;
  /** Seed of shuffling and dropout. Default 0. */
  seed?: number;
  /** Gradient clipping. Default none. */
  clip?: Clip;
  /**
   * Number of batches (with `truncate`: of chunks) whose gradients are accumulated for an update, as if they were one large
   * batch. At the end of an epoch, the weights are updated even if fewer batches remain. Default 1.
   */
  accumulate?: number;
  /**
   * Truncated backpropagation through time, for long sequences with one target per step: each batch is trained in chunks of
   * `every` time steps, with one update per chunk, from gradients that reach back `length` steps. States are carried from
   * chunk to chunk and reset for each batch. Step events and `accumulate` then count chunks instead of batches. Default: full
   * backpropagation.
   */
  truncate?: TruncateOptions;
  /** Data on which loss and metrics are measured after every epoch. */
  validationData?: Examples | Batches;
  /** Fraction of the examples to use for validation: the last examples, before any shuffling. Default 0. */
  validationSplit?: number;
  /** Ends the run after the current step. The reason in the end event is then `aborted`. */
  signal?: AbortSignal;
  /**
   * Returns the inputs that replace those of a training batch, for example the same inputs with noise. `scheduledSampling`
   * returns such a function. Default: none.
   */
  prepareInputs?: PrepareInputs;
  /** Called with the gradients before each update and before clipping; can replace the gradients. */
  beforeUpdate?: GradientHook;
  /**
   * Keep a moving average of the weights. Validation uses the average, which replaces the weights when the run ends (not
   * when it is aborted). Default: none.
   */
  average?: AverageOptions;
  /** Optimizer state to continue from, updated by the run. Default: a new state. */
  memory?: OptimizerMemory;
  /** A snapshot to resume from. See {@link Run.snapshot}. */
  resume?: RunSnapshot;
  /** Expected length of each sequence; shorter sequences raise a warning. Default: no check. */
  window?: number;
  /** Stored unchanged in checkpoints: scalers, vocabularies and other data that belong to the model. */
  extra?: JsonValue;
}

/** The types of the options of a run, which `checkOptions` checks. */
export const RUN_OPTIONS: OptionTypes<RunOptions> = {
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
  truncate: true,
  validationData: true,
  validationSplit: 'number',
  signal: true,
  prepareInputs: 'function',
  beforeUpdate: 'function',
  average: true,
  memory: true,
  resume: true,
  window: 'count',
  extra: true,
};
/** The types of the options for training data. */
export const DATA_OPTIONS: OptionTypes<TrainingData> = {
  batches: true,
  x: true,
  y: true,
  sampleWeights: true,
  mask: true,
};

export type TrainOptions = RunOptions & TrainingData;

/** A run: an async generator of events, and methods to call between two events. */
export interface Run extends RunControl, AsyncGenerator<TrainEvent, void, void> {
  /**
   * Returns the complete state of the run after the last event: weights, optimizer state, accumulated gradients, states
   * of stateful layers, position. A run resumed from a snapshot has bitwise the same results as an uninterrupted run.
   * Returns null if the model is not built yet.
   */
  snapshot(): Promise<RunSnapshot | null>;
  /** Names of the metrics in each epoch event, which callbacks can monitor. */
  readonly metricNames: readonly string[];
}

/**
 * Trains `model` and yields an event for every step and epoch.
 * @throws UnrollError `value`, `shape` or `data` for invalid options or data; `nan` for values that are not finite
 */
export function train(model: Model, options: TrainOptions): Run {
  checkOptions('train', options, { ...RUN_OPTIONS, ...DATA_OPTIONS });
  const { epochs = 1, batchSize = 32, seed = 0, shuffle = true, accumulate = 1 } = options;
  if (options.prepareInputs && options.truncate)
    throw valueError(
      'prepareInputs cannot be combined with truncate. Prepare the data before training instead.',
    );
  if (options.average) checkAverage(options.average);
  const random = new RandomStream(seed, 'train');
  const shuffling = shuffle ? (epoch: number) => random.child('shuffle', epoch) : null;
  const optimizer = resolveOptimizer(options.optimizer);
  const { training, validation, range } = sourcesOf(options, batchSize, shuffling);
  const loop = new Loop(model, {
    training,
    validation,
    range,
    objective: options,
    optimizer,
    clip: resolveClip(optimizer, options.clip),
    random,
    epochs,
    seed,
    shuffle: shuffle && range !== null,
    batchSize,
    accumulate,
    truncate: options.truncate ?? null,
    signal: options.signal ?? null,
    prepareInputs: options.prepareInputs ?? null,
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

/** Returns the batches for training and validation, and the training examples (null for an iterable). */
function sourcesOf(
  options: TrainOptions,
  batchSize: number,
  shuffling: Shuffling,
): { training: BatchSource; validation: BatchSource | null; range: ExampleRange | null } {
  const { validationData, validationSplit } = options;
  if (validationData && validationSplit) {
    throw valueError('Set either validationData or validationSplit, not both.');
  }
  const explicitValidation = validationData ? sourceOf(validationData, batchSize) : null;
  if (options.batches) {
    if (validationSplit) {
      throw valueError(
        'validationSplit requires x and y, but batches were given. Use validationData instead.',
      );
    }
    const training = iterableSource(options.batches, options.stepsPerEpoch ?? null);
    return { training, validation: explicitValidation, range: null };
  }
  const all = toRange(options);
  const split = validationSplit ? splitRange(all, validationSplit) : null;
  const range = split?.training ?? all;
  const training = rangeSource(range, batchSize, shuffling);
  return {
    training,
    validation: split ? rangeSource(split.validation, batchSize) : explicitValidation,
    range,
  };
}

/** Adds the methods of {@link Run} to the event generator of a loop. */
function asRun(loop: Loop): Run {
  const controls: RunControl & Pick<Run, 'snapshot' | 'metricNames'> = {
    model: loop.model,
    stop: () => loop.stop(),
    get parameters() {
      return loop.parameters;
    },
    weights: () => loop.weights(),
    gradients: () => loop.gradients(),
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
