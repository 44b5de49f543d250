/** Rolling-origin backtest: all models forecast from the same origins, using only the rows before each origin. */
import {
  coverage,
  crpsOfQuantiles,
  mae,
  mase,
  type QuantileForecast,
  rmse,
  smape,
  weightedQuantileLoss,
} from '@unroll/data';
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import type { Panel } from './panel.js';
import type { ForecastPlan } from './plan.js';

/** A model's forecasts, one for each origin of the backtest. */
export interface ModelForecasts {
  model: string;
  forecasts: Intervals[];
}

/** A row of the leaderboard: metrics over all origins and horizon steps. */
export interface Score {
  model: string;
  /** Mean absolute scaled error: MAE divided by the MAE of the seasonal naive forecast on the training rows, averaged over the series. */
  mase: number;
  /** Symmetric mean absolute percentage error, 0 to 200. */
  smape: number;
  /** Root mean square error, in the unit of the target. */
  rmse: number;
  /** Mean absolute error, in the unit of the target. */
  mae: number;
  /** Weighted quantile loss of the interval bounds and the median, relative to the mean absolute actual value. */
  wql: number;
  /** Continuous ranked probability score of the same quantiles, in the unit of the target. */
  crps: number;
  /** Interval coverage by level: `{ "80": 0.79 }`. Null if no interval of the level could be calibrated. */
  coverage: Record<string, number | null>;
}

/** Returns the actual values [horizon] from an origin on; NaN where a value is missing or not yet known. */
export function actualAt(panel: Panel, { series, origin }: Origin, horizon: number): Float64Array {
  const { offset, values } = panel.series[series];
  return Float64Array.from({ length: horizon }, (_, k) => values[origin - offset + k] ?? Number.NaN);
}

/** The part of the plan that the scores depend on. The rows before `cut` are the training rows. */
type ScoringPlan = Pick<ForecastPlan, 'horizon' | 'season' | 'cut'>;

/** Returns the scores of all models, the best (lowest MASE) first. Only known actual values count. */
export function leaderboard(
  panel: Panel,
  plan: ScoringPlan,
  origins: readonly Origin[],
  entries: readonly ModelForecasts[],
  levels: readonly number[],
): Score[] {
  const actuals = origins.map((origin) => actualAt(panel, origin, plan.horizon));
  const actual = concatArrays(actuals);
  const scores = entries.map(({ model, forecasts }): Score => {
    const median = concatArrays(forecasts.map((forecast) => forecast.median));
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

function concatArrays(arrays: readonly Float64Array[]): Float64Array {
  const result = new Float64Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    result.set(array, offset);
    offset += array.length;
  }
  return result;
}

/** Returns the mean MASE over the series, except those whose MASE is NaN (for example, constant training values). */
function meanMase(
  panel: Panel,
  plan: ScoringPlan,
  origins: readonly Origin[],
  actuals: readonly Float64Array[],
  forecasts: readonly Intervals[],
): number {
  const originsBySeries = panel.series.map((): number[] => []);
  for (const [n, { series }] of origins.entries()) originsBySeries[series].push(n);
  const maseBySeries = panel.series.map(({ offset, values }, series) => {
    const indices = originsBySeries[series];
    const training = values.slice(0, Math.max(0, plan.cut - offset));
    const actual = concatArrays(indices.map((n) => actuals[n]));
    const median = concatArrays(indices.map((n) => forecasts[n].median));
    return mase(actual, median, training, plan.season);
  });
  const defined = maseBySeries.filter((value) => !Number.isNaN(value));
  return defined.length === 0 ? Number.NaN : defined.reduce((sum, value) => sum + value, 0) / defined.length;
}

/** Returns the metrics of the intervals, over the rows with calibrated intervals. */
function intervalScores(
  actual: Float64Array,
  median: Float64Array,
  forecasts: readonly Intervals[],
  levels: readonly number[],
): Pick<Score, 'wql' | 'crps' | 'coverage'> {
  const quantiles: QuantileForecast[] = [{ level: 0.5, values: median }];
  const coverages: Record<string, number | null> = {};
  const scored = actual.slice(); // NaN where a forecast has no interval
  for (const [l, level] of levels.entries()) {
    const lower = concatArrays(forecasts.map((forecast) => forecast.lower[l]));
    const upper = concatArrays(forecasts.map((forecast) => forecast.upper[l]));
    for (const [i, value] of lower.entries()) if (Number.isNaN(value)) scored[i] = Number.NaN;
    quantiles.push({ level: (1 - level) / 2, values: lower }, { level: (1 + level) / 2, values: upper });
    const levelCoverage = coverage(scored, lower, upper);
    coverages[levelName(level)] = Number.isNaN(levelCoverage) ? null : levelCoverage;
  }
  return {
    wql: weightedQuantileLoss(scored, quantiles),
    crps: crpsOfQuantiles(scored, quantiles),
    coverage: coverages,
  };
}

/** Formats a level as in column names and options: 0.95 is "95". */
export const levelName = (level: number): string => String(Number((level * 100).toPrecision(6)));

/** Compares numbers for an ascending order, with NaN last. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b;
}
