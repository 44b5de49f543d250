/** Perplexity, a metric for predicted classes. */
import { checkOptions } from '@unroll/core/internal';
import { alignClasses, eachRow, type Metric, makeMetric, ratio, rowOf } from './metric.js';

export interface PerplexityOptions {
  /** True: the predictions are logits. Default false: they are probabilities, and values below 1e-7 count as 1e-7. */
  fromLogits?: boolean;
}

/**
 * Perplexity: exp of the mean of -log p, where p is the predicted probability of the target class; the mean is over all rows
 * of all batches. A perplexity of n is the uncertainty of a choice among n equally likely classes.
 */
export function perplexity(options: PerplexityOptions = {}): Metric {
  checkOptions('perplexity', options, { fromLogits: 'boolean' });
  const { fromLogits = false } = options;
  return makeMetric({
    name: 'perplexity',
    config: { fromLogits },
    better: 'lower',
    align: alignClasses('perplexity'),
    size: () => 2,
    add(sums, batch) {
      eachRow(batch, (row, weight) => {
        const scores = rowOf(batch.prediction, row, batch.width);
        const score = scores[batch.target[row]];
        sums[0] += weight * (fromLogits ? logSumExp(scores) - score : -Math.log(Math.max(score, 1e-7)));
        sums[1] += weight;
      });
    },
    result: ([total = 0, count = 0]) => Math.exp(ratio(total, count)),
  });
}

/** Returns log Σ exp(value), without overflow. */
function logSumExp(values: ArrayLike<number> & Iterable<number>): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) largest = Math.max(largest, value);
  let total = 0;
  for (const value of values) total += Math.exp(value - largest);
  return largest + Math.log(total);
}
