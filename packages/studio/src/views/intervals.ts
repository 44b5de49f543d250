/** Intervals and errors of forecasts. */

export interface ForecastErrors {
  mae: number;
  rmse: number;
  /** Half the width of the interval: a quantile of the absolute errors in the first half of the forecasts (split conformal). */
  halfWidth: number;
  /** Share of the values in the second half that lie inside the interval. */
  coverage: number;
}

export function forecastErrors(
  actual: readonly number[],
  forecast: readonly number[],
  level = 0.9,
): ForecastErrors {
  const errors = actual.map((value, n) => Math.abs(value - forecast[n]));
  const half = Math.floor(errors.length / 2);
  const calibration = errors.slice(0, half).sort((a, b) => a - b);
  // The rank with which the interval covers at least `level` of new values, if they are exchangeable (Vovk et al. 2005).
  const rank = Math.min(half - 1, Math.ceil(level * (half + 1)) - 1);
  const halfWidth = calibration[rank] ?? Number.NaN;
  const secondHalf = errors.slice(half);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    mae: mean(errors),
    rmse: Math.sqrt(mean(errors.map((error) => error ** 2))),
    halfWidth,
    coverage: secondHalf.filter((error) => error <= halfWidth).length / secondHalf.length,
  };
}
