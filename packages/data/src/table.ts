/**
 * Tables: named columns of cells, with the line of each row in the source for error messages. Cells are stored as they
 * were read. `numbers` and `texts` convert a column; `numbers` reports the first cell that is not a number.
 */
import { UnrollError, valueError } from '@unroll/core';
import { checkOptions, nearest } from '@unroll/core/internal';
import { numberFormats } from './number-detection.js';
import {
  cellNumber,
  type Decimal,
  isErrorValue,
  type NumberFormat,
  type NumberOptions,
  SEPARATOR_OPTIONS,
} from './number-format.js';

/** A cell as read. Text files give strings; JSON and Parquet also give numbers, booleans and dates. Null: missing. */
export type Cell = string | number | boolean | Date | null;

export interface Column {
  readonly name: string;
  /** Position in the source, from 1. */
  readonly position: number;
  readonly kind: 'number' | 'text' | 'time';
  readonly cells: readonly Cell[];
  /** How the numbers of the column are written. Default: the decimal separator of the table, and any thousands separator. */
  readonly format?: NumberFormat;
  /** Notes about uncertain decisions in reading the cells. Default: none. */
  readonly notes?: readonly string[];
  /** Index of the first row whose cell is a list or an object. Only `nestedValues` reads such a column. */
  readonly firstNestedRow?: number;
  /** The values of a column with lists or objects, as they were parsed. */
  readonly values?: readonly unknown[];
}

/** What the number of a row refers to: a line of a text file, a record of a JSON array, or a row. */
export type RowNumbering = 'line' | 'record' | 'row';

/** The last rows of a table, if they come from another source than the other rows. Of several sources, only the last one is kept. */
export interface AppendedRows {
  /** Index of the first of these rows. */
  readonly firstRow: number;
  /** Name of their source for messages. */
  readonly source: string;
  /** What `lines` counts in these rows. */
  readonly numbering: RowNumbering;
}

export interface Table {
  /** Name of the source for messages, usually a file name. */
  readonly source: string;
  readonly columns: readonly Column[];
  readonly rowCount: number;
  /** Number of each row in the source, from 1: the line at which the row begins, or its number as a record or row. */
  readonly lines: Int32Array;
  /** What `lines` counts. Default: `row`. */
  readonly numbering?: RowNumbering;
  /** The last rows, if they come from another source. Default: all rows come from `source`. */
  readonly appended?: AppendedRows;
  /** Decimal separator. */
  readonly decimal: Decimal;
}

/** Converts a typed value (from JSON, Parquet or DuckDB) to a cell; returns undefined for lists and objects. */
export function cellOf(value: unknown): Cell | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  return value instanceof Date ? value : undefined;
}

export interface TableParts extends NumberOptions {
  source: string;
  names: readonly string[];
  /** One array of cells for each name, all of the same length; undefined for a list or an object. */
  cells: readonly (readonly (Cell | undefined)[])[];
  /** For columns that contain lists or objects: the parsed values by column name. Default: none. */
  nested?: ReadonlyMap<string, readonly unknown[]>;
  /** Number of each row in the source. Default: 1, 2, 3, ... */
  lines?: ArrayLike<number>;
  /** What `lines` counts. Default: `line` with `lines`, otherwise `row`. */
  numbering?: RowNumbering;
  /** The field delimiter of a text file, which helps to detect its decimal separator. */
  delimiter?: string;
}

/** Zero-width characters, byte order marks and soft hyphens. */
const INVISIBLE = /[\u200B-\u200D\u2060\uFEFF\u00AD]/g;

/** Normalises a column name for comparison: NFC, without invisible characters and surrounding space. */
export const cleanName = (name: string): string => name.normalize('NFC').replace(INVISIBLE, '').trim();

/**
 * Returns a table with these columns, and detects how their numbers are written. Columns with duplicate names, lists or
 * objects throw an error only when they are read.
 * @throws UnrollError `data` if the columns differ in length, `value` if decimal and thousands separators are equal
 */
