/**
 * Times that are split over several columns, such as year and month, or date and clock time. The parts of each row are joined
 * into one text in a new column. Its name lists the parts, and it is read like any other time column.
 */
import { cellNumber, isMissing } from './number-format.js';
import { type Cell, type Column, column, type Table } from './table.js';

const PARTS = ['year', 'month', 'day', 'hour', 'minute', 'second'];

/**
 * Returns the names of the columns year, month, day, hour, minute and second up to the first missing one, joined by commas;
 * undefined if there is no year or no month.
 */
export function findTimeParts(names: readonly string[]): string | undefined {
  const parts = PARTS.map((part) => names.find((name) => name.trim().toLowerCase() === part));
  const end = parts.indexOf(undefined);
  const present = end < 0 ? parts : parts.slice(0, end);
  return present.length < 2 ? undefined : present.join();
}

/**
 * If `name` lists several columns, separated by commas, returns the table with an added column `name` that contains the joined
 * times. The listed columns are `year,month,day,hour,minute,second` or the first two or more of these, `year,quarter`,
 * `year,week`, or a date and a clock time or hour (`date,time`). Returns the table itself for a single name, or if the table
 * already has a column `name`.
 * @throws UnrollError `data` if one of the columns does not exist
 */
export function withTimeParts(table: Table, name: string): Table {
  if (!name.includes(',') || table.columns.some((existing) => existing.name === name)) return table;
  const parts = sortParts(name.split(',').map((part) => column(table, part.trim())));
  const join = parts[0].kind === 'number' ? joinNumbers : joinDate;
  const cells = Array.from({ length: table.rowCount }, (_, row) => {
    const values = parts.map((part) => part.cells[row]);
    return values.some(isMissing) ? null : join(values, parts, table.decimal);
  });
  // Error messages refer to the position of the first part.
  const added: Column = { name, position: parts[0].position, kind: 'text', cells };
  return { ...table, columns: [...table.columns, added] };
}

/** Sorts the columns from year to second if all have these names; otherwise keeps their order. */
function sortParts(parts: Column[]): Column[] {
  const rank = (part: Column) => PARTS.indexOf(part.name.trim().toLowerCase());
  return parts.every((part) => rank(part) >= 0) ? parts.sort((a, b) => rank(a) - rank(b)) : parts;
}

/** Joins the cells of one row. */
type Join = (cells: readonly Cell[], parts: readonly Column[], decimal: '.' | ',') => string;

/** The separator before each part. */
const SEPARATORS = ['', '-', '-', 'T', ':', ':'];

/** Joins 2010, 1, 2, 3 into 2010-01-02T03:00. A cell that is not a number is kept, and reading the column reports it. */
const joinNumbers: Join = (cells, parts, decimal) => {
  const digits = cells.map((cell, i) => {
    const value = cellNumber(cell, decimal) ?? String(cell).trim();
    return String(value).padStart(i === 0 ? 4 : 2, '0');
  });
  const secondName = parts[1].name.trim().toLowerCase();
  if (secondName === 'quarter') return `${digits[0]}-Q${Number(digits[1])}`;
  if (secondName === 'week') return `${digits[0]}-W${digits[1]}`;
  return digits.map((part, i) => (SEPARATORS[i] ?? ' ') + part).join('') + (digits.length === 4 ? ':00' : '');
};

/** Joins a date, as written, and clock times; an hour such as 18 becomes 18:00. */
const joinDate: Join = ([date, ...clock], _, decimal) => {
  const day = date instanceof Date ? date.toISOString().slice(0, 10) : String(date).trim();
  const times = clock.map((cell) => {
    const hour = cellNumber(cell, decimal);
    return hour === undefined ? String(cell).trim() : `${String(hour).padStart(2, '0')}:00`;
  });
  return [day, ...times].join(' ');
};
