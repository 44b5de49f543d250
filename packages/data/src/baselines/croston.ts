/**
 * Croston's method for intermittent demand with the correction of Syntetos & Boylan (Croston 1972, Forecasting and stock control
 * for intermittent demands; Syntetos & Boylan 2005, The accuracy of intermittent demand estimates).
 *
 * The sizes z of the nonzero values, and the intervals q between them, counted in rows (the first interval begins at the start
 * of the series), are smoothed separately. The forecast of every step is
 *
 *   (1 - alpha / 2) z' / q',   x' = alpha x + (1 - alpha) x' for each new size or interval x (the first x' is x),   alpha = 0.1
 */
import { type FittedBaseline, fitAndForecast } from './fitted.js';

const ALPHA = 0.1;

/** A series is intermittent if its nonzero values are at least this many rows apart on average (Syntetos et al. 2005). */
const MIN_INTERVAL = 1.32;

/**
 * Returns the Croston-SBA forecast: a constant, the expected value per row. If all values are 0, the forecast is 0.
 * @param history past values; gaps (NaN) are filled with the value before
 */
export const crostonSba = (history: ArrayLike<number>, horizon: number): Float64Array =>
  fitAndForecast(() => fittedCroston, history, horizon, 1);

/** The Croston-SBA forecast as a fitted baseline. It has no parameters to fit. */
export const fittedCroston: FittedBaseline = {
  forecasts(values, origins, horizon) {
    let [size, interval, rowsSince, row] = [0, 0, 0, 0];
    return origins.map((origin) => {
      for (; row < origin; row++) {
        rowsSince++;
        if (values[row] === 0) continue;
        const isFirst = interval === 0;
        size = isFirst ? values[row] : size + ALPHA * (values[row] - size);
        interval = isFirst ? rowsSince : interval + ALPHA * (rowsSince - interval);
        rowsSince = 0;
      }
      return new Float64Array(horizon).fill(interval === 0 ? 0 : ((1 - ALPHA / 2) * size) / interval);
    });
  },
};

/** Returns whether a series is intermittent: no negative values, and on average at most one nonzero value per 1.32 rows. */
export function isIntermittent(values: ArrayLike<number>): boolean {
  let [known, demands] = [0, 0];
  for (let t = 0; t < values.length; t++) {
    if (Number.isNaN(values[t])) continue;
    if (values[t] < 0) return false;
    known++;
    if (values[t] > 0) demands++;
  }
  return known > 0 && known >= MIN_INTERVAL * demands;
}
