/**
 * Metrics of quantile and interval forecasts. Forecasts whose actual value is missing (NaN) are ignored; if none is
 * left, the result is NaN.
 */
import { shapeError, valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';

type Values = ArrayLike<number>;

/** Forecasts of one quantile: actual value i exceeds `values[i]` with probability 1 - `level`. */
export interface QuantileForecast {
  /** Between 0 and 1. */
  level: number;
  values: Values;
}

/** Checks the lengths of `forecasts` and returns the mean of `term` over the indices whose actual value is not missing. */
function meanTerm(actual: Values, forecasts: readonly Values[], term: (i: number) => number): number {
  for (const forecast of forecasts) {
    if (forecast.length !== actual.length) {
      throw shapeError(
        `actual and forecast must have the same length, got ${actual.length} and ${forecast.length} values.`,
      );
    }
  }
  let sum = 0;
  let count = 0;
  for (let i = 0; i < actual.length; i++) {
    if (Number.isNaN(actual[i])) continue;
    sum += term(i);
    count++;
  }
  return count === 0 ? Number.NaN : sum / count;
}

function checkLevel(level: number): void {
  if (!(level > 0 && level < 1))
    throw valueError(`level must be between 0 and 1, got ${formatValue(level)}.`, { level });
}

/**
 * Returns the mean pinball (quantile) loss: the absolute error times `level` if the actual value is above the forecast, or times
 * 1 - `level` if it is below.
 */
export function pinball(actual: Values, { level, values }: QuantileForecast): number {
  checkLevel(level);
  return meanTerm(actual, [values], (i) => {
    const error = actual[i] - values[i];
    return error >= 0 ? level * error : (level - 1) * error;
  });
}

/** Returns the weighted quantile loss: the mean over the quantiles of 2·Σ pinball / Σ|actual|. NaN if Σ|actual| is 0. */
export function weightedQuantileLoss(actual: Values, quantiles: readonly QuantileForecast[]): number {
  const meanAbsolute = meanTerm(actual, [], (i) => Math.abs(actual[i]));
  return meanAbsolute === 0 ? Number.NaN : crpsOfQuantiles(actual, quantiles) / meanAbsolute;
}

/**
 * Returns the continuous ranked probability score (CRPS) of quantile forecasts: twice their mean pinball loss, in the unit of the
 * values. As the number of evenly spaced levels grows, it approaches the CRPS of the whole distribution.
 */
export function crpsOfQuantiles(actual: Values, quantiles: readonly QuantileForecast[]): number {
  if (quantiles.length === 0) throw valueError('quantiles must have at least one entry, got none.');
  return (2 * quantiles.reduce((sum, quantile) => sum + pinball(actual, quantile), 0)) / quantiles.length;
}

/** Returns the continuous ranked probability score (CRPS) of normal distributions (Gneiting & Raftery 2007, equation 21). */
export function crpsOfNormal(actual: Values, means: Values, deviations: Values): number {
  return meanTerm(actual, [means, deviations], (i) => {
    const z = (actual[i] - means[i]) / deviations[i];
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    return deviations[i] * (z * (2 * normalCdf(z) - 1) + 2 * density - 1 / Math.sqrt(Math.PI));
  });
}

/** Returns the fraction (0 to 1) of the actual values that lie within their intervals, bounds included. */
export function coverage(actual: Values, lower: Values, upper: Values): number {
  return meanTerm(actual, [lower, upper], (i) => Number(actual[i] >= lower[i] && actual[i] <= upper[i]));
}

/** Returns the mean width of the intervals whose actual value is not missing. */
export function meanWidth(actual: Values, lower: Values, upper: Values): number {
  return meanTerm(actual, [lower, upper], (i) => upper[i] - lower[i]);
}

/**
 * Returns the mean Winkler score (interval score): the width of the interval, plus 2/(1 - level) times the distance of the actual
 * value from the interval if the value is outside.
 * @param level the nominal coverage of the interval, such as 0.95
 */
export function winkler(actual: Values, lower: Values, upper: Values, level: number): number {
  checkLevel(level);
  return meanTerm(actual, [lower, upper], (i) => {
    const outside = Math.max(lower[i] - actual[i], actual[i] - upper[i], 0);
    return upper[i] - lower[i] + (2 / (1 - level)) * outside;
  });
}

/** Returns the standard normal cumulative distribution function. Maximum error 7.5e-8 (Abramowitz & Stegun 7.1.26). */
export function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (series * Math.exp(-x * x)) / 2;
  return z > 0 ? 1 - tail : tail;
}
