/**
 * Adds the future covariates of a separate table to the data. Rows are matched by series and time. The two tables may differ
 * in the order of rows and columns and in the format of times and numbers.
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
  placeOf,
  type Table,
  type TimeColumn,
  texts,
  times,
  withTimeParts,
} from '@unroll/data';
import { checkSize, type PanelOptions, timeColumnOf, timeOptions, withCleanNames } from './panel.js';
import { ofSeries } from './rows.js';

/** A table with the time and series of each row, which identify the row. */
interface KeyedTable {
  table: Table;
  time: TimeColumn;
  ids: readonly string[];
}

/** Returns the key of a row: the same for rows of the same series and time. */
const keyOf = ({ ids, time }: KeyedTable, row: number): string => `${time.values[row]} ${ids[row]}`;

/**
 * Returns `table` with the future covariates of `rows`. If `table` has no row of the same series and time, a row without a target is
 * added. If `table` has such a row, its covariates are set, unless its target is known.
 * @throws UnrollError `data` if `table` has no time column, or if `rows` has an unknown series, a duplicate row, a row with a
 *   target or a value that cannot be read. Errors in `rows` name the file and the line
 */
export function addFutureRows(table: Table, rows: Table, panelOptions: PanelOptions): Table {
  const options = withCleanNames(panelOptions);
  const name = timeColumnOf(table, options);
  if (name === null) {
    throw new UnrollError(
      'data',
      `${table.source} has no time column, which is needed to join ${rows.source}. Name it with the option time.`,
    );
  }
  const data = withKeys(withTimeParts(table, name), name, options);
  const future = withKeys(withTimeParts(rows, name), name, { timeFormat: data.time.format, ...options });
  checkRows(future, data, options);
  const dataRowOf = new Map(data.ids.map((_, row) => [keyOf(data, row), row]));
  const newRows = Array.from(future.ids.keys()).filter((row) => !dataRowOf.has(keyOf(future, row)));
  const hasTarget = column(table, options.target).cells.map((cell) => !isMissing(cell));
  const firstRowOf = new Map(data.ids.map((id, row) => [id, row] as const).reverse());
  const columns = data.table.columns.map((dataColumn): Column => {
    const extended = (newCell: (row: number) => Cell): Column =>
      appendCells(dataColumn, newRows.map(newCell));
    if (dataColumn.name === name)
      return extended((row) => timeCell(dataColumn, future.time.values[row], data.time));
    if (dataColumn.name === options.series) return extended((row) => future.ids[row]);
    if (options.static?.includes(dataColumn.name))
      return extended((row) => dataColumn.cells[firstRowOf.get(future.ids[row])!]);
    if (!options.future?.includes(dataColumn.name)) return extended(() => null);
    const values = valuesOf(future.table, dataColumn);
    const cells = dataColumn.cells.slice();
    for (const [row, value] of values.entries()) {
      const dataRow = dataRowOf.get(keyOf(future, row));
      if (dataRow !== undefined && !hasTarget[dataRow] && value !== null) cells[dataRow] = value;
    }
    const newCells = newRows.map((row) => values[row]);
    return appendCells({ ...dataColumn, cells }, newCells);
  });
  const appended = { firstRow: table.rowCount, source: rows.source, numbering: rows.numbering ?? 'row' };
  return {
    ...data.table,
    columns,
    rowCount: table.rowCount + newRows.length,
    lines: Int32Array.from([...table.lines, ...newRows.map((row) => rows.lines[row])]),
    appended,
  };
}

function appendCells(column: Column, cells: readonly Cell[]): Column {
  return { ...column, cells: [...column.cells, ...cells] };
}

function withKeys(table: Table, timeColumn: string, options: PanelOptions): KeyedTable {
  const { series } = options;
  const time = times(table, timeColumn, timeOptions(options));
  const ids = series === undefined ? Array.from(time.values, () => '') : texts(table, series);
  return { table, time, ids };
}

/** Returns a time as a cell of the column: a Date, or text in the format of the column. */
function timeCell({ cells }: Column, value: number, { format }: TimeColumn): Cell {
  return cells[0] instanceof Date ? new Date(value) : formatTime(value, format);
}

/** Returns the values of a covariate as numbers or strings, like the column of the data; null if missing. */
function valuesOf(table: Table, { name, kind }: Column): (number | string | null)[] {
  if (kind === 'number') {
    const values = numbers(table, name);
    checkSize(table, name, values);
    return Array.from(values, (value) => (Number.isNaN(value) ? null : value));
  }
  return texts(table, name).map((text) => (text === '' ? null : text));
}

function checkRows(future: KeyedTable, data: KeyedTable, { target, series }: PanelOptions): void {
  const { source, lines, columns } = future.table;
  const fail = (row: number, message: string) =>
    new UnrollError('data', `${source}, ${placeOf(future.table, row)}${message}`, {
      source,
      line: lines[row],
    });
  const dataIds = new Set(data.ids);
  const firstRowOf = new Map<string, number>();
  const targets = columns.find((each) => each.name === target)?.cells;
  for (const [row, id] of future.ids.entries()) {
    if (!dataIds.has(id)) {
      const similar = nearest(id, [...dataIds]);
      const hint = similar === undefined ? '' : ` Did you mean "${similar}"?`;
      throw fail(row, `, column "${series}": ${data.table.source} has no series "${id}".${hint}`);
    }
    const key = keyOf(future, row);
    const first = firstRowOf.get(key);
    if (first !== undefined) {
      const message = `${source}, ${placeOf(future.table, first, row)}: duplicate time${ofSeries(id)}.`;
      throw new UnrollError('data', message, { source, lines: [lines[first], lines[row]] });
    }
    firstRowOf.set(key, row);
    if (targets !== undefined && !isMissing(targets[row]))
      throw fail(row, `, column "${target}": the target of rows to forecast must be empty.`);
  }
}
