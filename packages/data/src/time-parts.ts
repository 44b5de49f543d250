/**
 * Times in several columns: a year, a month and so on, or a date and a clock. They are put together as ISO texts in a
 * column of their own, named after all of them, which is then read as any other column of times.
 */
import { cellNumber, isMissing } from './number-format.js';
import { type Cell, type Column, column, type Table } from './table.js';

const PARTS = ['year', 'month', 'day', 'hour', 'minute', 'second'];

/** The columns of a table that are named year, month, day, ..., joined by commas; undefined without year and month. */
export function findTimeParts(names: readonly string[]): string | undefined {
  const parts = PARTS.map((part) => names.find((name) => name.trim().toLowerCase() === part));
  const end = parts.indexOf(undefined);
  const found = end < 0 ? parts : parts.slice(0, end);
  return found.length < 2 ? undefined : found.join();
}

/**
 * The table with one column more where `name` lists several that make up the time: `year,month,day,hour`, as far as it
 * goes in this order, `year,quarter`, `year,week`, or a date and a clock or hour, `date,time`. Else the table itself.
 * @throws UnrollError `data` when one of them is not there
 */
export function withTimeParts(table: Table, name: string): Table {
  if (!name.includes(',') || table.columns.some((each) => each.name === name)) return table;
  const parts = inOrder(name.split(',').map((part) => column(table, part.trim())));
  const joined = parts[0].kind === 'number' ? joinNumbers : joinDate;
  const cells = Array.from({ length: table.rowCount }, (_, row) => {
    const own = parts.map((part) => part.cells[row]);
    return own.some(isMissing) ? null : joined(own, parts, table.decimal);
  });
  // The position is for messages: where in the file to look.
  const added: Column = { name, position: parts[0].position, kind: 'text', cells };
  return { ...table, columns: [...table.columns, added] };
}

/** Columns of the usual names from the year down, in whatever order they were listed; others as they were listed. */
function inOrder(parts: Column[]): Column[] {
  const place = (part: Column) => PARTS.indexOf(part.name.trim().toLowerCase());
  return parts.every((part) => place(part) >= 0) ? parts.sort((a, b) => place(a) - place(b)) : parts;
}

type Join = (cells: readonly Cell[], parts: readonly Column[], decimal: '.' | ',') => string;

const MARKS = ['', '-', '-', 'T', ':', ':'];

/** 2010, 1, 2, 3 as 2010-01-02T03:00; text that is not a number stays as it is, and is reported when the column is read. */
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

/** A date as it is written, and after it 18:00, or 18 as 18:00. */
const joinDate: Join = ([date, ...clock], _, decimal) => {
  const day = date instanceof Date ? date.toISOString().slice(0, 10) : String(date).trim();
  const rest = clock.map((cell) => {
    const hour = cellNumber(cell, decimal);
    return hour === undefined ? String(cell).trim() : `${String(hour).padStart(2, '0')}:00`;
  });
  return [day, ...rest].join(' ');
};
