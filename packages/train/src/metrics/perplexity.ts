/** Perplexity: the number of equally likely classes with the same uncertainty. */
import { checkOptions } from '@unroll/core/internal';
import { alignClasses, eachRow, type Metric, makeMetric, ratio, rowOf } from './metric.js';

export interface PerplexityOptions {
  /** The predictions are logits. Default false: they are probabilities, clipped from below to 1e-7. */
  fromLogits?: boolean;
}

/** exp of the mean of -log p of the target class, over all rows of all batches. */
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
        const own = scores[batch.target[row]];
        sums[0] += weight * (fromLogits ? logSumExp(scores) - own : -Math.log(Math.max(own, 1e-7)));
        sums[1] += weight;
      });
    },
    result: ([total = 0, count = 0]) => Math.exp(ratio(total, count)),
  });
}

function logSumExp(values: ArrayLike<number> & Iterable<number>): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) largest = Math.max(largest, value);
  let total = 0;
  for (const value of values) total += Math.exp(value - largest);
  return largest + Math.log(total);
}
