/**
 * Exponential smoothing (ETS). The trend is none, additive or damped, the season none, additive or multiplicative, and the errors
 * additive or multiplicative (Hyndman et al. 2002, A state space framework for automatic forecasting using exponential smoothing
 * methods; Hyndman et al. 2008, Forecasting with exponential smoothing, tables 2.2 and 2.3).
 *
 * With m rows per season, each row y[t] updates level l, trend b and season s:
 *
 *   q    = l[t - 1] + phi b[t - 1]                              the level one step ahead
 *   mu   = q,   q + s[t - m]   or   q s[t - m]                  forecast of y[t]
 *   l[t] = q + alpha (y' - q),       y' = y,   y - s[t - m]   or   y / s[t - m]
 *   b[t] = phi b[t - 1] + beta (y' - q)
 *   s[t] = s[t - m] + gamma (y'' - s[t - m]),   y'' = y - q   or   y / q
 *
 * Initial states come from a classical decomposition and a regression line through the first rows. The other parameters minimise
 * -2 log likelihood, which is, up to a constant, n log(sum e^2) with e = y - mu (additive errors), or n log(sum e^2) +
 * 2 sum log |mu| with e = (y - mu) / mu (multiplicative errors). The model with the lowest AICc is used.
 */
import { isSeasonal, type SeasonKind, seasonalIndices } from './decompose.js';
import { type FittedBaseline, finiteOrNaive, fitAndForecast, fittedNaive, isConstant } from './fitted.js';
import { minimiseInBox } from './optimise.js';

/** The form of a model. */
export interface EtsForm {
  error: SeasonKind;
  trend: 'none' | 'additive' | 'damped';
  season: SeasonKind | 'none';
}

/** Smoothing parameters and initial states. */
export interface EtsParameters {
  alpha: number;
  beta: number;
  gamma: number;
  phi: number;
  level: number;
  trend: number;
  /** The states of the season before row 0: entry i belongs to rows i, i + m, ... Empty without a season. */
  season: Float64Array;
}

/**
 * Returns the forecast of the ETS model with the lowest AICc. If the history has at most 3 values or its values are all equal, the
 * result is the naive forecast.
 * @param history past values; gaps (NaN) are filled with the value before
 * @param season season length in rows; 1 for none. Models with a season need more than two seasons of history
 */
export const ets = (history: ArrayLike<number>, horizon: number, season: number): Float64Array =>
  fitAndForecast(fitEts, history, horizon, season);

/** Returns the model with the lowest AICc, fitted to `history`, which must have no gaps. */
export function fitEts(history: ArrayLike<number>, season: number): FittedBaseline {
  const y = Float64Array.from(history);
  if (y.length <= 3 || isConstant(y)) return fittedNaive;
  let best: { aicc: number; form: EtsForm; parameters: EtsParameters } | null = null;
  for (const form of candidateForms(y, season)) {
    const fitted = fitForm(y, form, season);
    if (fitted.aicc < (best?.aicc ?? Number.POSITIVE_INFINITY)) best = { form, ...fitted };
  }
  return best === null ? fittedNaive : fittedEts(best.form, best.parameters);
}

/** Returns a model with the given parameters. */
export function fittedEts(form: EtsForm, parameters: EtsParameters): FittedBaseline {
  return {
    forecasts(values, origins, horizon) {
      const states = new EtsStates(form, parameters);
      return origins.map((origin) => {
        states.update(values, origin);
        return finiteOrNaive(states.forecast(horizon), values[origin - 1]);
      });
    },
  };
}

/** The states of a model, updated row by row. */
class EtsStates {
  readonly #form: EtsForm;
  readonly #season: Float64Array;
  #parameters: EtsParameters;
  #level: number;
  #trend: number;
  /** The next row. */
  #row = 0;

  constructor(form: EtsForm, parameters: EtsParameters) {
    this.#form = form;
    this.#parameters = parameters;
    this.#season = parameters.season.slice();
    this.#level = parameters.level;
    this.#trend = parameters.trend;
  }

  /** Starts again before row 0 with other parameters. */
  restart(parameters: EtsParameters): void {
    this.#parameters = parameters;
    this.#season.set(parameters.season);
    this.#level = parameters.level;
    this.#trend = parameters.trend;
    this.#row = 0;
  }

