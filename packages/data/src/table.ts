/**
 * Tables: named columns of cells, with the line of the source that each row came from, so that an error can say where
 * to look. Cells stay as they were read; `numbers` and `texts` turn a column into values and name the first cell that
 * does not fit.
 */
import { UnrollError } from '@unroll/core';
import { nearest } from '@unroll/core/internal';

/** One cell as read: text files give strings, JSON and Parquet also numbers, booleans and dates. Null is missing. */
export type Cell = string | number | boolean | Date | null;

export interface Column {
  readonly name: string;
  /** Position in the source, from 1. */
  readonly position: number;
  readonly kind: 'number' | 'text' | 'time';
  readonly cells: readonly Cell[];
}

export interface Table {
  /** Where the table came from, for messages: usually a file name. */
  readonly source: string;
  readonly columns: readonly Column[];
  readonly rowCount: number;
  /** Line (or record number) of the source, from 1, at which each row begins. */
  readonly lines: Int32Array;
  /** The character that separates whole numbers from fractions. */
  readonly decimal: '.' | ',';
}

const MISSING = new Set(['', 'na', 'n/a', '#n/a', 'nan', 'null', 'none', '-', '?']);
const POINT_NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const COMMA_NUMBER = /^[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?$/;

/** True for null and for the usual ways of writing "no value": empty, NA, n/a, NaN, null, none, -, ?. */
export function isMissing(cell: Cell): boolean {
  if (cell === null) return true;
  if (typeof cell === 'number') return Number.isNaN(cell);
  return typeof cell === 'string' && MISSING.has(cell.trim().toLowerCase());
}

/** The number in a cell; NaN when the cell is missing, undefined when it holds something else. */
export function cellNumber(cell: Cell, decimal: '.' | ',' = '.'): number | undefined {
  if (typeof cell === 'number') return cell;
  if (isMissing(cell)) return Number.NaN;
  if (typeof cell === 'boolean') return cell ? 1 : 0;
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim();
  if (decimal === ',') return COMMA_NUMBER.test(text) ? Number(text.replace(',', '.')) : undefined;
  return POINT_NUMBER.test(text) ? Number(text) : undefined;
}

/**
 * A value of a reader that has types (Parquet, DuckDB) as a cell.
 * @throws UnrollError `data` for lists and structures
 */
export function cellOf(value: unknown, where: string): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof Date) return value;
  throw new UnrollError(
    'data',
    `${where}: a number, text or time is needed, and this is a list or a structure.`,
  );
}

export interface TableParts {
  source: string;
  names: readonly string[];
  /** One array of cells for each name, all of the same length. */
  cells: readonly (readonly Cell[])[];
  lines?: ArrayLike<number>;
  decimal?: '.' | ',';
}

/**
 * A table from its columns.
 * @throws UnrollError `data` when a name appears twice or the columns differ in length
 */
export function makeTable(parts: TableParts): Table {
  const { source, names, cells, decimal = '.' } = parts;
  const rowCount = cells[0]?.length ?? 0;
  for (const [i, name] of names.entries()) {
    const first = names.indexOf(name);
    if (first !== i) {
      throw new UnrollError(
        'data',
        `${source}: columns ${first + 1} and ${i + 1} are both called "${name}".`,
        { name },
      );
    }
    if (cells[i].length !== rowCount) {
      throw new UnrollError(
        'data',
        `${source}: column "${name}" has ${cells[i].length} cells, not ${rowCount}.`,
      );
    }
  }
  const lines = Int32Array.from(parts.lines ?? Array.from({ length: rowCount }, (_, i) => i + 1));
  const columns = names.map((name, i) => ({
    name,
    position: i + 1,
    kind: kindOf(cells[i], decimal),
    cells: cells[i],
  }));
  return { source, columns, rowCount, lines, decimal };
}

function kindOf(cells: readonly Cell[], decimal: '.' | ','): Column['kind'] {
  let seen: Column['kind'] | null = null;
  for (const cell of cells) {
    if (isMissing(cell)) continue;
    const kind = cell instanceof Date ? 'time' : cellNumber(cell, decimal) === undefined ? 'text' : 'number';
    if (seen !== null && seen !== kind) return 'text';
    seen = kind;
  }
  return seen ?? 'text';
}

/**
 * The column of that name.
 * @throws UnrollError `data` that lists the columns and the nearest name
 */
export function column(table: Table, name: string): Column {
  const found = table.columns.find((candidate) => candidate.name === name);
  if (found !== undefined) return found;
  const names = table.columns.map((candidate) => candidate.name);
  const near = nearest(name, names);
  const hint = near === undefined ? '' : ` Did you mean "${near}"?`;
  throw new UnrollError(
    'data',
    `${table.source} has no column "${name}".${hint} Its columns: ${listNames(names)}.`,
    { source: table.source, column: name, columns: names, near },
  );
}

/** Names for a message, the first twelve of them. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(', ');
  return names.length > 12 ? `${shown}, and ${names.length - 12} more` : shown;
}

/**
 * A column as numbers; missing cells become NaN.
 * @throws UnrollError `data` naming file, line and column of the first cell that is not a number
 */
export function numbers(table: Table, name: string): Float64Array {
  const { cells, position } = column(table, name);
  return Float64Array.from(cells, (cell, row) => {
    const value = cellNumber(cell, table.decimal);
    if (value === undefined || Math.abs(value) === Number.POSITIVE_INFINITY)
      throw notANumber(table, row, name, position, cell);
    return value;
  });
}

function notANumber(table: Table, row: number, name: string, position: number, cell: Cell): UnrollError {
  const line = table.lines[row];
  const shown = showCell(cell);
  return new UnrollError(
    'data',
    `${table.source}, line ${line}, column "${name}" (${position}): ${shown} is not a number. ` +
      `Write a number such as ${numberHint(cell, table.decimal)}, or leave the cell empty.`,
    { source: table.source, line, column: name, cell },
  );
}

/**
 * What the number in the cell would look like if its ornaments (thousands marks, units) were taken away. Of points and
 * commas the last kind is the decimal mark, but for three digits behind each of one kind alone.
 */
function numberHint(cell: Cell, decimal: '.' | ','): string {
  const example = decimal === ',' ? '12,5' : '12.5';
  if (typeof cell !== 'string') return example;
  const marked = cell.replace(/[^\d.,+-]/g, '');
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

/** What programs write for no value in a column of text; NA, none, - and ? may be words there. */
const NO_TEXT = new Set(['', '#n/a', 'nan', 'null']);

/** A column as text; missing cells (empty, #N/A, NaN, null) become the empty string. */
export function texts(table: Table, name: string): string[] {
  return column(table, name).cells.map((cell) => {
    if (cell === null) return '';
    const text = cell instanceof Date ? cell.toISOString() : String(cell).trim();
    return NO_TEXT.has(text.toLowerCase()) ? '' : text;
  });
}
