/** Regression metrics: mean errors and R². */
import { checkOptions } from '@unroll/core/internal';
import { alignColumns, eachRow, type Metric, makeMetric, type NoOptions, ratio } from './metric.js';

/** `finish` of the mean of `size(error)` over all entries. */
function meanError(
  name: string,
  size: (error: number) => number,
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
          sums[0] += weight * size(target[i] - prediction[i]);
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

/** The root of the mean squared error over all entries. */
export function rmse(options: NoOptions = {}): Metric {
  checkOptions('rmse', options, {});
  return meanError('rmse', (error) => error * error, Math.sqrt);
}

/**
 * Sums per column: the first target, the weights, the sum and the sum of squares of (target - first target), and the
 * squared errors.
 */
const R2_SUMS = 5;

/**
 * R², the coefficient of determination: 1 - Σ (y - p)² / Σ (y - ȳ)² for each column, then the mean over the columns.
 * For a constant target it is 0, or 1 if every prediction is exact (as in scikit-learn).
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
          const [at, y] = [R2_SUMS * k, target[row * width + k]];
          if (sums[at + 1] === 0) sums[at] = y;
          const shifted = y - sums[at]; // reduces cancellation
          sums[at + 1] += weight;
          sums[at + 2] += weight * shifted;
          sums[at + 3] += weight * shifted * shifted;
          sums[at + 4] += weight * (y - prediction[row * width + k]) ** 2;
        }
      });
    },
    result(sums, width) {
      let total = 0;
      for (let k = 0; k < width; k++) {
        const [, count, sum, squares, errors] = sums.subarray(R2_SUMS * k) as unknown as number[];
        if (count === 0) continue;
        const variation = squares - (sum * sum) / count;
        if (variation > 0) total += 1 - errors / variation;
        else if (errors === 0) total += 1;
      }
      return ratio(total, width);
    },
  });
}
