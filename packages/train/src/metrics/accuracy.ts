/** Accuracy metrics: the share of correct predictions. */
import { checkOptions } from '@unroll/core/internal';
import { argmax } from '../losses/row-factors.js';
import {
  alignClasses,
  alignElements,
  eachRow,
  type Metric,
  type MetricBatch,
  makeMetric,
  type NoOptions,
  ratio,
  rowOf,
} from './metric.js';

export interface ThresholdOptions {
  /** Predictions above the threshold are class 1. Default 0.5; set 0 for logits. */
  threshold?: number;
}

type AlignBatch = ReturnType<typeof alignClasses>;

/** Creates the metric "share of rows for which `isCorrect` returns true". */
export function correctShare(
  name: string,
  config: Record<string, unknown>,
  align: AlignBatch,
  isCorrect: (batch: MetricBatch, row: number) => boolean,
): Metric {
  return makeMetric({
    name,
    config,
    better: 'higher',
    align,
    size: () => 2,
    add(sums, batch) {
      eachRow(batch, (row, weight) => {
        if (isCorrect(batch, row)) sums[0] += weight;
        sums[1] += weight;
      });
    },
    result: ([hits = 0, count = 0]) => ratio(hits, count),
  });
}

/** True if the largest score is that of the target class. */
const isTargetClass = ({ prediction, target, width }: MetricBatch, row: number): boolean =>
  argmax(rowOf(prediction, row, width)) === target[row];

/** Returns a function that compares the target with the predicted class: 1 if the prediction is above the threshold, else 0. */
const matchesTarget =
  (threshold: number) =>
  ({ prediction, target }: MetricBatch, row: number): boolean =>
    (prediction[row] > threshold ? 1 : 0) === target[row];

/**
 * Share of predictions that are above the threshold if the target is 1, and not above it if the target is 0. Predictions and
 * targets have the same shape.
 */
export function binaryAccuracy(options: ThresholdOptions = {}): Metric {
  checkOptions('binaryAccuracy', options, { threshold: 'number' });
  const { threshold = 0.5 } = options;
  return correctShare(
    'binaryAccuracy',
    { threshold },
    alignElements('binaryAccuracy'),
    matchesTarget(threshold),
  );
}

/**
 * Share of rows whose largest score is that of the target class; targets are one-hot [..., K] or class indices [...].
 */
export function categoricalAccuracy(options: NoOptions = {}): Metric {
  checkOptions('categoricalAccuracy', options, {});
  return correctShare('categoricalAccuracy', {}, alignClasses('categoricalAccuracy'), isTargetClass);
}

/** The same as {@link categoricalAccuracy}, under Keras's name for class indices. */
export function sparseCategoricalAccuracy(options: NoOptions = {}): Metric {
  checkOptions('sparseCategoricalAccuracy', options, {});
  return correctShare(
    'sparseCategoricalAccuracy',
    {},
    alignClasses('sparseCategoricalAccuracy'),
    isTargetClass,
  );
}

/**
 * Binary accuracy (threshold 0.5) if the prediction has one number per row, otherwise categorical accuracy, as in Keras. For
 * several binary labels per row, use {@link binaryAccuracy}.
 */
export function accuracy(options: NoOptions = {}): Metric {
  checkOptions('accuracy', options, {});
  const alignLabels = alignElements('accuracy');
  const alignScores = alignClasses('accuracy');
  const isCorrectLabel = matchesTarget(0.5);
  const align: AlignBatch = (prediction, target, mask, weights) =>
    (prediction.rank === 1 || prediction.shape.at(-1) === 1 ? alignLabels : alignScores)(
      prediction,
      target,
      mask,
      weights,
    );
  return correctShare('accuracy', {}, align, (batch, row) =>
    (batch.width === 1 ? isCorrectLabel : isTargetClass)(batch, row),
  );
}

export interface TopKOptions {
  /** Number of top scores. Default 5. */
  k?: number;
}

/**
 * Share of rows whose target class is among the k largest scores; a tie with the k-th score counts as correct. Targets are
 * class indices [...] or one-hot [..., K].
 */
export function topKAccuracy(options: TopKOptions = {}): Metric {
  checkOptions('topKAccuracy', options, { k: 'count' });
  const { k = 5 } = options;
  const name = 'topKAccuracy';
  return correctShare(name, { k }, alignClasses(name), ({ prediction, target, width }, row) => {
    const scores = rowOf(prediction, row, width);
    const targetScore = scores[target[row]];
    let higher = 0;
    for (const score of scores) if (score > targetScore) higher++;
    return higher < k;
  });
}
