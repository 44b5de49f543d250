/** Verification: whether two examples, such as two recordings, belong to the same class, such as the same speaker. */
import { shapeError, UnrollError } from '@unroll/core';

/** The error rate of a verification, see {@link equalErrorRate}. */
export interface EqualErrorRate {
  /** The share of wrong decisions at the threshold, from 0 to 1, the same for pairs of one class and of two. */
  rate: number;
  /** Pairs with at least this score are accepted as the same class. */
  threshold: number;
}

/**
 * Returns the equal error rate: at the threshold where the share of accepted pairs of two classes (false acceptance) equals the
 * share of refused pairs of one class (false rejection). Between two thresholds, both shares are interpolated linearly, as is usual
 * with scikit-learn's `roc_curve`.
 * @param scores of pairs; a higher score means that the pair is more similar
 * @param same whether the pairs belong to the same class
 * @throws UnrollError `shape` for different numbers of scores and labels; `data` for a score that is not finite, and without pairs of both
 * kinds
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
      `equalErrorRate needs pairs of one class and pairs of two classes, got ${positives} and ${negatives}.`,
    );
  const order = Array.from(same.keys()).sort((a, b) => scores[b] - scores[a]);
  const wrong = order.find((i) => !Number.isFinite(scores[i]));
  if (wrong !== undefined)
    throw new UnrollError('data', `equalErrorRate: scores must be finite, got ${scores[wrong]}.`);
  // From the highest threshold to the lowest: the accepted pairs of two classes, and of one.
  let [accepted, right] = [0, 0];
  for (let n = 0; n < order.length; ) {
    const threshold = scores[order[n]];
    const before = [accepted / negatives, right / positives];
    for (; n < order.length && scores[order[n]] === threshold; n++) {
      if (same[order[n]]) right++;
      else accepted++;
    }
    const [x, y] = [accepted / negatives, right / positives];
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