export function makeTable(parts: TableParts): Table {
  const { source } = parts;
  checkSeparators(parts);
  const names = parts.names.map(cleanName);
  const rowCount = parts.cells[0]?.length ?? 0;
  const nestedRows = parts.cells.map((cells) => cells.indexOf(undefined));
  const cells = parts.cells.map((list, i) => (nestedRows[i] < 0 ? (list as Cell[]) : list.map(() => null)));
  for (const [i, name] of names.entries()) {
    if (cells[i].length === rowCount) continue;
    const message = `${source}: column "${name}" must have ${rowCount} cells, got ${cells[i].length}.`;
    throw new UnrollError('data', message);
  }
  const lines = Int32Array.from(parts.lines ?? Array.from({ length: rowCount }, (_, i) => i + 1));
  const { decimal, columns } = numberFormats(names, cells, parts);
  return {
    source,
    columns: columns.map((detected, i) => ({
      ...{ name: names[i], position: i + 1, ...detected, cells: cells[i] },
      ...(nestedRows[i] >= 0 && {
        firstNestedRow: nestedRows[i],
        values: parts.nested?.get(parts.names[i]),
      }),
    })),
    rowCount,
    lines,
    numbering: parts.numbering ?? (parts.lines === undefined ? 'row' : 'line'),
    decimal,
  };
}

function checkSeparators({ decimal, thousands }: NumberOptions): void {
  checkOptions('makeTable', { decimal, thousands }, SEPARATOR_OPTIONS);
  if (decimal !== undefined && decimal === thousands)
    throw valueError(`decimal and thousands must differ, got "${decimal}" for both.`, { decimal, thousands });
}

/** Returns where rows are in the source, for messages: `line 3`, `lines 3 and 7`, `record 2`, `row 1`. */
export function placeOf(
  { lines, numbering = 'row' }: Pick<Table, 'lines' | 'numbering'>,
  ...rows: number[]
): string {
  return `${numbering}${rows.length === 1 ? '' : 's'} ${rows.map((row) => lines[row]).join(' and ')}`;
}

type Rows = Pick<Table, 'source' | 'lines' | 'numbering' | 'appended'>;

/** Returns the name of the source of a row. */
export const sourceOf = ({ source, appended }: Rows, row: number): string =>
  appended !== undefined && row >= appended.firstRow ? appended.source : source;

/** Returns source and position of rows, for messages: `data.csv, lines 3 and 7`, `data.csv, line 9, and future.csv, line 2`. */
export function locationOf(table: Rows, ...rows: number[]): string {
  const { appended } = table;
  const firstAppended = appended?.firstRow ?? Number.POSITIVE_INFINITY;
  const own = rows.filter((row) => row < firstAppended);
  const later = rows.filter((row) => row >= firstAppended);
  return [
    ...(own.length > 0 ? [`${table.source}, ${placeOf(table, ...own)}`] : []),
    ...(appended !== undefined && later.length > 0
      ? [`${appended.source}, ${placeOf({ lines: table.lines, numbering: appended.numbering }, ...later)}`]
      : []),
  ].join(', and ');
}

/**
 * Returns the column with the given name. Names are compared after NFC normalisation and without invisible characters.
 * @throws UnrollError `data` for an unknown name (the message lists the columns and suggests the nearest name), for
 * several different columns of that name, and for a column that contains lists or objects
 */
export function column(table: Table, name: string): Column {
  const found = findColumn(table, name);
  const { firstNestedRow, position } = found;
  if (firstNestedRow === undefined) return found;
  throw new UnrollError(
    'data',
    `${locationOf(table, firstNestedRow)}, column ${position} ("${name}"): a cell must hold a number, text or ` +
      'time, got a list or an object.',
    { source: sourceOf(table, firstNestedRow), line: table.lines[firstNestedRow], column: name },
  );
}

/**
 * Returns the values of a column as they were parsed, including lists and objects of JSON and Parquet.
 * @throws UnrollError `data` for an unknown name, and for several different columns of that name
 */
export function nestedValues(table: Table, name: string): readonly unknown[] {
  const { cells, values } = findColumn(table, name);
  return values ?? cells;
}

/**
 * Returns the column with the given name. The column may contain lists or objects.
 * @throws UnrollError `data` for an unknown or ambiguous name
 */
export function findColumn(table: Table, name: string): Column {
  const cleaned = cleanName(name);
  const matches = table.columns.filter((candidate) => candidate.name === name || candidate.name === cleaned);
  if (matches.length === 0) throw unknownColumn(table, name);
  const [first, ...duplicates] = matches;
  const other = duplicates.find(({ cells }) => cells.some((cell, row) => !sameCell(cell, first.cells[row])));
  if (other !== undefined) {
    throw new UnrollError(
      'data',
      `${table.source}: columns ${first.position} and ${other.position} are both called "${name}" and differ. Rename one of them.`,
      { name },
    );
  }
  return first;
}

const sameCell = (a: Cell, b: Cell): boolean =>
  Object.is(a, b) || (a instanceof Date && b instanceof Date && a.getTime() === b.getTime());

