/** Accuracy metrics: shares of correct predictions. */
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
  /** Predictions strictly above it are class 1. Default 0.5; 0 for logits. */
  threshold?: number;
}

type Align = ReturnType<typeof alignClasses>;

/** The share of rows for which `right` holds. */
function share(
  name: string,
  config: Record<string, unknown>,
  align: Align,
  right: (batch: MetricBatch, row: number) => boolean,
): Metric {
  return makeMetric({
    name,
    config,
    better: 'higher',
    align,
    size: () => 2,
    add(sums, batch) {
      eachRow(batch, (row, weight) => {
        if (right(batch, row)) sums[0] += weight;
        sums[1] += weight;
      });
    },
    result: ([hits = 0, count = 0]) => ratio(hits, count),
  });
}

const isClass = ({ prediction, target, width }: MetricBatch, row: number): boolean =>
  argmax(rowOf(prediction, row, width)) === target[row];

const isSide =
  (threshold: number) =>
  ({ prediction, target }: MetricBatch, row: number): boolean =>
    (prediction[row] > threshold ? 1 : 0) === target[row];

/** Share of numbers on the correct side of the threshold; predictions and targets (0 or 1) have the same shape. */
export function binaryAccuracy(options: ThresholdOptions = {}): Metric {
  checkOptions('binaryAccuracy', options, { threshold: 'number' });
  const { threshold = 0.5 } = options;
  return share('binaryAccuracy', { threshold }, alignElements('binaryAccuracy'), isSide(threshold));
}

/**
 * Share of rows whose largest score is that of the target class; targets are one-hot [..., K] or class indices [...].
 */
export function categoricalAccuracy(options: NoOptions = {}): Metric {
  checkOptions('categoricalAccuracy', options, {});
  return share('categoricalAccuracy', {}, alignClasses('categoricalAccuracy'), isClass);
}

/** Like {@link categoricalAccuracy}; Keras's name for class indices. */
export function sparseCategoricalAccuracy(options: NoOptions = {}): Metric {
  checkOptions('sparseCategoricalAccuracy', options, {});
  return share('sparseCategoricalAccuracy', {}, alignClasses('sparseCategoricalAccuracy'), isClass);
}

/**
 * Accuracy of the kind that fits the shapes, as in Keras: binary for one number per row (threshold 0.5), else
 * categorical. For several binary labels per row use {@link binaryAccuracy}.
 */
export function accuracy(options: NoOptions = {}): Metric {
  checkOptions('accuracy', options, {});
  const elements = alignElements('accuracy');
  const classes = alignClasses('accuracy');
  const side = isSide(0.5);
  const align: Align = (prediction, target, mask, weights) =>
    (prediction.rank === 1 || prediction.shape.at(-1) === 1 ? elements : classes)(
      prediction,
      target,
      mask,
      weights,
    );
  return share('accuracy', {}, align, (batch, row) => (batch.width === 1 ? side : isClass)(batch, row));
}

export interface TopKOptions {
  /** Number of top scores. Default 5. */
  k?: number;
}

/**
 * Share of rows whose class is among the k largest scores; a tie with the k-th score counts as correct. Targets are
 * class indices [...] or one-hot.
 */
export function topKAccuracy(options: TopKOptions = {}): Metric {
  checkOptions('topKAccuracy', options, { k: 'count' });
  const { k = 5 } = options;
  const name = 'topKAccuracy';
  return share(name, { k }, alignClasses(name), ({ prediction, target, width }, row) => {
    const scores = rowOf(prediction, row, width);
    const own = scores[target[row]];
    let better = 0;
    for (const score of scores) if (score > own) better++;
    return better < k;
  });
}
