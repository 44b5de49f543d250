/**
 * Times split over several columns: year, month and so on, or a date and a clock time. They are joined to ISO texts
 * in an additional column, named after all parts, which is then read like any other time column.
 */
import { cellNumber, isMissing } from './number-format.js';
import { type Cell, type Column, column, type Table } from './table.js';

const PARTS = ['year', 'month', 'day', 'hour', 'minute', 'second'];

/** The names of the columns year, month, day, ..., joined by commas; undefined if there is no year or no month. */
export function findTimeParts(names: readonly string[]): string | undefined {
  const parts = PARTS.map((part) => names.find((name) => name.trim().toLowerCase() === part));
  const end = parts.indexOf(undefined);
  const found = end < 0 ? parts : parts.slice(0, end);
  return found.length < 2 ? undefined : found.join();
}

/**
 * If `name` lists several columns that make up the time, adds one column with the joined times: `year,month,day,hour`
 * (or the first parts of this list), `year,quarter`, `year,week`, or a date and a clock time or hour, `date,time`.
 * Otherwise returns the table itself.
 * @throws UnrollError `data` if one of the columns does not exist
 */
export function withTimeParts(table: Table, name: string): Table {
  if (!name.includes(',') || table.columns.some((each) => each.name === name)) return table;
  const parts = inOrder(name.split(',').map((part) => column(table, part.trim())));
  const joined = parts[0].kind === 'number' ? joinNumbers : joinDate;
  const cells = Array.from({ length: table.rowCount }, (_, row) => {
    const own = parts.map((part) => part.cells[row]);
    return own.some(isMissing) ? null : joined(own, parts, table.decimal);
  });
  // For messages: the column in which to look.
  const added: Column = { name, position: parts[0].position, kind: 'text', cells };
  return { ...table, columns: [...table.columns, added] };
}

/** Sorts columns with the usual names from year to second; other columns keep their order. */
function inOrder(parts: Column[]): Column[] {
  const rank = (part: Column) => PARTS.indexOf(part.name.trim().toLowerCase());
  return parts.every((part) => rank(part) >= 0) ? parts.sort((a, b) => rank(a) - rank(b)) : parts;
}

type Join = (cells: readonly Cell[], parts: readonly Column[], decimal: '.' | ',') => string;

const MARKS = ['', '-', '-', 'T', ':', ':'];

/** 2010, 1, 2, 3 becomes 2010-01-02T03:00. Text that is not a number is kept; reading the column reports it. */
const joinNumbers: Join = (cells, parts, decimal) => {
  const digits = cells.map((cell, i) => {
    const value = cellNumber(cell, decimal) ?? String(cell).trim();
    return String(value).padStart(i === 0 ? 4 : 2, '0');
  });
  const second = parts[1].name.trim().toLowerCase();
  if (second === 'quarter') return `${digits[0]}-Q${Number(digits[1])}`;
  if (second === 'week') return `${digits[0]}-W${digits[1]}`;
  return digits.map((part, i) => (MARKS[i] ?? ' ') + part).join('') + (digits.length === 4 ? ':00' : '');
};

/** Joins a date as written and a clock time; the hour 18 becomes 18:00. */
const joinDate: Join = ([date, ...clock], _, decimal) => {
  const day = date instanceof Date ? date.toISOString().slice(0, 10) : String(date).trim();
  const rest = clock.map((cell) => {
    const hour = cellNumber(cell, decimal);
    return hour === undefined ? String(cell).trim() : `${String(hour).padStart(2, '0')}:00`;
  });
  return [day, ...rest].join(' ');
};
