/** Converts forecasts and backtests to tables. */
import type { TaskCell } from '../shared/task.js';
import { actualAt, levelName, type ModelForecasts } from './backtest.js';
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import type { SeriesForecast } from './model.js';
import { type Panel, timeAt } from './panel.js';

export interface TableData {
  columns: string[];
  /** One cell for each column; null if the value is NaN. */
  rows: TaskCell[][];
}

/** Rounds to ten significant digits: more precise than any forecast, and coarse enough to hide rounding errors. */
const rounded = (value: number): number | null =>
  Number.isNaN(value) ? null : Number(value.toPrecision(10));

const boundNames = (levels: readonly number[]): string[] =>
  levels.flatMap((level) => [`lo-${levelName(level)}`, `hi-${levelName(level)}`]);

const bounds = ({ lower, upper }: Intervals, k: number): (number | null)[] =>
  lower.flatMap((low, l) => [rounded(low[k]), rounded(upper[l][k])]);

/**
 * Converts forecasts to a table with the columns series (optional), time, mean, median, lo-80, hi-80, ...
 * @param hasIds whether the table has a series column
 */
export function forecastTable(
  forecasts: readonly SeriesForecast[],
  hasIds: boolean,
  levels: readonly number[],
): TableData {
  const columns = [...(hasIds ? ['series'] : []), 'time', 'mean', 'median', ...boundNames(levels)];
  const rows = forecasts.flatMap((forecast) =>
    forecast.time.map((time, k) => [
      ...(hasIds ? [forecast.id] : []),
      time,
      rounded(forecast.mean[k]),
      rounded(forecast.median[k]),
      ...bounds(forecast, k),
    ]),
  );
  return { columns, rows };
}

/** The forecasts of a backtest, and the panel with the actual values. */
export interface BacktestParts {
  panel: Panel;
  plan: { horizon: number };
  levels: readonly number[];
  origins: readonly Origin[];
  backtest: readonly ModelForecasts[];
}

/**
 * Converts the forecasts of a backtest to a table with the columns series (optional), origin (the last known time), time,
 * model, actual, median, lo-80, hi-80, ...
 */
export function backtestTable({ panel, plan, origins, backtest, levels }: BacktestParts): TableData {
  const hasIds = panel.idColumn !== null;
  const names = ['origin', 'time', 'model', 'actual', 'median', ...boundNames(levels)];
  const rows = origins.flatMap((origin, n) => {
    const actual = actualAt(panel, origin, plan.horizon);
    const id = hasIds ? [panel.series[origin.series].id] : [];
    const originTime = timeAt(panel, origin.origin - 1);
    const times = Array.from(actual, (_, k) => timeAt(panel, origin.origin + k));
    return backtest.flatMap(({ model, forecasts }) =>
      Array.from(forecasts[n].median, (median, k) => [
        ...id,
        originTime,
        times[k],
        model,
        rounded(actual[k]),
        rounded(median),
        ...bounds(forecasts[n], k),
      ]),
    );
  });
  return { columns: [...(hasIds ? ['series'] : []), ...names], rows };
}
