/** A callback that writes metrics as TensorBoard event files, with the tags of Keras. */

import { join } from 'node:path';
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import type { EpochEvent, MetricValues, StepEvent } from '../events.js';
import type { Callback } from './callback.js';
import { fileHeader, type Histogram, histogramRecord, scalarRecord } from './event-file.js';
import { LogFile } from './log-file-node.js';

export interface TensorBoardOptions {
  /**
   * Also write the loss of the batch, the gradient norm, the learning rate, and whether the gradients were clipped, each time
   * this many updates are done. Default: only the values of each epoch.
   */
  everyUpdates?: number;
}

/** The callback, with a method that writes further values. */
export interface TensorBoard extends Callback {
  /** Writes scalars and histograms of one step, such as those of a recorder (@unroll/insight), to the training file. */
  write(
    step: number,
    values: { scalars?: MetricValues; histograms?: Readonly<Record<string, Histogram>> },
  ): void;
}

/** The name is constant, so that a new run replaces the files of the previous run, and a resumed run finds its files. */
const FILE_NAME = 'events.out.tfevents.unroll';

/**
 * Returns a callback that writes `epoch_loss`, `epoch_<metric>` and `epoch_learning_rate` of every epoch to
 * `<folder>/train` and `<folder>/validation`. To view them, run `tensorboard --logdir <folder>`. A new run replaces the
 * files; a resumed run appends to them.
 */
export function tensorBoard(folder: string, options: TensorBoardOptions = {}): TensorBoard {
  if (typeof folder !== 'string')
    throw valueError(
      `tensorBoard: the first argument must be the path of a folder, got ${formatValue(folder)}.`,
    );
  checkOptions('tensorBoard', options, { everyUpdates: 'count' });
  const { everyUpdates } = options;
  const files = {
    train: new LogFile(join(folder, 'train', FILE_NAME)),
    validation: new LogFile(join(folder, 'validation', FILE_NAME)),
  };
  const write = (file: LogFile, step: number, scalars: MetricValues): void => {
    const now = Date.now() / 1000;
    if (file.length === 0) file.append(fileHeader(now));
    file.append(scalarRecord(now, step, scalars));
  };
  const onEpoch = ({
    epoch,
    loss,
    metrics,
    learningRate,
    validationLoss,
    validationMetrics,
  }: EpochEvent): void => {
    write(files.train, epoch, withEpochPrefix({ loss, ...metrics, learning_rate: learningRate }));
    if (validationLoss === undefined) return;
    write(files.validation, epoch, withEpochPrefix({ loss: validationLoss, ...validationMetrics }));
  };
  const onUpdate = ({ updates, loss, gradientNorm, learningRate, clipped }: StepEvent): void =>
    write(files.train, updates, {
      batch_loss: loss,
      batch_gradient_norm: gradientNorm,
      batch_learning_rate: learningRate,
      batch_clipped: clipped ? 1 : 0,
    });

  return {
    name: `tensorBoard ${folder}`,
    write(step, { scalars = {}, histograms = {} }) {
      if (Object.keys(scalars).length > 0) write(files.train, step, scalars);
      if (Object.keys(histograms).length === 0) return;
      const now = Date.now() / 1000;
      if (files.train.length === 0) files.train.append(fileHeader(now));
      files.train.append(histogramRecord(now, step, histograms));
    },
    onEvent(event) {
      if (event.type === 'epoch') onEpoch(event);
      else if (event.type === 'step' && everyUpdates && event.updated && event.updates % everyUpdates === 0) {
        onUpdate(event);
      }
    },
    state() {
      for (const file of Object.values(files)) file.sync();
      return { json: { train: files.train.length, validation: files.validation.length } };
    },
    restore({ json }) {
      const saved = json as { train: number; validation: number };
      const warnings = [files.train.resume(saved.train), files.validation.resume(saved.validation)];
      return warnings.find((warning) => warning !== null) ?? null;
    },
  };
}

/** Adds the prefix `epoch_` to the names of metrics. */
function withEpochPrefix(metrics: MetricValues): MetricValues {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`epoch_${name}`, value]));
}
