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

/** Ten digits are more than any forecast has, and fewer than rounding errors show in. */
const digits = (value: number): number | null => (Number.isNaN(value) ? null : Number(value.toPrecision(10)));

const boundNames = (levels: readonly number[]): string[] =>
  levels.flatMap((level) => [`lo-${levelName(level)}`, `hi-${levelName(level)}`]);

const bounds = ({ lower, upper }: Intervals, k: number): (number | null)[] =>
  lower.flatMap((low, l) => [digits(low[k]), digits(upper[l][k])]);

/** series?, time, mean, median, lo-80, hi-80, ... @param many whether the table has a column of series */
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

/** What a backtest said, and what it is compared with. */
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
  const rows = origins.flatMap((place, n) => {
    const actual = actualAt(panel, place, plan.horizon);
    const id = many ? [panel.series[place.series].id] : [];
    return backtest.flatMap(({ model, forecasts }) =>
      Array.from(forecasts[n].median, (median, k) => [
        ...id,
        timeAt(panel, place.origin - 1),
        timeAt(panel, place.origin + k),
        model,
        digits(actual[k]),
        digits(median),
        ...bounds(forecasts[n], k),
      ]),
    );
  });
  return { columns: [...(many ? ['series'] : []), ...names], rows };
}