  /**
   * Updates the states with the values of all rows before `end`. Fits spend nearly all their time here, so the loop works on local
   * variables.
   * @returns -2 log likelihood of these rows, up to a constant; NaN if the errors are multiplicative and a forecast is 0 or
   * below
   */
  update(values: ArrayLike<number>, end: number): number {
    const { alpha, beta, gamma, phi } = this.#parameters;
    const hasSeason = this.#form.season !== 'none';
    const isFactor = this.#form.season === 'multiplicative';
    const isRelative = this.#form.error === 'multiplicative';
    const season = this.#season;
    const start = this.#row;
    // `drift` is phi b[t - 1]: the fewer operations there are from one level to the next, the faster the loop.
    let [level, drift, squares, logs, product] = [this.#level, phi * this.#trend, 0, 0, 1];
    const driftRate = phi * beta;
    let position = hasSeason ? start % season.length : 0;
    for (let row = start; row < end; row++) {
      const y = values[row];
      const q = level + drift;
      const s = hasSeason ? season[position] : 0;
      const mu = isFactor ? q * s : q + s;
      const error = y - mu;
      const scaled = isRelative ? error / mu : error;
      squares += scaled * scaled;
      if (isRelative) {
        if (!(mu > 0)) squares = Number.POSITIVE_INFINITY;
        // A logarithm takes as long as the rest of the loop, so logarithms of products are added.
        const next = product * mu;
        if (next > 1e-150 && next < 1e150) product = next;
        else {
          logs += Math.log(product) + Math.log(mu);
          product = 1;
        }
      }
      // With a multiplicative season, s and q are divisors. If one of them is not positive, the states are not updated.
      if (!isFactor || (s > 0 && q > 0)) {
        const correction = isFactor ? y / s - q : error;
        level = q + alpha * correction;
        drift = phi * drift + driftRate * correction;
        if (hasSeason) season[position] = s + gamma * (isFactor ? y / q - s : error);
      }
      if (++position >= season.length) position = 0;
    }
    this.#level = level;
    this.#trend = phi === 0 ? 0 : drift / phi;
    this.#row = Math.max(start, end);
    return (end - start) * Math.log(Math.max(squares, 1e-300)) + 2 * (logs + Math.log(product));
  }

  /** Returns the forecast of the next `horizon` rows. */
  forecast(horizon: number): Float64Array {
    const { phi } = this.#parameters;
    const { season: kind } = this.#form;
    let [level, trend] = [this.#level, this.#trend];
    return Float64Array.from({ length: horizon }, (_, k) => {
      trend *= phi;
      level += trend;
      if (kind === 'none') return level;
      const s = this.#season[(this.#row + k) % this.#season.length];
      return kind === 'additive' ? level + s : level * s;
    });
  }
}

/**
 * Returns the forms to compare. Multiplicative forms need positive values, and forms with a season need more than two seasons of
 * history. If the season is significant, all forms have one.
 */
function candidateForms(y: Float64Array, season: number): EtsForm[] {
  const isPositive = y.every((value) => value > 0);
  const seasons: EtsForm['season'][] = ['none'];
  if (season > 1 && y.length >= 2 * season + 1) {
    seasons.push('additive');
    if (isPositive) seasons.push('multiplicative');
    if (isSeasonal(y, season)) seasons.shift();
  }
  const errors: SeasonKind[] = isPositive ? ['additive', 'multiplicative'] : ['additive'];
  return seasons.flatMap((kind) =>
    errors
      .filter((error) => kind !== 'multiplicative' || error === 'multiplicative')
      .flatMap((error) =>
        (['none', 'additive', 'damped'] as const).map((trend) => ({ error, trend, season: kind })),
      ),
  );
}

/** Bounds of the smoothing parameters and of phi, as in the R package forecast. */
const MIN_SMOOTHING = 1e-4;
const [MIN_PHI, MAX_PHI] = [0.8, 0.98];
const MAX_EVALUATIONS = 200;

/** Fits the parameters of one form. */
function fitForm(y: Float64Array, form: EtsForm, m: number): { aicc: number; parameters: EtsParameters } {
  const initial = initialStates(y, form, m);
  const hasTrend = form.trend !== 'none';
  const isDamped = form.trend === 'damped';
  const toParameters = (x: readonly number[]): EtsParameters => {
    const interpolate = (low: number, high: number, fraction: number) => low + fraction * (high - low);
    let i = 0;
    const alpha = interpolate(MIN_SMOOTHING, 1 - MIN_SMOOTHING, x[i++]);
    const beta = hasTrend ? interpolate(Math.min(MIN_SMOOTHING, alpha), alpha, x[i++]) : 0;
    const gamma = form.season === 'none' ? 0 : interpolate(0, 1 - alpha, x[i++]);
    const phi = isDamped ? interpolate(MIN_PHI, MAX_PHI, x[i]) : hasTrend ? 1 : 0;
    return { alpha, beta, gamma, phi, level: initial.level, trend: initial.trend, season: initial.season };
  };
  const start = [
    0.3,
    ...(hasTrend ? [0.1] : []),
    ...(form.season === 'none' ? [] : [0.1]),
    ...(isDamped ? [0.9] : []),
  ];
  const states = new EtsStates(form, toParameters(start));
  const minusTwoLogLikelihood = (point: readonly number[]): number => {
    states.restart(toParameters(point));
    const value = states.update(y, y.length);
    return Number.isFinite(value) ? value : Number.MAX_VALUE;
  };
  const { x, value } = minimiseInBox(minusTwoLogLikelihood, start, MAX_EVALUATIONS);
  // Smoothing parameters, initial states (the indices of the season have a fixed mean) and the variance.
  const count = start.length + 1 + (hasTrend ? 1 : 0) + (form.season === 'none' ? 0 : m - 1) + 1;
  const free = y.length - count - 1;
  const aicc = free <= 0 ? Number.POSITIVE_INFINITY : value + 2 * count + (2 * count * (count + 1)) / free;
  return { aicc, parameters: toParameters(x) };
}

/**
 * Returns initial states: seasonal indices, and level and trend of the regression line through the first seasonally adjusted rows
 * (without a trend: their mean).
 */
function initialStates(
  y: Float64Array,
  form: EtsForm,
  m: number,
): Pick<EtsParameters, 'level' | 'trend' | 'season'> {
  const season = form.season === 'none' ? new Float64Array() : seasonalIndices(y, m, form.season);
  const rows = Math.min(y.length, form.season === 'none' ? 10 : Math.max(10, 2 * m));
  const adjusted = Float64Array.from({ length: rows }, (_, t) => {
    if (form.season === 'none') return y[t];
    return form.season === 'additive' ? y[t] - season[t % m] : y[t] / Math.max(season[t % m], 1e-2);
  });
  const mean = adjusted.reduce((sum, value) => sum + value, 0) / rows;
  if (form.trend === 'none') return { level: mean, trend: 0, season };
  const centre = (rows - 1) / 2;
  let [covariance, variance] = [0, 0];
  for (const [t, value] of adjusted.entries()) {
    covariance += (t - centre) * (value - mean);
    variance += (t - centre) ** 2;
  }
  const trend = covariance / variance;
  return { level: mean - trend * (centre + 1), trend, season };
}
