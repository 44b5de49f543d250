/**
 * Metrics of point forecasts. `actual` and `predicted` must have the same length. Pairs whose actual value is missing
 * (NaN) are ignored; if no pair is left, the result is NaN. 12.5 % is returned as 12.5, not as 0.125.
 */
import { shapeError } from '@unroll/core';

type Values = ArrayLike<number>;

/** Returns the mean of `term` over the pairs whose actual value is not missing. */
function meanOver(
  actual: Values,
  predicted: Values,
  term: (actual: number, predicted: number) => number,
): number {
  if (actual.length !== predicted.length) {
    throw shapeError(
      `actual and predicted must have the same length, got ${actual.length} and ${predicted.length} values.`,
    );
  }
  let sum = 0;
  let count = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Number.isNaN(actual[i])) continue;
    sum += term(actual[i], predicted[i]);
    count++;
  }
  return count === 0 ? Number.NaN : sum / count;
}

/** Returns the mean absolute error, in the unit of the values. */
export function mae(actual: Values, predicted: Values): number {
  return meanOver(actual, predicted, (a, p) => Math.abs(a - p));
}

/** Returns the root mean squared error, in the unit of the values. */
export function rmse(actual: Values, predicted: Values): number {
  return Math.sqrt(meanOver(actual, predicted, (a, p) => (a - p) ** 2));
}

/** Returns the mean absolute percentage error. Infinite if an actual value is 0 and its forecast is not. */
export function mape(actual: Values, predicted: Values): number {
  return 100 * meanOver(actual, predicted, (a, p) => (a === p ? 0 : Math.abs((a - p) / a)));
}

/** Returns the symmetric mean absolute percentage error, 200·|a - p| / (|a| + |p|): 0 to 200. The error of a pair of zeros is 0. */
export function smape(actual: Values, predicted: Values): number {
  return (
    200 * meanOver(actual, predicted, (a, p) => (a === p ? 0 : Math.abs(a - p) / (Math.abs(a) + Math.abs(p))))
  );
}

/** Returns the weighted absolute percentage error, 100·Σ|a - p| / Σ|a|. NaN if all actual values are 0. */
export function wmape(actual: Values, predicted: Values): number {
  const meanAbsolute = meanOver(actual, predicted, (a) => Math.abs(a));
  return meanAbsolute === 0 ? Number.NaN : (100 * mae(actual, predicted)) / meanAbsolute;
}

/**
 * Returns the coefficient of determination: 1 for a perfect forecast, 0 for a constant forecast of the mean of the actual values.
 * NaN for constant actual values.
 */
export function r2(actual: Values, predicted: Values): number {
  const mean = meanOver(actual, predicted, (a) => a);
  const variance = meanOver(actual, predicted, (a) => (a - mean) ** 2);
  return variance === 0 ? Number.NaN : 1 - meanOver(actual, predicted, (a, p) => (a - p) ** 2) / variance;
}

/** Returns the denominator of scaled errors: the mean of |x[t] - x[t - season]| ^ power over the training values. */
function seasonalScale(training: Values, season: number, power: 1 | 2): number {
  const earlier = Array.from(training).slice(0, Math.max(0, training.length - season));
  const later = Array.from(training).slice(season);
  const differences = later
    .map((value, i) => Math.abs(value - earlier[i]) ** power)
    .filter((value) => !Number.isNaN(value));
  return differences.length === 0
    ? Number.NaN
    : differences.reduce((sum, value) => sum + value, 0) / differences.length;
}

/**
 * Returns the mean absolute scaled error: the mean absolute error divided by the mean absolute error of the seasonal naive forecast
 * on the training values. Below 1, the forecast is better than that baseline. NaN if the baseline has no error, such as
 * for constant training values.
 */
export function mase(actual: Values, predicted: Values, training: Values, season = 1): number {
  const scale = seasonalScale(training, season, 1);
  return scale === 0 ? Number.NaN : mae(actual, predicted) / scale;
}

/** Returns the root mean squared scaled error: like {@link mase}, with root mean squared errors instead of mean absolute errors. */
export function rmsse(actual: Values, predicted: Values, training: Values, season = 1): number {
  const scale = seasonalScale(training, season, 2);
  return scale === 0 ? Number.NaN : rmse(actual, predicted) / Math.sqrt(scale);
}
