/** Regression metrics: mean errors and R². */
import { checkOptions } from '@unroll/core/internal';
import { alignColumns, eachRow, type Metric, makeMetric, type NoOptions, ratio } from './metric.js';

/** Creates a metric: the mean of `errorSize` over all entries, passed to `finish`. An error is target - prediction. */
function meanError(
  name: string,
  errorSize: (error: number) => number,
  finish: (value: number) => number = (value) => value,
): Metric {
  return makeMetric({
    name,
    config: {},
    better: 'lower',
    align: alignColumns(name),
    size: () => 2,
    add(sums, batch) {
      const { prediction, target, width } = batch;
      eachRow(batch, (row, weight) => {
        for (let i = row * width; i < (row + 1) * width; i++) {
          sums[0] += weight * errorSize(target[i] - prediction[i]);
          sums[1] += weight;
        }
      });
    },
    result: ([total = 0, count = 0]) => finish(ratio(total, count)),
  });
}

/** Mean absolute error over all entries. */
export function mae(options: NoOptions = {}): Metric {
  checkOptions('mae', options, {});
  return meanError('mae', Math.abs);
}

/** Mean squared error over all entries. */
export function mse(options: NoOptions = {}): Metric {
  checkOptions('mse', options, {});
  return meanError('mse', (error) => error * error);
}

/** Root mean squared error over all entries. */
export function rmse(options: NoOptions = {}): Metric {
  checkOptions('rmse', options, {});
  return meanError('rmse', (error) => error * error, Math.sqrt);
}

/**
 * Number of sums per column: the first target, the sum of weights, the weighted sums of d and d² with d = target - first
 * target, and the weighted sum of squared errors.
 */
const R2_SUMS = 5;

/**
 * R², the coefficient of determination: 1 - Σ (y - p)² / Σ (y - ȳ)² for each column, then the mean over the columns. A
 * column of constant targets counts as 1 if every prediction is exact, otherwise as 0 (as in scikit-learn).
 */
export function r2(options: NoOptions = {}): Metric {
  checkOptions('r2', options, {});
  return makeMetric({
    name: 'r2',
    config: {},
    better: 'higher',
    align: alignColumns('r2'),
    size: (width) => R2_SUMS * width,
    add(sums, batch) {
      const { prediction, target, width } = batch;
      eachRow(batch, (row, weight) => {
        for (let k = 0; k < width; k++) {
          const [offset, y] = [R2_SUMS * k, target[row * width + k]];
          if (sums[offset + 1] === 0) sums[offset] = y;
          const d = y - sums[offset]; // sums of d and d² lose fewer digits to cancellation than sums of y and y²
          sums[offset + 1] += weight;
          sums[offset + 2] += weight * d;
          sums[offset + 3] += weight * d * d;
          sums[offset + 4] += weight * (y - prediction[row * width + k]) ** 2;
        }
      });
    },
    result(sums, width) {
      let total = 0;
      for (let k = 0; k < width; k++) {
        const [, weight, sum, squares, errors] = sums.subarray(R2_SUMS * k) as unknown as number[];
        if (weight === 0) continue;
        const variation = squares - (sum * sum) / weight;
        if (variation > 0) total += 1 - errors / variation;
        else if (errors === 0) total += 1;
      }
      return ratio(total, width);
    },
  });
}
