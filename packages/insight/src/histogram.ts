/** Histograms of weights and gradients. */

/** `counts[i]` numbers are between `edges[i]` and `edges[i + 1]`. */
export interface Histogram {
  min: number;
  max: number;
  /** Number of finite numbers. */
  count: number;
  sum: number;
  sumSquares: number;
  edges: Float64Array;
  counts: Float64Array;
}

/** Returns a histogram of the finite numbers, with bins of equal width from the smallest to the largest. */
export function histogramOf(values: ArrayLike<number>, bins = 30): Histogram {
  let [min, max, count, sum, sumSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count++;
    sum += value;
    sumSquares += value * value;
  }
  const counts = new Float64Array(bins);
  if (count === 0)
    return { min: 0, max: 0, count, sum, sumSquares, edges: new Float64Array(bins + 1), counts };
  // If all numbers are equal, narrow bins start at this number.
  const width = max > min ? (max - min) / bins : Math.max(Math.abs(min), 1) * 1e-6;
  const scale = 1 / width;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isFinite(value)) counts[Math.min(bins - 1, Math.floor((value - min) * scale))]++;
  }
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => min + i * width);
  if (max > min) edges[bins] = max;
  return { min, max, count, sum, sumSquares, edges, counts };
}
