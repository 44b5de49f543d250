/** The function that `pipeline('forecast', model)` returns. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { type Cell, cellOf, type DateOrder, makeTable, type Table } from '@unroll/data';
import type { TaskOptionValue } from '../shared/task.js';
import type { SeriesForecast } from './model.js';
import { endOf, timeAt } from './panel.js';
import { type Pipeline, storedPanel } from './pipeline.js';
import { hasRowNumbers } from './reader.js';

/** The forecast of one row. */
export interface ForecastPoint {
  /** Value of the series column. Absent if the training table was one series. */
  series?: string;
  time: string;
  mean: number;
  median: number;
  /** The central intervals, narrowest first. */
  intervals: ForecastInterval[];
}

export interface ForecastInterval {
  /** Probability that the value is in the interval, such as 0.8. */
  level: number;
  lower: number;
  upper: number;
}

/** The cells of a row, by column name. */
export type ForecastRow = Readonly<Record<string, Cell>>;

/** A table, a list of rows, or the values of the target. */
export type ForecastInput = Table | readonly ForecastRow[] | readonly (number | null)[];

export interface ForecastPipeOptions {
  /** Number of rows to forecast for each series. Default: the horizon of the training run. */
  horizon?: number;
  /** The future covariates of the rows to forecast, if the input does not contain them. */
  futureRows?: Table | readonly ForecastRow[];
  /** Order of day, month and year in dates such as 01/02/2024. Default: as in training. */
  dates?: DateOrder;
  /** Local time zone of daily rows whose times are in UTC, such as `Europe/Berlin`. Default: as in training. */
  timezone?: string;
}

/**
 * Forecasts the rows after those of the input; without an input, the rows after the training data. Rows need the columns of the
 * training data; they may be the whole series or only the rows after the training data. A list of numbers holds the target
 * values of the rows after the training data or, if the training table had no times, of the whole series.
 */
export type ForecastPipe = (
  input?: ForecastInput | null,
  options?: ForecastPipeOptions,
) => Promise<ForecastPoint[]>;

/** What `ForecastModel.predict` takes. */
interface ForecastRequest {
  rows?: Table;
  options: Record<string, TaskOptionValue>;
}

/**
 * Converts the input and the options of a pipeline to the rows and options of a request.
 * @throws UnrollError `value` for invalid options, and for inputs other than rows and numbers
 */
export function forecastRequest(
  input: unknown,
  options: ForecastPipeOptions,
  pipeline: Pipeline,
): ForecastRequest {
  checkOptions('pipeline', options, {
    ...{ horizon: 'count', futureRows: 'arrayOrObject', dates: ['dmy', 'mdy', 'ymd'], timezone: 'string' },
  });
  const { futureRows, ...others } = options;
  const entries = Object.entries({
    ...others,
    ...(futureRows && { 'future-rows': tableOf(futureRows, 'futureRows') }),
  });
  return {
    ...(input !== undefined && input !== null && { rows: rowsOf(input, pipeline) }),
    options: Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<
      string,
      TaskOptionValue
    >,
  };
}

/** Converts the forecasts of series to a list with one point for each series and time. */
export const forecastPoints = (
  forecasts: readonly SeriesForecast[],
  { idColumn, levels }: Pick<Pipeline, 'idColumn' | 'levels'>,
): ForecastPoint[] =>
  forecasts.flatMap(({ id, time, mean, median, lower, upper }) =>
    time.map((each, k) => ({
      ...(idColumn !== null && { series: id }),
      ...{ time: each, mean: mean[k], median: median[k] },
      intervals: levels.map((level, l) => ({ level, lower: lower[l][k], upper: upper[l][k] })),
    })),
  );

function rowsOf(input: unknown, pipeline: Pipeline): Table {
  const isValue = (value: unknown): value is number | null => value === null || typeof value === 'number';
  if (Array.isArray(input) && input.length > 0 && input.every(isValue)) return valuesTable(input, pipeline);
  return tableOf(input, 'rows');
}

/** Converts a list of rows to a table. A table is returned unchanged. */
function tableOf(input: unknown, source: string): Table {
  if (!Array.isArray(input)) {
    if (typeof input === 'object' && input !== null && 'rowCount' in input) return input as Table;
    throw inputError(source, input);
  }
  if (input.length === 0) throw valueError(`The list of ${source} is empty.`);
  const wrong = input.find((row) => typeof row !== 'object' || row === null || Array.isArray(row));
  if (wrong !== undefined) throw inputError(source, wrong);
  const rows = input as Record<string, unknown>[];
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return makeTable({
    ...{ source, names },
    cells: names.map((name) => rows.map((row) => (Object.hasOwn(row, name) ? cellOf(row[name]) : null))),
  });
}

const inputError = (source: string, value: unknown) =>
  valueError(
    `${source} must be a table${source === 'rows' ? ',' : ' or'} a list of objects such as ` +
      `{ month: "1960-12", passengers: 432 }${source === 'rows' ? ', or a list of numbers' : ''}, ` +
      `got ${formatValue(value)}.`,
  );

/** Converts values of the target to a table, with the times after the training data. */
function valuesTable(values: readonly (number | null)[], pipeline: Pipeline): Table {
  const { target, time, idColumn, covariates } = pipeline;
  if (idColumn !== null || covariates.length > 0) {
    const names = [idColumn, ...covariates.map(({ name }) => name)].filter((name) => name !== null);
    throw valueError(
      `This model also reads the columns ${names.join(', ')}. Pass rows as objects instead of numbers.`,
      { names },
    );
  }
  const source = 'the values';
  if (hasRowNumbers(time)) return makeTable({ source, names: [target], cells: [values] });
  const stored = storedPanel(pipeline);
  const end = endOf(stored.series[0]);
  const times = values.map((_, k) => timeAt(stored, end + k));
  return makeTable({ source, names: [time.name, target], cells: [times, values] });
}
