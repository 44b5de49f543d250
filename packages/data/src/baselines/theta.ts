/**
 * The optimised theta model (Assimakopoulos & Nikolopoulos 2000, The theta model: a decomposition approach to forecasting;
 * as a state-space model: Fiorucci et al. 2016, Models for optimising the theta method, section 3).
 *
 * For the seasonally adjusted series y[0], ..., y[n - 1] with the regression line A + B (t + 1):
 *
 *   mu[t]    = level[t - 1] + w (A (1 - alpha)^t + B (1 - (1 - alpha)^(t + 1)) / alpha)     forecast of y[t]
 *   level[t] = alpha y[t] + (1 - alpha) level[t - 1],     w = 1 - 1 / theta
 *
 * Forecasts of later steps use mu in place of y. theta = 1 (w = 0) is simple exponential smoothing; theta = 2 is the classical
 * theta method. The parameters minimise the squared errors from row 3 on. For a given alpha, mu is linear in w and in
 * the initial level, so least squares gives both, and only alpha needs a search.
 */
import { chooseIndices, isSeasonal, type SeasonKind } from './decompose.js';
import { type FittedBaseline, finiteOrNaive, fitAndForecast, fittedNaive, isConstant } from './fitted.js';
import { minimiseOnInterval } from './optimise.js';

const [MIN_ALPHA, MAX_ALPHA] = [0.1, 0.99];
/** Rows before this one are not counted, because their errors depend mostly on the initial level. */
const FIRST_ERROR = 3;

/** The model, fitted to a seasonally adjusted series. */
interface ThetaParameters {
  alpha: number;
  /** 1 - 1 / theta, 0 to 1. */
  w: number;
  initialLevel: number;
  /** Regression line: intercept and slope. */
  A: number;
  B: number;
  /** Mean squared error of the one-step forecasts, without the first rows. */
  error: number;
}

/**
 * Returns the forecast of the optimised theta model. If the season of the values or of their differences is significant, the
 * series is seasonally adjusted first. If the history has at most 3 values or its values are all equal, the result is the naive
 * forecast.
 * @param history past values; gaps (NaN) are filled with the value before
 * @param season season length in rows; 1 for none
 */
export const theta = (history: ArrayLike<number>, horizon: number, season: number): Float64Array =>
  fitAndForecast(fitTheta, history, horizon, season);

/** Fits the model to the rows of `history`, which must have no gaps. `error` is the mean squared error that was minimised. */
export function fitTheta(history: ArrayLike<number>, season: number): FittedBaseline & { error: number } {
  if (history.length <= FIRST_ERROR || isConstant(history)) return { ...fittedNaive, error: 0 };
  const adjustment = isSeasonal(history, season) ? chooseIndices(history, season) : null;
  const adjusted = Float64Array.from(history, (value, t) => adjust(value, t, adjustment, -1));
  const parameters = fitParameters(adjusted);
  return {
    error: parameters.error,
    forecasts(values, origins, horizon) {
      const { alpha, initialLevel } = parameters;
      let level = initialLevel;
      let row = 0;
      return origins.map((origin) => {
        for (; row < origin; row++)
          level = alpha * adjust(values[row], row, adjustment, -1) + (1 - alpha) * level;
        const forecast = forecastFrom(level, origin, horizon, parameters);
        const seasonal = forecast.map((value, k) => adjust(value, origin + k, adjustment, 1));
        return finiteOrNaive(seasonal, values[origin - 1]);
      });
    },
  };
}

interface Adjustment {
  kind: SeasonKind;
  indices: Float64Array;
}

/** Removes (sign -1) or restores (sign 1) the season of row t. */
function adjust(value: number, t: number, adjustment: Adjustment | null, sign: 1 | -1): number {
  if (adjustment === null) return value;
  const index = adjustment.indices[t % adjustment.indices.length];
  if (adjustment.kind === 'additive') return value + sign * index;
  return sign === 1 ? value * index : value / index;
}

/** Returns the trend term of mu[t], which is multiplied by w and added to the level. */
const trendTerm = (t: number, { alpha, A, B }: Pick<ThetaParameters, 'alpha' | 'A' | 'B'>): number =>
  A * (1 - alpha) ** t + (B * (1 - (1 - alpha) ** (t + 1))) / alpha;

/** Returns the forecast of `horizon` rows, the first of which is row `origin`. */
function forecastFrom(
  level: number,
  origin: number,
  horizon: number,
  parameters: ThetaParameters,
): Float64Array {
  return Float64Array.from({ length: horizon }, (_, k) => {
    const mu = level + parameters.w * trendTerm(origin + k, parameters);
    level = parameters.alpha * mu + (1 - parameters.alpha) * level;
    return mu;
  });
}

/** Fits the parameters to a seasonally adjusted series. */
function fitParameters(y: Float64Array): ThetaParameters {
  const n = y.length;
  const mean = y.reduce((sum, value) => sum + value, 0) / n;
  const moment = y.reduce((sum, value, t) => sum + (t + 1) * value, 0) / n;
  const B = (6 * (2 * moment - (1 + n) * mean)) / (n * n - 1);
  const A = mean - ((n + 1) * B) / 2;
  const alpha = minimiseOnInterval(
    (candidate) => leastSquares(y, { alpha: candidate, A, B }).error,
    MIN_ALPHA,
    MAX_ALPHA,
  );
  const { w, initialLevel, error } = leastSquares(y, { alpha, A, B });
  return { alpha, w, initialLevel, A, B, error: error / (n - FIRST_ERROR) };
}

/**
 * Returns the initial level and w in [0, 1] with the smallest sum of squared errors for the given alpha, and this sum. The error of
 * row t is r - initialLevel p - w g, where p = (1 - alpha)^t, g is the trend term, and r is the error if the initial level and w are 0.
 */
function leastSquares(
  y: Float64Array,
  line: Pick<ThetaParameters, 'alpha' | 'A' | 'B'>,
): { w: number; initialLevel: number; error: number } {
  const { alpha } = line;
  let [pp, pg, gg, pr, gr, rr] = [0, 0, 0, 0, 0, 0];
  let [level, p] = [0, 1];
  for (let t = 0; t < y.length; t++) {
    if (t >= FIRST_ERROR) {
      const g = line.A * p + (line.B * (1 - p * (1 - alpha))) / alpha;
      const r = y[t] - level;
      pp += p * p;
      pg += p * g;
      gg += g * g;
      pr += p * r;
      gr += g * r;
      rr += r * r;
    }
    level = alpha * y[t] + (1 - alpha) * level;
    p *= 1 - alpha;
  }
  const determinant = pp * gg - pg * pg;
  // Without a slope the trend term is a multiple of p: w has no effect.
  const free = determinant <= 1e-12 * pp * gg ? 0 : (pp * gr - pg * pr) / determinant;
  const w = Math.min(1, Math.max(0, free));
  const initialLevel = (pr - w * pg) / pp;
  const error =
    rr + initialLevel ** 2 * pp + w * w * gg + 2 * w * initialLevel * pg - 2 * (initialLevel * pr + w * gr);
  return { w, initialLevel, error };
}
