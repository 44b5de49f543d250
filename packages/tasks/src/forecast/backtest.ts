/** Rolling-origin tests: every model forecasts from the same origins, knowing only the rows before each. */
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

/** One row of the leaderboard: errors over all origins and all rows ahead. */
export interface Score {
  model: string;
  /** Mean absolute error over that of "same as one season before" in the training rows; the mean over the series. */
  mase: number;
  /** Percent, 0 to 200. */
  smape: number;
  /** In the unit of the target, like `mae`. */
  rmse: number;
  mae: number;
  /** Weighted quantile loss over the ends of the intervals and the median; a fraction. */
  wql: number;
  /** Continuous ranked probability score over the same quantiles, in the unit of the target. */
  crps: number;
  /** Share of the values inside the intervals, by level: `{ "80": 0.79 }`. Null where no interval could be formed yet. */
  coverage: Record<string, number | null>;
}

/** The rows known at an origin, their gaps filled from the past. */
function historyAt(panel: Panel, { series, origin }: Origin, season: number): Float64Array {
  const { offset, values } = panel.series[series];
  return filled(values.slice(0, Math.max(0, origin - offset)), season);
}

/** What came after an origin: [horizon], NaN where it is missing or has not come yet. */
export function actualAt(panel: Panel, { series, origin }: Origin, horizon: number): Float64Array {
  const { offset, values } = panel.series[series];
  return Float64Array.from({ length: horizon }, (_, k) => values[origin - offset + k] ?? Number.NaN);
}

/** A forecast that needs no training. */
export type Baseline = (history: Float64Array) => Float64Array;

/** The baselines of every leaderboard; the seasonal one only where there is a season. */
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

/** A point forecast as intervals of no width. */
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

/** The horizon of the forecasts; MASE is in units of what "one season before" missed in the rows before `cut`. */
type ScoredPlan = Pick<ForecastPlan, 'horizon' | 'season' | 'cut'>;

/** Scores the forecasts against what came; values that are missing do not count. Best (least MASE) first. */
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

/** The mean over the series of their scaled errors; series whose training values never change are left out. */
function meanMase(
  panel: Panel,
  plan: ScoredPlan,
  origins: readonly Origin[],
  actuals: readonly Float64Array[],
  forecasts: readonly Intervals[],
): number {
  const places = panel.series.map((): number[] => []);
  for (const [n, { series }] of origins.entries()) places[series].push(n);
  const each = panel.series.map(({ offset, values }, series) => {
    const own = places[series];
    const training = values.slice(0, Math.max(0, plan.cut - offset));
    const actual = joined(own.map((n) => actuals[n]));
    return mase(actual, joined(own.map((n) => forecasts[n].median)), training, plan.season);
  });
  const known = each.filter((value) => !Number.isNaN(value));
  return known.length === 0 ? Number.NaN : known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Scores of the intervals, over the rows where there are some. */
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

/** A level as columns and flags name it: 0.95 is "95". */
export const levelName = (level: number): string => String(Number((level * 100).toPrecision(6)));

/** Ascending, with NaN last. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b;
}
