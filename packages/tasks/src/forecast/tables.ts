/** Forecasts and backtests as columns and rows. */
import type { TaskCell } from '../shared/task.js';
import { actualAt, levelName, type ModelForecasts } from './backtest.js';
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import type { SeriesForecast } from './model.js';
import { type Panel, timeAt } from './panel.js';

export interface Columns {
  columns: string[];
  /** A cell for each column; null where there is no number. */
  rows: TaskCell[][];
}

/** Ten significant digits: more precise than any forecast, and coarse enough to hide rounding errors. */
const digits = (value: number): number | null => (Number.isNaN(value) ? null : Number(value.toPrecision(10)));

const boundNames = (levels: readonly number[]): string[] =>
  levels.flatMap((level) => [`lo-${levelName(level)}`, `hi-${levelName(level)}`]);

const bounds = ({ lower, upper }: Intervals, k: number): (number | null)[] =>
  lower.flatMap((low, l) => [digits(low[k]), digits(upper[l][k])]);

/** series?, time, mean, median, lo-80, hi-80, ... @param many whether the table has a series column */
export function forecastTable(
  forecasts: readonly SeriesForecast[],
  many: boolean,
  levels: readonly number[],
): Columns {
  const columns = [...(many ? ['series'] : []), 'time', 'mean', 'median', ...boundNames(levels)];
  const rows = forecasts.flatMap((forecast) =>
    forecast.time.map((time, k) => [
      ...(many ? [forecast.id] : []),
      time,
      digits(forecast.mean[k]),
      digits(forecast.median[k]),
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

/** series?, origin (the last known time), time, model, actual, median, lo-80, hi-80, ...; intervals may be missing. */
export function backtestTable({ panel, plan, origins, backtest, levels }: BacktestParts): Columns {
  const many = panel.idColumn !== null;
  const names = ['origin', 'time', 'model', 'actual', 'median', ...boundNames(levels)];
  const rows = origins.flatMap((origin, n) => {
    const actual = actualAt(panel, origin, plan.horizon);
    const id = many ? [panel.series[origin.series].id] : [];
    return backtest.flatMap(({ model, forecasts }) =>
      Array.from(forecasts[n].median, (median, k) => [
        ...id,
        timeAt(panel, origin.origin - 1),
        timeAt(panel, origin.origin + k),
        model,
        digits(actual[k]),
        digits(median),
        ...bounds(forecasts[n], k),
      ]),
    );
  });
  return { columns: [...(many ? ['series'] : []), ...names], rows };
}
