/** Metrics as TensorBoard event files: `train/` and `validation/` below a folder, with Keras's tags. */

import { join } from 'node:path';
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import type { EpochEvent, MetricValues, StepEvent } from '../events.js';
import type { Callback } from './callback.js';
import { fileHeader, scalarRecord } from './event-file.js';
import { LogFile } from './log-file-node.js';

export interface TensorBoardOptions {
  /**
   * Also write loss, gradient norm, learning rate and clipping after every so many updates. Default: epochs only.
   */
  everyUpdates?: number;
}

/** A fixed name, so that a run replaces the files of the previous run, and a resumed run appends to its own. */
const FILE = 'events.out.tfevents.unroll';

/**
 * Writes `epoch_loss`, `epoch_<metric>` and `epoch_learning_rate` of every epoch for `tensorboard --logdir
 * <folder>`. A new run replaces the files; a resumed one appends to them.
 */
export function tensorBoard(folder: string, options: TensorBoardOptions = {}): Callback {
  if (typeof folder !== 'string')
    throw valueError(`tensorBoard takes the path of a folder first, got ${formatValue(folder)}.`);
  checkOptions('tensorBoard', options, { everyUpdates: 'count' });
  const { everyUpdates } = options;
  const files = {
    train: new LogFile(join(folder, 'train', FILE)),
    validation: new LogFile(join(folder, 'validation', FILE)),
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
    write(files.train, epoch, tagged({ loss, ...metrics, learning_rate: learningRate }));
    if (validationLoss === undefined) return;
    write(files.validation, epoch, tagged({ loss: validationLoss, ...validationMetrics }));
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

function tagged(metrics: MetricValues): MetricValues {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`epoch_${name}`, value]));
}
