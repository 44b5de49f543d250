/** Metrics of verification: deciding whether two examples, such as recordings, belong to the same class, such as one speaker. */
import { shapeError, UnrollError } from '@unroll/core';

/** The equal error rate and its threshold, see {@link equalErrorRate}. */
export interface EqualErrorRate {
  /** False acceptance rate where it equals the false rejection rate, from 0 to 1. */
  rate: number;
  /** Pairs with at least this score are accepted as the same class. */
  threshold: number;
}

/**
 * Returns the equal error rate: the error rate at the threshold where the share of the pairs of different classes that are accepted
 * (false acceptance) equals the share of the pairs of the same class that are rejected (false rejection). Between two
 * thresholds, both shares are interpolated linearly, as is usual with scikit-learn's `roc_curve`.
 * @param scores score of each pair; a higher score means that the pair is more similar
 * @param same whether the examples of each pair belong to the same class
 * @throws UnrollError `shape` for different numbers of scores and labels; `data` for a score that is not finite, and if there are no
 * pairs of the same class or no pairs of different classes
 */
export function equalErrorRate(scores: ArrayLike<number>, same: readonly boolean[]): EqualErrorRate {
  if (scores.length !== same.length)
    throw shapeError(
      `scores and same must have the same length, got ${scores.length} and ${same.length} values.`,
    );
  const positives = same.filter(Boolean).length;
  const negatives = same.length - positives;
  if (positives === 0 || negatives === 0)
    throw new UnrollError(
      'data',
      `equalErrorRate needs pairs of the same class and pairs of different classes, got ${positives} and ${negatives}.`,
    );
  const order = Array.from(same.keys()).sort((a, b) => scores[b] - scores[a]);
  const wrong = order.find((i) => !Number.isFinite(scores[i]));
  if (wrong !== undefined)
    throw new UnrollError(
      'data',
      `equalErrorRate: scores must be finite, got ${scores[wrong]} at index ${wrong}.`,
    );
  // From the highest threshold to the lowest: the number of accepted pairs of different classes, and of the same class.
  let [falseAccepted, trueAccepted] = [0, 0];
  for (let n = 0; n < order.length; ) {
    const threshold = scores[order[n]];
    const before = [falseAccepted / negatives, trueAccepted / positives];
    for (; n < order.length && scores[order[n]] === threshold; n++) {
      if (same[order[n]]) trueAccepted++;
      else falseAccepted++;
    }
    const [x, y] = [falseAccepted / negatives, trueAccepted / positives];
    if (x + y < 1) continue;
    const part = (1 - before[0] - before[1]) / (x - before[0] + y - before[1]);
    return { rate: before[0] + part * (x - before[0]), threshold };
  }
  return { rate: 1, threshold: scores[order[order.length - 1]] };
}

/** Returns the cosine of the angle between two vectors, from -1 to 1; 0 if one of them is 0. */
export function cosineSimilarity(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length)
    throw shapeError(`The vectors must have the same length, got ${a.length} and ${b.length} values.`);
  let [product, first, second] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    first += a[i] * a[i];
    second += b[i] * b[i];
  }
  return first === 0 || second === 0 ? 0 : product / Math.sqrt(first * second);
}
