/** Means and quantiles of columns, which may have missing values (NaN). */
import type { DataArray } from './arrays.js';

/** A quantity by lag, over the sequences of a batch. NaN: no sequence has a valid step at this lag. */
export interface LagSummary {
  /** [B, K] */
  values: DataArray;
  /** [K] */
  mean: Float64Array;
  /** [levels, K], in the order of the option `quantiles`. */
  quantiles: DataArray;
}

/** Returns the mean and the quantiles of each column of values [B, K]. @param levels levels of the quantiles, from 0 to 1 */
export function summarize(values: DataArray, levels: readonly number[]): LagSummary {
  const [B, K] = values.shape;
  const mean = new Float64Array(K);
  const quantiles = new Float64Array(levels.length * K);
  for (let k = 0; k < K; k++) {
    const column: number[] = [];
    for (let b = 0; b < B; b++) {
      const value = values.values[b * K + k];
      if (!Number.isNaN(value)) column.push(value);
    }
    column.sort((a, b) => a - b);
    mean[k] = column.length > 0 ? column.reduce((sum, value) => sum + value, 0) / column.length : Number.NaN;
    levels.forEach((level, i) => {
      quantiles[i * K + k] = quantileOf(column, level);
    });
  }
  return { values, mean, quantiles: { shape: [levels.length, K], values: quantiles } };
}

/** Returns a quantile of sorted numbers, with linear interpolation as in NumPy; NaN if there are none. */
export function quantileOf(sorted: ArrayLike<number>, level: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = level * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
