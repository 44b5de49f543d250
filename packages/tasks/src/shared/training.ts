/**
 * Trains one network of a run: reports events, stores checkpoints, ends when the validation loss (or a validation metric) stops
 * improving, and restores the weights of the best epoch.
 */
import type { Model } from '@unroll/core';
import {
  type Callback,
  type EarlyStoppingOptions,
  earlyStopping,
  type TrainEvent,
  type TrainOptions,
} from '@unroll/train';
import { finiteOrNull, type RunEvent, type StageEvent, type StageInfo } from './events.js';
import { CheckpointedTrainer } from './resume.js';
import type { RunControl } from './run-control.js';

/** One epoch of a training run. */
export interface EpochRecord {
  /** From 1. */
  epoch: number;
  loss: number;
  validationLoss: number;
  /** The metrics of `TrainOptions.metrics` on the validation data, by name. */
  validationMetrics: Readonly<Record<string, number>>;
}

/** The training of one network. */
export interface NetworkTraining {
  /** The epochs, in order. */
  history: EpochRecord[];
  /** The epoch whose weights the network has: the epoch with the lowest validation loss or the highest `metric` of `NetworkRun`. */
  bestEpoch: number;
}

export interface NetworkRun {
  /** Identifies the training run in its events. */
  info: StageInfo;
  trainer: CheckpointedTrainer;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  /** Name of the validation metric to maximise. Default: the validation loss is minimised instead. */
  metric?: string;
  /** Further callbacks, such as `reduceOnPlateau`. Default: none. */
  callbacks?: readonly Callback[];
}

/** Does the same as {@link trainNetwork}, for a run that trains only one network. */
export function trainSingleNetwork(
  network: Model,
  options: TrainOptions,
  { model, control, ...run }: Omit<NetworkRun, 'info' | 'trainer'> & { model: string; control: RunControl },
): AsyncGenerator<RunEvent, NetworkTraining, void> {
  const info = { stage: 'train', title: 'training', model, training: 1, trainings: 1 };
  const trainer = new CheckpointedTrainer(control.store ?? null, control.budget);
  return trainNetwork(network, options, { ...run, info, trainer });
}

/**
 * Trains a network, yields the events of the run, and restores the weights of the best epoch.
 * @param options options of `train`, with validation data, `epochs`, and a `signal` that stops the run
 */
export async function* trainNetwork(
  network: Model,
  options: TrainOptions,
  { info, trainer, patience, metric, callbacks = [] }: NetworkRun,
): AsyncGenerator<RunEvent, NetworkTraining, void> {
  const { signal } = options;
  const last: Pick<StageEvent, 'loss' | 'sequencesPerSecond'> = { loss: null, sequencesPerSecond: null };
  const history: EpochRecord[] = [];
  const runProgress = (done: number): number => (info.training - 1 + done) / info.trainings;
  const deadline = trainer.deadline(info.trainings - info.training + 1);
  const events = trainer.train(network, options, [
    ...callbacks,
    stopAt(deadline),
    earlyStopping({ ...monitorOf(metric), patience }),
  ]);
  try {
    for await (const event of events) {
      signal?.throwIfAborted();
      if (event.type === 'warning') yield { event: 'warning', message: event.message };
      if (event.type !== 'step' && event.type !== 'epoch') continue;
      last.loss = finiteOrNull(event.loss);
      const { epoch, epochs } = event;
      const common = { ...info, epoch, epochs, loss: last.loss };
      if (event.type === 'step') {
        const { step, steps, sequencesPerSecond } = event;
        last.sequencesPerSecond = sequencesPerSecond;
        const done = runProgress((epoch - 1 + step / (steps ?? step)) / epochs);
        yield { event: 'step', ...common, done, sequencesPerSecond };
      } else {
        const record = recordOf(event);
        history.push(record);
        const { validationLoss, validationMetrics } = record;
        yield {
          event: 'epoch',
          ...common,
          done: runProgress(epoch / epochs),
          validationLoss,
          validationMetrics,
        };
      }
    }
    signal?.throwIfAborted();
    yield { event: 'stage', ...info, ...last };
    const objective = ({ validationLoss, validationMetrics }: EpochRecord): number =>
      metric === undefined ? validationLoss : -validationMetrics[metric]; // lower is better
    const best = history.reduce((a, b) => (objective(b) < objective(a) ? b : a));
    return { history, bestEpoch: best.epoch };
  } finally {
    await events.return(undefined); // Lets an interrupted training run write its checkpoint.
  }
}

/** Returns what early stopping monitors: a validation metric or, if it is undefined, the validation loss. */
function monitorOf(metric: string | undefined): EarlyStoppingOptions {
  if (metric === undefined) return { monitor: 'validationLoss' };
  return { monitor: `validation${metric[0].toUpperCase()}${metric.slice(1)}`, mode: 'max' };
}

/** Returns a callback that ends the training with the first epoch that ends at or after the deadline (of `performance.now`). */
export const stopAt = (deadline: number): Callback => ({
  name: 'deadline',
  onEvent(event, run) {
    if (event.type === 'epoch' && performance.now() >= deadline) run.stop();
  },
});

const recordOf = (event: TrainEvent & { type: 'epoch' }): EpochRecord => ({
  epoch: event.epoch,
  loss: event.loss,
  validationLoss: event.validationLoss ?? Number.NaN,
  validationMetrics: event.validationMetrics ?? {},
});
