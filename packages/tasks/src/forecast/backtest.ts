/** Rolling-origin backtest: every model forecasts from the same origins and sees only the rows before each. */
import {
  coverage,
  crpsOfQuantiles,
  drift,
  mae,
  mase,
  naive,
  type QuantileForecast,
  rmse,
  seasonalNaive,
  smape,
  weightedQuantileLoss,
} from '@unroll/data';
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import type { Panel } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { filled } from './rows.js';

/** A model's forecasts, one for each origin of the backtest. */
export interface ModelForecasts {
  model: string;
  forecasts: Intervals[];
}

/** One row of the leaderboard: metrics over all origins and horizon steps. */
export interface Score {
  model: string;
  /** Mean absolute error divided by that of the seasonal naive forecast on the training rows; averaged over the series. */
  mase: number;
  /** Percent, 0 to 200. */
  smape: number;
  /** In the unit of the target, like `mae`. */
  rmse: number;
  mae: number;
  /** Weighted quantile loss over the interval bounds and the median; a fraction. */
  wql: number;
  /** Continuous ranked probability score over the same quantiles, in the unit of the target. */
  crps: number;
  /** Interval coverage by level: `{ "80": 0.79 }`. Null if no interval could be calibrated. */
  coverage: Record<string, number | null>;
}

/** The rows known at an origin, their gaps filled from the past. */
function historyAt(panel: Panel, { series, origin }: Origin, season: number): Float64Array {
  const { offset, values } = panel.series[series];
  return filled(values.slice(0, Math.max(0, origin - offset)), season);
}

/** Actual values after an origin: [horizon], NaN where missing or not yet known. */
export function actualAt(panel: Panel, { series, origin }: Origin, horizon: number): Float64Array {
  const { offset, values } = panel.series[series];
  return Float64Array.from({ length: horizon }, (_, k) => values[origin - offset + k] ?? Number.NaN);
}

/** A forecast that needs no training. */
export type Baseline = (history: Float64Array) => Float64Array;

/** The baselines of every leaderboard; seasonal-naive only if there is a season. */
export function baselines({
  season,
  horizon,
}: Pick<ForecastPlan, 'season' | 'horizon'>): Map<string, Baseline> {
  const all = new Map<string, Baseline>();
  if (season > 1) {
    all.set('seasonal-naive', (history) =>
      history.length < season ? naive(history, horizon) : seasonalNaive(history, horizon, season),
    );
  }
  all.set('naive', (history) => naive(history, horizon));
  all.set('drift', (history) => (history.length < 2 ? naive(history, horizon) : drift(history, horizon)));
  return all;
}

/** A point forecast as intervals of zero width. */
function asIntervals(median: Float64Array, levels: readonly number[]): Intervals {
  return { median, lower: levels.map(() => median), upper: levels.map(() => median) };
}

/** A baseline's forecasts, each from the rows before its origin. */
export function baselineForecasts(
  panel: Panel,
  rule: Baseline,
  origins: readonly Origin[],
  { season, levels }: { season: number; levels: readonly number[] },
): Intervals[] {
  return origins.map((origin) => asIntervals(rule(historyAt(panel, origin, season)), levels));
}

/** The part of the plan that scores need: MASE is scaled by the seasonal naive error on the rows before `cut`. */
type ScoredPlan = Pick<ForecastPlan, 'horizon' | 'season' | 'cut'>;

/** Scores the forecasts against the actual values, ignoring missing ones. Best (lowest MASE) first. */
export function leaderboard(
  panel: Panel,
  plan: ScoredPlan,
  origins: readonly Origin[],
  entries: readonly ModelForecasts[],
  levels: readonly number[],
): Score[] {
  const actuals = origins.map((origin) => actualAt(panel, origin, plan.horizon));
  const actual = joined(actuals);
  const scores = entries.map(({ model, forecasts }): Score => {
    const median = joined(forecasts.map((forecast) => forecast.median));
    return {
      model,
      mase: meanMase(panel, plan, origins, actuals, forecasts),
      smape: smape(actual, median),
      rmse: rmse(actual, median),
      mae: mae(actual, median),
      ...intervalScores(actual, median, forecasts, levels),
    };
  });
  return scores.sort((a, b) => compare(a.mase, b.mase) || compare(a.mae, b.mae));
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The mean MASE over the series, without series whose training values are constant. */
function meanMase(
  panel: Panel,
  plan: ScoredPlan,
  origins: readonly Origin[],
  actuals: readonly Float64Array[],
  forecasts: readonly Intervals[],
): number {
  const originsOf = panel.series.map((): number[] => []);
  for (const [n, { series }] of origins.entries()) originsOf[series].push(n);
  const each = panel.series.map(({ offset, values }, series) => {
    const own = originsOf[series];
    const training = values.slice(0, Math.max(0, plan.cut - offset));
    const actual = joined(own.map((n) => actuals[n]));
    return mase(actual, joined(own.map((n) => forecasts[n].median)), training, plan.season);
  });
  const known = each.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? Number.NaN : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Metrics of the intervals, over the rows that have one. */
function intervalScores(
  actual: Float64Array,
  median: Float64Array,
  forecasts: readonly Intervals[],
  levels: readonly number[],
): Pick<Score, 'wql' | 'crps' | 'coverage'> {
  const quantiles: QuantileForecast[] = [{ level: 0.5, values: median }];
  const shares: Record<string, number | null> = {};
  const known = actual.slice();
  for (const [l, level] of levels.entries()) {
    const lower = joined(forecasts.map((forecast) => forecast.lower[l]));
    const upper = joined(forecasts.map((forecast) => forecast.upper[l]));
    for (const [i, value] of lower.entries()) if (Number.isNaN(value)) known[i] = Number.NaN;
    quantiles.push({ level: (1 - level) / 2, values: lower }, { level: (1 + level) / 2, values: upper });
    const share = coverage(known, lower, upper);
    shares[levelName(level)] = Number.isNaN(share) ? null : share;
  }
  return {
    wql: weightedQuantileLoss(known, quantiles),
    crps: crpsOfQuantiles(known, quantiles),
    coverage: shares,
  };
}

/** A level as written in column names and flags: 0.95 is "95". */
export const levelName = (level: number): string => String(Number((level * 100).toPrecision(6)));

/** Ascending, with NaN last. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b;
}
