/**
 * Tables: named columns of cells, and for each row its line in the source, so that error messages can name it. Cells
 * stay as they were read; `numbers` and `texts` convert a column and report the first cell that does not fit.
 */
import { UnrollError, valueError } from '@unroll/core';
import { checkOptions, nearest } from '@unroll/core/internal';
import {
  cellNumber,
  type Decimal,
  isErrorValue,
  type NumberFormat,
  type NumberOptions,
  numberFormats,
  SEPARATOR_OPTIONS,
} from './number-format.js';

/** One cell as read: text files give strings, JSON and Parquet also numbers, booleans and dates. Null is missing. */
export type Cell = string | number | boolean | Date | null;

export interface Column {
  readonly name: string;
  /** Position in the source, from 1. */
  readonly position: number;
  readonly kind: 'number' | 'text' | 'time';
  readonly cells: readonly Cell[];
  /** How its numbers are written. Default: with the decimal separator of the table. */
  readonly format?: NumberFormat;
  /** Notes about uncertain decisions in reading the cells, one sentence each. Default: none. */
  readonly notes?: readonly string[];
  /** The first row that contains a list or a structure; such a column cannot be read. */
  readonly nested?: number;
}

export interface Table {
  /** Name of the source for messages, usually a file name. */
  readonly source: string;
  readonly columns: readonly Column[];
  readonly rowCount: number;
  /** Line (or record number) of the source, from 1, at which each row begins. */
  readonly lines: Int32Array;
  /** The character that separates integers from fractions. */
  readonly decimal: Decimal;
}

/** Converts a typed value (of JSON, Parquet, DuckDB) to a cell; undefined for lists and structures. */
export function cellOf(value: unknown): Cell | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  return value instanceof Date ? value : undefined;
}

export interface TableParts extends NumberOptions {
  source: string;
  names: readonly string[];
  /** One array of cells for each name, all of the same length; undefined for a list or a structure. */
  cells: readonly (readonly (Cell | undefined)[])[];
  lines?: ArrayLike<number>;
  /** The field delimiter of a text file: a hint at its decimal separator. */
  delimiter?: string;
}

/** Zero-width characters, byte order marks and soft hyphens, which are invisible. */
const INVISIBLE = /[\u200B-\u200D\u2060\uFEFF\u00AD]/g;

/** Normalises a column name for comparison: NFC, without invisible characters and surrounding space. */
export const cleanName = (name: string): string => name.normalize('NFC').replace(INVISIBLE, '').trim();

/**
 * Makes a table from columns. Duplicate names and columns of lists are errors only when such a column is read.
 * @throws UnrollError `data` if the columns differ in length, `value` if decimal and thousands separators are equal
 */
export function makeTable(parts: TableParts): Table {
  const { source } = parts;
  checkSeparators(parts);
  const names = parts.names.map(cleanName);
  const rowCount = parts.cells[0]?.length ?? 0;
  const nested = parts.cells.map((cells) => cells.indexOf(undefined));
  const cells = parts.cells.map((own, i) => (nested[i] < 0 ? (own as Cell[]) : own.map(() => null)));
  for (const [i, name] of names.entries()) {
    if (cells[i].length === rowCount) continue;
    const message = `${source}: column "${name}" must have ${rowCount} cells, got ${cells[i].length}.`;
    throw new UnrollError('data', message);
  }
  const lines = Int32Array.from(parts.lines ?? Array.from({ length: rowCount }, (_, i) => i + 1));
  const { decimal, columns } = numberFormats(names, cells, parts);
  return {
    source,
    columns: columns.map((each, i) => ({
      ...{ name: names[i], position: i + 1, ...each, cells: cells[i] },
      ...(nested[i] >= 0 && { nested: nested[i] }),
    })),
    rowCount,
    lines,
    decimal,
  };
}

function checkSeparators({ decimal, thousands }: NumberOptions): void {
  checkOptions('makeTable', { decimal, thousands }, SEPARATOR_OPTIONS);
  if (decimal !== undefined && decimal === thousands)
    throw valueError(`decimal and thousands must differ, got "${decimal}" for both.`, { decimal, thousands });
}

/**
 * The column of a name. Names are compared after NFC normalisation and without invisible characters.
 * @throws UnrollError `data` for an unknown name (the message lists the columns and the nearest name), for different
 * columns of that name, and for a column that contains lists
 */
