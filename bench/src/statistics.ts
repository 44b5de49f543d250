/** Statistics over the rounds of a benchmark and over rows. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Returns the median of `numerators[i] / denominators[i]`. The rounds of a pair are adjacent in time, so a slow phase
 * of the machine affects both. Extra rounds of one engine are ignored.
 */
export function pairedRatio(numerators: readonly number[], denominators: readonly number[]): number {
  const pairs = Math.min(numerators.length, denominators.length);
  return median(Array.from({ length: pairs }, (_, i) => numerators[i] / denominators[i]));
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(mean(values.map((value) => Math.log(value))));