function unknownColumn(table: Table, name: string): UnrollError {
  const names = table.columns.map((candidate) => candidate.name);
  const near = nearest(name, names);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  return new UnrollError(
    'data',
    `${table.source} has no column "${name}".${hint} Its columns: ${listNames(names)}.`,
    { source: table.source, column: name, columns: names, near },
  );
}

/** Joins the first twelve names for a message, with the number of further names. */
export function listNames(names: readonly string[]): string {
  const list = names.slice(0, 12).join(', ');
  return names.length > 12 ? `${list}, and ${names.length - 12} more` : list;
}

/**
 * Returns a column as numbers; missing cells become NaN.
 * @throws UnrollError `data` for the first cell that is not a number; the message gives file, line and column
 */
export function numbers(table: Table, name: string): Float64Array {
  const { cells, position, format = { decimal: table.decimal } } = column(table, name);
  const values = new Float64Array(cells.length);
  for (let row = 0; row < cells.length; row++) {
    const value = cellNumber(cells[row], format);
    if (value === undefined || Math.abs(value) === Number.POSITIVE_INFINITY)
      throw notANumber(table, row, { name, position, format });
    values[row] = value;
  }
  return values;
}

interface NumberColumn {
  name: string;
  position: number;
  format: NumberFormat;
}

function notANumber(table: Table, row: number, { name, position, format }: NumberColumn): UnrollError {
  const line = table.lines[row];
  const cell = column(table, name).cells[row];
  const value = cellNumber(cell, format.decimal);
  const fault =
    format.mixed !== undefined && value !== undefined
      ? `${formatCell(cell)} ${MIXED_UNITS[format.mixed]}`
      : `${formatCell(cell)} is not a number. Write a number such as ${numberHint(cell, format.decimal)}, or leave the cell empty.`;
  return new UnrollError('data', `${locationOf(table, row)}, column ${position} ("${name}"): ${fault}`, {
    ...{ source: sourceOf(table, row), line, column: name, cell },
  });
}

/** The end of the messages about columns with mixed units. The message begins with the cell. */
const MIXED_UNITS = {
  percent: 'has a percent sign, but other cells have none. Write all numbers in the same unit.',
  currency: 'has a currency sign, but other cells have a different one. Write all numbers in the same unit.',
};

/**
 * Returns an example of a valid number for a message: the number in the cell without thousands separators and units, or
 * 12.5 if this is not a number. The last point or comma is taken as the decimal separator, with one exception: in a cell
 * such as 1.234.567, the separators are taken as thousands separators, because they are all the same character, that character
 * is not the decimal separator of the column, and exactly three digits follow each of them.
 */
function numberHint(cell: Cell, decimal: Decimal): string {
  const example = decimal === ',' ? '12,5' : '12.5';
  if (typeof cell !== 'string' || /\d\p{L}+[+-]?\d/u.test(cell)) return example; // not a number with a unit
  const negative = /^\s*\(.*\)\s*$/.test(cell) ? '-' : '';
  const digits = negative + cell.replace(/[\u2212\u2013]/g, '-').replace(/[^\d.,+-]/g, '');
  const last = digits.lastIndexOf('.') > digits.lastIndexOf(',') ? '.' : ',';
  const other = last === '.' ? ',' : '.';
  const thousands = last !== decimal && !digits.includes(other) && /^[+-]?\d{1,3}([.,]\d{3})+$/.test(digits);
  const hint = thousands ? digits.replaceAll(last, '') : digits.replaceAll(other, '').replace(last, decimal);
  return hint !== '' && cellNumber(hint, decimal) !== undefined ? hint : example;
}

/** Returns a cell for a message: a time in ISO format, anything else in quotes and cut to 40 characters. */
export function formatCell(cell: Cell): string {
  if (cell instanceof Date) return cell.toISOString();
  const text = String(cell).replace(/\s+/g, ' ');
  return `"${text.length > 40 ? `${text.slice(0, 39)}…` : text}"`;
}

/** Notations of a missing value in a text column. NA, none, - and ? are not included, because they may be values. */
const MISSING_TEXT = new Set(['', '#n/a', 'nan', 'null']);

/** Returns a column as text; missing cells (empty, NaN, null, error values such as #N/A) become the empty string. */
export function texts(table: Table, name: string): string[] {
  return column(table, name).cells.map((cell) => {
    if (cell === null) return '';
    const text = cell instanceof Date ? cell.toISOString() : String(cell).trim();
    return MISSING_TEXT.has(text.toLowerCase()) || isErrorValue(text) ? '' : text;
  });
}
