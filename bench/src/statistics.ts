/** Statistics over rounds and rows. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The ratio of `other` to `time`: the median over pairs of adjacent rounds, so that a slow phase of the machine affects
 * both sides of a pair. If one engine has fewer rounds (because it is slow), they are paired with the first rounds of
 * the other.
 */
export function pairedRatio(other: readonly number[], time: readonly number[]): number {
  const pairs = Math.min(other.length, time.length);
  return median(Array.from({ length: pairs }, (_, i) => other[i] / time[i]));
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(mean(values.map((value) => Math.log(value))));
