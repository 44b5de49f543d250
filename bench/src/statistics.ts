/** What rounds are summed up with. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * How many times `time` the `other` takes: the median over pairs of rounds that followed one another, so that what slows
 * the machine down for a while counts for neither. Those of an engine with fewer rounds (a slow one) are paired with the
 * first of the other's.
 */
export function pairedRatio(other: readonly number[], time: readonly number[]): number {
  const pairs = Math.min(other.length, time.length);
  return median(Array.from({ length: pairs }, (_, i) => other[i] / time[i]));
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(mean(values.map((value) => Math.log(value))));
