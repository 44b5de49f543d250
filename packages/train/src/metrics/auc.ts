/** The area under the ROC curve, exact. */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { alignElements, eachRow, type Metric, type MetricState, type NoOptions, ratio } from './metric.js';

/**
 * The probability that a positive scores above a negative, with ties counting half: the exact area under the ROC
 * curve, without the thresholds of Keras's approximation. It stores every distinct score. 0 until both classes have
 * occurred.
 */
export function auc(options: NoOptions = {}): Metric {
  checkOptions('auc', options, {});
  const align = alignElements('auc');
  /** Weights of negatives and positives by score. */
  let scores = new Map<number, [no: number, yes: number]>();
  const metric: Metric = {
    name: 'auc',
    config: {},
    better: 'higher',
    update(prediction, target, mask = null, weights = null) {
      const batch = align(prediction, target, mask, weights);
      eachRow(batch, (row, weight) => {
        const score = batch.prediction[row];
        if (Number.isNaN(score))
          throw valueError(`auc: the prediction of row ${row} must be a number, got NaN.`, { row });
        const both = scores.get(score) ?? [0, 0];
        both[batch.target[row] === 0 ? 0 : 1] += weight;
        scores.set(score, both);
      });
    },
    result() {
      let [below, total, pairs] = [0, 0, 0];
      for (const [, [no, yes]] of sorted(scores)) {
        pairs += yes * (below + no / 2);
        below += no;
        total += yes;
      }
      return ratio(pairs, below * total);
    },
    reset() {
      scores = new Map();
    },
    /** Score, negatives and positives, ordered by score. */
    get state(): MetricState {
      return { width: 1, sums: sorted(scores).flatMap(([score, both]) => [score, ...both]) };
    },
    set state({ sums }) {
      scores = new Map();
      for (let i = 0; i < sums.length; i += 3) scores.set(sums[i], [sums[i + 1], sums[i + 2]]);
    },
  };
  return metric;
}

function sorted<T>(scores: ReadonlyMap<number, T>): [number, T][] {
  return [...scores].sort(([a], [b]) => a - b);
}
