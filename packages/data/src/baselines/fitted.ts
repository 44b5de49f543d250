/** The interface of the fitted baselines (theta, ETS, Croston): parameters are fitted once, and forecasts start at any later row. */
import { checkInputs } from './simple.js';

/** A baseline whose parameters were fitted to the first rows of a series. */
export interface FittedBaseline {
  /**
   * Forecasts from several origins with the same parameters: the states are updated row by row, so that a forecast depends
   * only on the values before its origin and on the rows of the fit.
   * @param values the series, which starts at the first row of the fit; without gaps
   * @param origins row indices, ascending; the forecast from `origin` uses the values before it
   * @returns for each origin, `horizon` values
   */
  forecasts(values: ArrayLike<number>, origins: readonly number[], horizon: number): Float64Array[];
}

/** Fits a baseline to a series. `season` is the season length in rows, 1 for none. */
export type FitBaseline = (history: ArrayLike<number>, season: number) => FittedBaseline;

/** Fits a baseline to a history and returns the forecast from its end. Gaps (NaN) are filled with the value before them. */
export function fitAndForecast(
  fit: FitBaseline,
  history: ArrayLike<number>,
  horizon: number,
  season: number,
): Float64Array {
  const filled = withoutGaps(history);
  checkInputs(filled, horizon, 1, season);
  return fit(filled, season).forecasts(filled, [filled.length], horizon)[0];
}

/** Returns the values without leading gaps (NaN). Other gaps are filled with the value before. */
function withoutGaps(history: ArrayLike<number>): Float64Array {
  const all = Float64Array.from(history);
  const first = all.findIndex((value) => !Number.isNaN(value));
  const values = first < 0 ? new Float64Array() : all.slice(first);
  for (let t = 1; t < values.length; t++) if (Number.isNaN(values[t])) values[t] = values[t - 1];
  return values;
}

/** The naive forecast as a fitted baseline, for series that are too short or constant. */
export const fittedNaive: FittedBaseline = {
  forecasts: (values, origins, horizon) =>
    origins.map((origin) => new Float64Array(horizon).fill(values[origin - 1])),
};

/** Returns whether all values are equal. */
export function isConstant(values: ArrayLike<number>): boolean {
  for (let t = 1; t < values.length; t++) if (values[t] !== values[0]) return false;
  return true;
}

/** Returns the forecast if all its values are finite, otherwise the last value repeated. */
export const finiteOrNaive = (forecast: Float64Array, last: number): Float64Array =>
  forecast.every(Number.isFinite) ? forecast : forecast.fill(last);
