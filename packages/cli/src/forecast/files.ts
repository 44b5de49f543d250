/** The files that a forecast leaves: the forecast itself, what the backtest said, and rows to fill in. */
import {
  actualAt,
  type ForecastResult,
  type FutureTemplate,
  type Intervals,
  levelName,
  type SeriesForecast,
  timeAt,
} from '@unroll/tasks';
import { csvLine } from '../shared/files.js';

/** Ten digits are more than any forecast has, and fewer than rounding errors show in. */
const digits = (value: number): string => (Number.isNaN(value) ? '' : String(Number(value.toPrecision(10))));

const boundNames = (levels: readonly number[]): string[] =>
  levels.flatMap((level) => [`lo-${levelName(level)}`, `hi-${levelName(level)}`]);

const bounds = ({ lower, upper }: Intervals, k: number): string[] =>
  lower.flatMap((low, l) => [digits(low[k]), digits(upper[l][k])]);

/** A table of text: names of columns, and a cell for each in every row. */
export interface TextTable {
  head: string[];
  rows: string[][];
}

/** series?, time, mean, median, lo-80, hi-80, ... */
export function forecastTable(
  forecasts: readonly SeriesForecast[],
  many: boolean,
  levels: readonly number[],
): TextTable {
  const head = [...(many ? ['series'] : []), 'time', 'mean', 'median', ...boundNames(levels)];
  const rows = forecasts.flatMap((forecast) =>
    forecast.time.map((time, k) => [
      ...(many ? [forecast.id] : []),
      time,
      digits(forecast.mean[k]),
      digits(forecast.median[k]),
      ...bounds(forecast, k),
    ]),
  );
  return { head, rows };
}

export const csvOf = ({ head, rows }: TextTable): string => [head, ...rows].map(csvLine).join('');

/** The rows as JSON objects, one a line: times and names as text, the rest as numbers, what is empty as null. */
export function jsonLinesOf({ head, rows }: TextTable): string {
  const value = (name: string, cell: string) =>
    name === 'time' || name === 'series' ? cell : cell === '' ? null : Number(cell);
  return rows
    .map(
      (row) => `${JSON.stringify(Object.fromEntries(head.map((name, i) => [name, value(name, row[i])])))}\n`,
    )
    .join('');
}

/** series?, origin (the last known time), time, model, actual, median, lo-80, hi-80, ...; intervals may be empty. */
export function backtestCsv({ panel, plan, origins, backtest, levels }: ForecastResult): string {
  const many = panel.idColumn !== null;
  const head = [
    ...(many ? ['series'] : []),
    'origin',
    'time',
    'model',
    'actual',
    'median',
    ...boundNames(levels),
  ];
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
  return csvOf({ head, rows });
}

/** The rows of future covariates to fill in. */
export function templateCsv({ columns, rows }: FutureTemplate): string {
  return csvOf({ head: columns, rows });
}
