/**
 * Joins a separate table of future rows, such as a completed template, to the data by series and time. The tables may
 * differ in the order of rows and columns and in the format of times and numbers.
 */
import { UnrollError } from '@unroll/core';
import { nearest } from '@unroll/core/internal';
import {
  type Cell,
  type Column,
  column,
  formatTime,
  isMissing,
  numbers,
  type Table,
  type TimeColumn,
  texts,
  times,
  withTimeParts,
} from '@unroll/data';
import { type PanelOptions, timeColumnOf, timeOptions, withCleanNames } from './panel.js';
import { ofSeries } from './rows.js';

/** A table with its times and the series of each row. */
interface Keyed {
  table: Table;
  time: TimeColumn;
  ids: readonly string[];
}

const keyOf = ({ ids, time }: Keyed, row: number): string => `${time.values[row]} ${ids[row]}`;

/**
 * The table with the future covariates of `rows`: in the existing row of that series and time, else in a new row without a
 * target. Rows whose target is already known are ignored.
 * @throws UnrollError `data` with file and line of `rows` for an unknown series, a duplicate row, a row with a target, and
 *   values that cannot be read
 */
export function addFutureRows(table: Table, rows: Table, asked: PanelOptions): Table {
  const options = withCleanNames(asked);
  const name = timeColumnOf(table, options);
  if (name === null) {
    throw new UnrollError(
      'data',
      `${table.source} has no time column, which is needed to join ${rows.source}. Name it with the option time.`,
    );
  }
  const data = keyed(withTimeParts(table, name), name, options);
  const given = keyed(withTimeParts(rows, name), name, { timeFormat: data.time.format, ...options });
  checkRows(given, data, options);
  const rowOf = new Map(data.ids.map((_, row) => [keyOf(data, row), row]));
  const fresh = Array.from(given.ids.keys()).filter((row) => !rowOf.has(keyOf(given, row)));
  const known = column(table, options.target).cells.map((cell) => !isMissing(cell));
  const firstOf = new Map(data.ids.map((id, row) => [id, row] as const).reverse());
  const columns = data.table.columns.map((own): Column => {
    if (own.name === name)
      return extended(
        own,
        fresh.map((row) => timeCell(own, given.time.values[row], data.time)),
      );
    if (own.name === options.series)
      return extended(
        own,
        fresh.map((row) => given.ids[row]),
      );
    if (options.static?.includes(own.name))
      return extended(
        own,
        fresh.map((row) => own.cells[firstOf.get(given.ids[row])!]),
      );
    if (!options.future?.includes(own.name))
      return extended(
        own,
        fresh.map(() => null),
      );
    const values = valuesOf(given.table, own);
    const cells = own.cells.slice();
    for (const [row, value] of values.entries()) {
      const existing = rowOf.get(keyOf(given, row));
      if (existing !== undefined && !known[existing] && value !== null) cells[existing] = value;
    }
    return extended(
      { ...own, cells },
      fresh.map((row) => values[row]),
    );
  });
  const lines = Int32Array.from([...table.lines, ...fresh.map((row) => rows.lines[row])]);
  return { ...data.table, columns, lines, rowCount: lines.length };
}

const extended = (own: Column, more: readonly Cell[]): Column => ({ ...own, cells: [...own.cells, ...more] });

function keyed(table: Table, name: string, options: PanelOptions): Keyed {
  const { series } = options;
  const time = times(table, name, timeOptions(options));
  const ids = series === undefined ? Array.from(time.values, () => '') : texts(table, series);
  return { table, time, ids };
}

/** A time in the format of the column. */
function timeCell({ cells }: Column, value: number, { format }: TimeColumn): Cell {
  return cells[0] instanceof Date ? new Date(value) : formatTime(value, format);
}

/** The values of a covariate, as numbers or texts like the column of the data. */
function valuesOf(table: Table, { name, kind }: Column): (number | string | null)[] {
  if (kind === 'number')
    return Array.from(numbers(table, name), (value) => (Number.isNaN(value) ? null : value));
  return texts(table, name).map((text) => (text === '' ? null : text));
}

function checkRows(given: Keyed, data: Keyed, { target, series }: PanelOptions): void {
  const { source, lines, columns } = given.table;
  const fail = (row: number, message: string) =>
    new UnrollError('data', `${source}, line ${lines[row]}${message}`, { source, line: lines[row] });
  const known = new Set(data.ids);
  const seen = new Map<string, number>();
  const targets = columns.find((each) => each.name === target)?.cells;
  for (const [row, id] of given.ids.entries()) {
    if (!known.has(id)) {
      const near = nearest(id, [...known]);
      const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
      throw fail(row, `, column "${series}": ${data.table.source} has no series "${id}".${hint}`);
    }
    const key = keyOf(given, row);
    const first = seen.get(key);
    if (first !== undefined) {
      const message = `${source}, lines ${lines[first]} and ${lines[row]}: duplicate time${ofSeries(id)}.`;
      throw new UnrollError('data', message, { source, lines: [lines[first], lines[row]] });
    }
    seen.set(key, row);
    if (targets !== undefined && !isMissing(targets[row]))
      throw fail(row, `, column "${target}": the target of rows to forecast must be empty.`);
  }
}
