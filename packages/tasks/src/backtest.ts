/** Rolling-origin tests: every model forecasts from the same origins, knowing only the rows before each. */
import { drift, mae, mase, naive, rmse, seasonalNaive, smape } from '@unroll/data';
import type { ForecastPlan } from './plan.js';
import { filled } from './series.js';

/** Forecasts of one model: one [horizon] array for each origin. */
export interface ModelForecasts {
  model: string;
  forecasts: Float64Array[];
}

/** One row of the leaderboard: errors over all origins and all rows ahead. */
export interface Score {
  model: string;
  /** Mean absolute error over that of "same as one season before" in the training rows. */
  mase: number;
  /** Percent, 0 to 200. */
  smape: number;
  /** In the unit of the target, like `mae`. */
  rmse: number;
  mae: number;
}

/** The rows known at each origin, their gaps filled from the past. */
export function historiesAt(values: Float64Array, plan: ForecastPlan): Float64Array[] {
  return plan.origins.map((rows) => filled(values.slice(0, rows), plan.season));
}

/** A forecast that needs no training, by name. */
export type Baseline = (history: Float64Array) => Float64Array;

/** The baselines of every leaderboard; the seasonal one only where there is a season. */
export function baselines({
  season,
  horizon,
}: Pick<ForecastPlan, 'season' | 'horizon'>): Map<string, Baseline> {
  const all = new Map<string, Baseline>();
  if (season > 1) all.set('seasonal-naive', (history) => seasonalNaive(history, horizon, season));
  all.set('naive', (history) => naive(history, horizon));
  all.set('drift', (history) => drift(history, horizon));
  return all;
}

/** Scores the forecasts against what came; rows whose value is missing do not count. Best (least MASE) first. */
export function leaderboard(
  values: Float64Array,
  plan: ForecastPlan,
  entries: readonly ModelForecasts[],
): Score[] {
  const actual = Float64Array.from(
    plan.origins.flatMap((rows) => Array.from(values.slice(rows, rows + plan.horizon))),
  );
  const training = values.slice(0, plan.trainingRows);
  const scores = entries.map(({ model, forecasts }) => {
    const predicted = Float64Array.from(forecasts.flatMap((forecast) => Array.from(forecast)));
    return {
      model,
      mase: mase(actual, predicted, training, plan.season),
      smape: smape(actual, predicted),
      rmse: rmse(actual, predicted),
      mae: mae(actual, predicted),
    };
  });
  return scores.sort((a, b) => compare(a.mase, b.mase) || compare(a.mae, b.mae));
}

/** Ascending, with NaN last. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b;
}