export function column(table: Table, name: string): Column {
  const wanted = cleanName(name);
  const found = table.columns.filter((candidate) => candidate.name === name || candidate.name === wanted);
  if (found.length === 0) throw unknownColumn(table, name);
  const [first, ...more] = found;
  const other = more.find(({ cells }) => cells.some((cell, row) => !sameCell(cell, first.cells[row])));
  if (other !== undefined) {
    throw new UnrollError(
      'data',
      `${table.source}: columns ${first.position} and ${other.position} are both called "${name}" and differ. Rename one of them.`,
      { name },
    );
  }
  if (first.nested !== undefined) {
    throw new UnrollError(
      'data',
      `${table.source}, line ${table.lines[first.nested]}, column "${name}" (${first.position}): a cell must hold a ` +
        'number, text or time, got a list or a structure.',
      { source: table.source, line: table.lines[first.nested], column: name },
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

/** Joins names for a message, at most twelve. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(', ');
  return names.length > 12 ? `${shown}, and ${names.length - 12} more` : shown;
}

/**
 * A column as numbers; missing cells become NaN.
 * @throws UnrollError `data` for the first cell that is not a number; the message names file, line and column
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

interface Where {
  name: string;
  position: number;
  format: NumberFormat;
}

function notANumber(table: Table, row: number, { name, position, format }: Where): UnrollError {
  const line = table.lines[row];
  const cell = column(table, name).cells[row];
  const found = cellNumber(cell, format.decimal);
  const what =
    format.mixed !== undefined && found !== undefined
      ? `${showCell(cell)} ${MIXED[format.mixed]}`
      : `${showCell(cell)} is not a number. Write a number such as ${numberHint(cell, format.decimal)}, or leave the cell empty.`;
  return new UnrollError('data', `${table.source}, line ${line}, column "${name}" (${position}): ${what}`, {
    ...{ source: table.source, line, column: name, cell },
  });
}

const MIXED = {
  percent: 'has a percent sign, but other cells have none. Write all numbers in the same unit.',
  currency: 'has a currency sign, but other cells have a different one. Write all numbers in the same unit.',
};

/**
 * The number in the cell without thousands separators and units, as an example for messages. The last kind of point
 * or comma is the decimal separator, unless there is only one kind and three digits follow each.
 */
function numberHint(cell: Cell, decimal: Decimal): string {
  const example = decimal === ',' ? '12,5' : '12.5';
  if (typeof cell !== 'string' || /\d\p{L}+[+-]?\d/u.test(cell)) return example; // letters between digits are not a unit
  const negative = /^\s*\(.*\)\s*$/.test(cell) ? '-' : '';
  const marked = negative + cell.replace(/[\u2212\u2013]/g, '-').replace(/[^\d.,+-]/g, '');
  const last = marked.lastIndexOf('.') > marked.lastIndexOf(',') ? '.' : ',';
  const other = last === '.' ? ',' : '.';
  const thousands = last !== decimal && !marked.includes(other) && /^[+-]?\d{1,3}([.,]\d{3})+$/.test(marked);
  const bare = thousands ? marked.replaceAll(last, '') : marked.replaceAll(other, '').replace(last, decimal);
  return bare !== '' && cellNumber(bare, decimal) !== undefined ? bare : example;
}

/** A cell for a message: in quotes, cut to 40 characters. */
export function showCell(cell: Cell): string {
  if (cell instanceof Date) return cell.toISOString();
  const text = String(cell).replace(/\s+/g, ' ');
  return `"${text.length > 40 ? `${text.slice(0, 39)}…` : text}"`;
}

/** The notations of a missing value in a text column. NA, none, - and ? are not among them, as they may be words. */
const NO_TEXT = new Set(['', '#n/a', 'nan', 'null']);

/** A column as text; missing cells (empty, NaN, null, error values such as #N/A) become the empty string. */
export function texts(table: Table, name: string): string[] {
  return column(table, name).cells.map((cell) => {
    if (cell === null) return '';
    const text = cell instanceof Date ? cell.toISOString() : String(cell).trim();
    return NO_TEXT.has(text.toLowerCase()) || isErrorValue(text) ? '' : text;
  });
}
