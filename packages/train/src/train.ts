/**
 * Training as a stream of events: `train` gives an async generator that says what happens. It lets the event
 * loop take a turn after every batch, so that a page stays alive and an AbortSignal is heard. The loop itself
 * is in loop.ts.
 */
import { type Model, RandomStream, valueError } from '@unroll/core';
import { checkOptions, type Known } from '@unroll/core/internal';
import {
  type Batches,
  type BatchSource,
  type Examples,
  iterableSource,
  type Rows,
  rowSource,
  splitRows,
  toRows,
} from './batches.js';
import type { JsonValue, RunControl } from './callbacks/callback.js';
import { type Clip, clipFor } from './clip.js';
import { sourceOf } from './evaluate.js';
import type { TrainEvent } from './events.js';
import { Loop } from './loop.js';
import type { ObjectiveOptions } from './objective.js';
import { type AverageOptions, checkAverage } from './optimizers/average.js';
import { type OptimizerSpec, resolveOptimizer } from './optimizers.js';
import type { MetricOptions } from './scores.js';
import type { RunSnapshot } from './snapshot.js';
import { type GradientHook, OptimizerMemory } from './step.js';

/** What to train on: all examples, or batches of them. */
export type TrainingData =
  | (Examples & { batches?: undefined })
  | {
      /**
       * Batches, each as Examples; a function is called at the start of each epoch. `batchSize` does not
       * apply.
       */
      batches: Batches;
      x?: undefined;
      y?: undefined;
      sampleWeights?: undefined;
      mask?: undefined;
    };

export interface RunOptions extends ObjectiveOptions, MetricOptions {
  /** By name (with default options), by name and options, or itself. */
  optimizer: OptimizerSpec;
  /** Passes over the data. Default 1. */
  epochs?: number;
  /** Examples per step. Default 32. */
  batchSize?: number;
  /** Batches of one epoch, of an iterable. Default: until it ends. */
  stepsPerEpoch?: number;
  /** A new order of the examples in every epoch. Iterables keep their order. Default true. */
  shuffle?: boolean;
  /** Seed of shuffles and dropout. Default 0. */
  seed?: number;
  /** Default none. */
  clip?: Clip;
  /**
   * Batches whose gradients are gathered for one update: n of them change the weights as one batch n times as
   * large would. What is left at the end of an epoch makes an update of its own. Default 1.
   */
  accumulate?: number;
  /** Data to measure loss and metrics on after every epoch. */
  validationData?: Examples | Batches;
  /** Share of the examples, the last ones before any shuffling, to keep from training for validation. */
  validationSplit?: number;
  /** Ends the run after the current batch; the end event's reason is then `aborted`. */
  signal?: AbortSignal;
  /** May work on the gradients of an update before they are clipped and used. */
  beforeUpdate?: GradientHook;
  /**
   * Keep a moving average of the weights. Validation measures it, and it becomes the weights when the run
   * ends (not when it is aborted). Default: none.
   */
  average?: AverageOptions;
  /** What the optimizer remembers from earlier runs, and is to remember for later ones. Default: nothing. */
  memory?: OptimizerMemory;
  /** The state to go on from. See {@link Run.snapshot}. */
  resume?: RunSnapshot;
  /** Steps that each sequence should have: a shorter one gives a warning. Default: no check. */
  window?: number;
  /** Kept in checkpoints as it is: scalers, vocabularies, whatever belongs to the model. */
  extra?: JsonValue;
}

/** What a run takes, for checks of options. */
export const RUN: Known<RunOptions> = {
  loss: true,
  lossWeights: 'lists',
  classWeights: true,
  metrics: 'lists',
  weightedMetrics: 'lists',
  optimizer: true,
  epochs: 'count',
  batchSize: 'count',
  stepsPerEpoch: 'count',
  shuffle: 'flag',
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
/** What data take. */
export const DATA: Known<TrainingData> = {
  batches: true,
  x: true,
  y: true,
  sampleWeights: true,
  mask: true,
};

export type TrainOptions = RunOptions & TrainingData;

/** A run: its events, and what a consumer may do to it between two of them. */
export interface Run extends RunControl, AsyncGenerator<TrainEvent, void, void> {
  /**
   * The state of the run after the last event, whole: weights, optimizer, gathered gradients, carried states,
   * cursor. `resume` goes on from it, bit for bit as if there had been no interruption. Null before there is
   * anything to keep.
   */
  snapshot(): Promise<RunSnapshot | null>;
  /** Names of the figures that each epoch will have: what callbacks can monitor. */
  readonly figureNames: readonly string[];
}

/**
 * Trains `model` and tells of every step and epoch.
 * @throws UnrollError `value`, `shape` or `data` where options or data do not fit; `nan` where numbers go
 * astray
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
    clip: clipFor(optimizer, options.clip),
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

type Shuffling = Parameters<typeof rowSource>[2];

function sources(
  options: TrainOptions,
  batchSize: number,
  shuffling: Shuffling,
): { training: BatchSource; validation: BatchSource | null; rows: Rows | null } {
  const { validationData, validationSplit } = options;
  if (validationData && validationSplit) {
    throw valueError('Give validationData or validationSplit, not both.');
  }
  const held = validationData ? sourceOf(validationData, batchSize) : null;
  if (options.batches) {
    if (validationSplit) {
      throw valueError(
        'validationSplit is for arrays and tensors; batches of an iterable need validationData.',
      );
    }
    const training = iterableSource(options.batches, options.stepsPerEpoch ?? null);
    return { training, validation: held, rows: null };
  }
  const all = toRows(options);
  const split = validationSplit ? splitRows(all, validationSplit) : null;
  const rows = split?.training ?? all;
  const training = rowSource(rows, batchSize, shuffling);
  return { training, validation: split ? rowSource(split.validation, batchSize) : held, rows };
}

function asRun(loop: Loop): Run {
  const controls: RunControl & Pick<Run, 'snapshot' | 'figureNames'> = {
    model: loop.model,
    stop: () => loop.stop(),
    get parameters() {
      return loop.parameters;
    },
    weights: () => loop.weights(),
    snapshot: () => loop.snapshot(),
    get figureNames() {
      return loop.figureNames;
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
