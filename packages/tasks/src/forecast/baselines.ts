/**
 * The baselines of the leaderboard: forecasts that need no network. `naive`, `seasonal-naive` and `drift` repeat or extend past
 * values. `theta`, `ets` and `croston-sba` have parameters, which are fitted to the rows before an origin; at later origins up
 * to the next fit, the same parameters are used and only the states are updated. A forecast uses only rows before its
 * origin in either case.
 */
import {
  drift,
  type FitBaseline,
  fitEts,
  fitTheta,
  fittedCroston,
  isIntermittent,
  naive,
  seasonalNaive,
} from '@unroll/data';
import { asIntervals, type Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import { levelledOrigins } from './levelled.js';
import { type Panel, panelEnd } from './panel.js';
import type { ForecastPlan } from './plan.js';
import type { ForecastOrigins } from './rollout.js';
import { fillGaps, subsample } from './rows.js';

/** A forecast method without a network. */
export interface Baseline {
  /**
   * Returns the forecasts of one series from several origins.
   * @param values the whole series, without gaps; a forecast uses only the values before its origin
   * @param rows origins, as rows of the series, ascending
   * @param fits rows at which to fit parameters, ascending. A forecast uses the latest fit at or before its origin or, if there is
   *   none, a fit at the first origin
   */
  forecasts(values: Float64Array, rows: readonly number[], fits: readonly number[]): Float64Array[];
}

type BaselinePlan = Pick<ForecastPlan, 'season' | 'seasons' | 'period' | 'horizon'>;

/** The baselines that fit parameters. */
export const FITTED_BASELINES = ['theta', 'ets', 'croston-sba'] as const;
export type FittedBaselineName = (typeof FITTED_BASELINES)[number];

/** Fits use at most this many rows, or six seasons if that is more: older rows hardly change a fit, and long fits take time. */
const MAX_FIT_ROWS = 2000;

/** Returns the maximum number of rows that a fit uses. */
export const fitWindow = (period: number): number => Math.max(MAX_FIT_ROWS, 6 * period);

/**
 * Returns all baselines by name. `seasonal-naive` uses the main season, if there is one; there is one more baseline for each other
 * season, such as `seasonal-naive-24`.
 */
export function baselines({ season, seasons, period, horizon }: BaselinePlan): Map<string, Baseline> {
  const result = new Map<string, Baseline>();
  const seasonalBaseline = (length: number): Baseline =>
    historyBaseline((history) =>
      history.length < length ? naive(history, horizon) : seasonalNaive(history, horizon, length),
    );
  if (season > 1) result.set('seasonal-naive', seasonalBaseline(season));
  for (const other of seasons.filter((each) => each !== season))
    result.set(`seasonal-naive-${other}`, seasonalBaseline(other));
  result.set(
    'naive',
    historyBaseline((history) => naive(history, horizon)),
  );
  result.set(
    'drift',
    historyBaseline((history) => (history.length < 2 ? naive(history, horizon) : drift(history, horizon))),
  );
  result.set('theta', fittedBaseline(fitTheta, { period, horizon }));
  result.set('ets', fittedBaseline(fitEts, { period, horizon }));
  result.set(
    'croston-sba',
    fittedBaseline(() => fittedCroston, { period, horizon }),
  );
  return result;
}

/**
 * Returns the baselines of a leaderboard.
 * @param names fitted baselines to include. Default: `theta` and `ets`, and `croston-sba` if most series are intermittent in
 *   their training rows
 */
export function leaderboardBaselines(
  panel: Panel,
  plan: BaselinePlan & Pick<ForecastPlan, 'cut'>,
  names: readonly FittedBaselineName[] | undefined,
): Map<string, Baseline> {
  const intermittent = panel.series.filter(({ offset, values }) =>
    isIntermittent(values.subarray(0, Math.max(0, plan.cut - offset))),
  );
  const isMostlyIntermittent = intermittent.length * 2 > panel.series.length;
  const included = names ?? FITTED_BASELINES.filter((name) => name !== 'croston-sba' || isMostlyIntermittent);
  const result = baselines(plan);
  for (const name of FITTED_BASELINES) if (!included.includes(name)) result.delete(name);
  return result;
}

/** All fits for calibration together use about this many rows. More frequent fits hardly improve intervals. */
const MAX_CALIBRATION_ROWS = 150_000;
/** All fits for the backtest together use about this many rows, but there are at least MIN_BACKTEST_FITS fits. */
const MAX_BACKTEST_ROWS = 300_000;
const MIN_BACKTEST_FITS = 20;

/**
 * Returns the grid indices at which the fitted baselines of a run are fitted: the backtest origins, and one index per horizon from
 * the first calibration origin on. If there are many rows, there are fewer fits.
 */
export function baselineFits(
  panel: Panel,
  plan: Pick<ForecastPlan, 'period' | 'horizon' | 'origins'>,
  calibrationOrigins: readonly Origin[],
): number[] {
  const first = calibrationOrigins[0]?.origin ?? Number.POSITIVE_INFINITY;
  const end = panelEnd(panel);
  const window = fitWindow(plan.period);
  const rows = panel.series.reduce((sum, { values }) => sum + Math.min(window, values.length), 0);
  const maxFits = Math.max(1, Math.floor(MAX_CALIBRATION_ROWS / rows));
  const step = Math.max(plan.horizon, Math.ceil((end - first) / maxFits));
  const backtestFits = Math.max(MIN_BACKTEST_FITS, Math.floor(MAX_BACKTEST_ROWS / rows));
  const fits = new Set(subsample(plan.origins, backtestFits));
  for (let index = first; index < end; index += step) fits.add(index);
  return [...fits].sort((a, b) => a - b);
}

/** Returns whether a baseline uses all rows of a series. */
export const usesAllRows = (name: string): boolean => name === 'drift';
/** Returns whether a baseline fits parameters to the last rows of a series (`fitWindow`). */
export const isFitted = (name: string): boolean => FITTED_BASELINES.some((each) => each === name);

/** Returns a baseline that computes each forecast from all earlier values, without fitted parameters. */
const historyBaseline = (forecast: (history: Float64Array) => Float64Array): Baseline => ({
  forecasts: (values, rows) => rows.map((row) => forecast(values.subarray(0, row))),
});

function fittedBaseline(
  fit: FitBaseline,
  { period, horizon }: Pick<BaselinePlan, 'period' | 'horizon'>,
): Baseline {
  return {
    forecasts(values, rows, fits) {
      const rowsByFit = new Map<number, number[]>();
      for (const row of rows) {
        const fitRow = fits.findLast((each) => each > 0 && each <= row) ?? rows[0];
        rowsByFit.set(fitRow, [...(rowsByFit.get(fitRow) ?? []), row]);
      }
      return Array.from(rowsByFit, ([fitRow, group]) => {
        const start = Math.max(0, fitRow - fitWindow(period));
        const model = fit(values.subarray(start, fitRow), period);
        const origins = group.map((row) => row - start);
        return model.forecasts(values.subarray(start), origins, horizon);
      }).flat();
    },
  };
}

/**
 * Returns the forecasts of a baseline, each from the rows before its origin. Gaps are filled from earlier values, and level
 * shifts are removed (levelled.ts).
 * @param origins ascending within each series
 * @param options `fits`: grid indices at which to fit parameters, ascending. Default: the first origin of each series
 */
export function baselineForecasts(
  panel: Panel,
  baseline: Baseline,
  origins: readonly Origin[],
  options: BaselineOptions,
): Intervals[] {
  const { asShifts, asOutliers, merge } = levelledOrigins(panel, origins, options);
  return merge(
    forecastsFrom(asShifts, baseline, options),
    asOutliers.flatMap((each) => forecastsFrom(each, baseline, options)),
  );
}

interface BaselineOptions {
  season: number;
  log: boolean;
  levels: readonly number[];
  fits?: readonly number[];
}

function forecastsFrom(
  { panel, origins }: ForecastOrigins,
  baseline: Baseline,
  { season, levels, fits = [] }: BaselineOptions,
): Intervals[] {
  const indicesBySeries = new Map<number, number[]>();
  for (const [n, { series }] of origins.entries()) {
    const indices = indicesBySeries.get(series);
    if (indices === undefined) indicesBySeries.set(series, [n]);
    else indices.push(n);
  }
  const result: Intervals[] = [];
  for (const [series, indices] of indicesBySeries) {
    const { offset, values } = panel.series[series];
    const rows = indices.map((n) => Math.min(values.length, origins[n].origin - offset));
    const fitRows = fits.map((index) => index - offset);
    const forecasts = baseline.forecasts(fillGaps(values, season), rows, fitRows);
    for (const [i, n] of indices.entries()) result[n] = asIntervals(forecasts[i], levels);
  }
  return result;
}
