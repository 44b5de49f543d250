/** The exact area under the ROC curve. */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { alignElements, eachRow, type Metric, type MetricState, type NoOptions, ratio } from './metric.js';

/**
 * Area under the ROC curve: the probability that a positive has a higher score than a negative, where ties count half. The
 * value is exact, unlike Keras's approximation by thresholds; the metric therefore stores every distinct score. 0 until both
 * classes have occurred.
 */
export function auc(options: NoOptions = {}): Metric {
  checkOptions('auc', options, {});
  const align = alignElements('auc');
  /** By score: total weight of the negatives and of the positives. */
  let scores = new Map<number, [negative: number, positive: number]>();
  const metric: Metric = {
    name: 'auc',
    config: {},
    better: 'higher',
    update(prediction, target, mask = null, sampleWeights = null) {
      const batch = align(prediction, target, mask, sampleWeights);
      eachRow(batch, (row, weight) => {
        const score = batch.prediction[row];
        if (Number.isNaN(score))
          throw valueError(`auc: the prediction of row ${row} must be a number, got NaN.`, { row });
        const weights = scores.get(score) ?? [0, 0];
        weights[batch.target[row] === 0 ? 0 : 1] += weight;
        scores.set(score, weights);
      });
    },
    result() {
      let [negatives, positives, correctPairs] = [0, 0, 0];
      for (const [, [negative, positive]] of sortByScore(scores)) {
        correctPairs += positive * (negatives + negative / 2);
        negatives += negative;
        positives += positive;
      }
      return ratio(correctPairs, negatives * positives);
    },
    reset() {
      scores = new Map();
    },
    /** `sums` contains score, weight of the negatives and weight of the positives, ordered by score. */
    get state(): MetricState {
      return { width: 1, sums: sortByScore(scores).flatMap(([score, weights]) => [score, ...weights]) };
    },
    set state({ sums }) {
      scores = new Map();
      for (let i = 0; i < sums.length; i += 3) scores.set(sums[i], [sums[i + 1], sums[i + 2]]);
    },
  };
  return metric;
}

function sortByScore<T>(scores: ReadonlyMap<number, T>): [number, T][] {
  return [...scores].sort(([a], [b]) => a - b);
}
