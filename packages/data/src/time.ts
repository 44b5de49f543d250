/**
 * Time columns. A column is read as a whole: every cell must be of one style, and the style is kept so that forecast
 * times are written the way the file writes its own. Instants are milliseconds of UTC; a time without a zone is read
 * as UTC; dates and months stand for their first instant. Plain numbers (a step counter, a year) stay numbers.
 */
import { UnrollError } from '@unroll/core';
import { type Cell, cellNumber, column, isMissing, showCell, type Table } from './table.js';

/** How a time column is written. */
export type TimeStyle = 'year-month' | 'year-quarter' | 'date' | 'datetime' | 'number';

export interface TimeColumn {
  readonly name: string;
  readonly style: TimeStyle;
  /** Milliseconds of UTC, or the numbers themselves. */
  readonly values: Float64Array;
  /** The zone written in the column ("Z", "+02:00"); null where it names none. Mixed offsets are kept as "Z". */
  readonly zone: string | null;
  /** What stands between date and time of day, and between the parts of a date. */
  readonly marks: { readonly date: string; readonly time: string; readonly seconds: boolean };
}

const MONTH = /^(\d{4})([-/.])(\d{1,2})$/;
const QUARTER = /^(\d{4})([- ]?)[Qq]([1-4])$/;
const DATE = /^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})$/;
const DATETIME =
  /^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})([T ])(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s?(Z|[+-]\d{2}:?\d{2})?$/;

interface Moment {
  style: TimeStyle;
  value: number;
  zone: string | null;
  date: string;
  time: string;
  seconds: boolean;
}

const PLAIN = { zone: null, date: '-', time: 'T', seconds: false };

/** Reads one cell as a time; undefined when it is none. */
export function parseTime(cell: Cell): Moment | undefined {
  if (cell instanceof Date)
    return { ...PLAIN, style: 'datetime', value: cell.getTime(), zone: 'Z', seconds: true };
  if (typeof cell === 'number') return { ...PLAIN, style: 'number', value: cell };
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim();
  let match: RegExpMatchArray | null;
  if ((match = text.match(MONTH)))
    return dated('year-month', match[2]!, Number(match[1]), Number(match[3]), 1);
  if ((match = text.match(QUARTER))) {
    return dated('year-quarter', match[2]!, Number(match[1]), Number(match[3]) * 3 - 2, 1);
  }
  if ((match = text.match(DATE))) {
    return dated('date', match[2]!, Number(match[1]), Number(match[3]), Number(match[4]));
  }
  if ((match = text.match(DATETIME))) return parseDatetime(match);
  const value = cellNumber(text);
  return value === undefined || Number.isNaN(value) ? undefined : { ...PLAIN, style: 'number', value };
}

function dated(style: TimeStyle, mark: string, year: number, month: number, day: number): Moment | undefined {
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  return { ...PLAIN, style, value: Date.UTC(year, month - 1, day), date: mark };
}

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function parseDatetime(match: RegExpMatchArray): Moment | undefined {
  const [, year, mark, month, day, time, hour, minute, second, fraction, zone] = match;
  const start = dated('datetime', mark!, Number(year), Number(month), Number(day));
  const [h, m, s] = [Number(hour), Number(minute), Number(second ?? 0)];
  if (start === undefined || h > 23 || m > 59 || s > 59) return undefined;
  const milliseconds = fraction === undefined ? 0 : Math.round(Number(`0.${fraction}`) * 1000);
  const value = start.value + ((h * 60 + m) * 60 + s) * 1000 + milliseconds - offsetOf(zone ?? null) * 60_000;
  return { ...start, value, time: time!, seconds: second !== undefined, zone: zone ?? null };
}

/** Minutes that a zone is ahead of UTC. */
function offsetOf(zone: string | null): number {
  if (zone === null || zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return zone.startsWith('-') ? -minutes : minutes;
}

/**
 * A column as times.
 * @throws UnrollError `data` naming file, line and column of the first cell that is missing, is not a time, or is
 *   written in another style than the cells before it
 */
export function times(table: Table, name: string): TimeColumn {
  const { cells, position } = column(table, name);
  const values = new Float64Array(cells.length);
  let first: Moment | undefined;
  let zone: string | null = null;
  let seconds = false;
  for (const [row, cell] of cells.entries()) {
    const moment = isMissing(cell) ? undefined : parseTime(cell);
    const where = { table, row, name, position };
    if (moment === undefined) throw notATime(where, cell);
    first ??= moment;
    if (moment.style !== first.style) throw otherStyle(where, cell, cells[0]!);
    if ((moment.zone === null) !== (first.zone === null)) throw mixedZones(where, cell);
    zone = row === 0 || zone === moment.zone ? moment.zone : 'Z';
    seconds ||= moment.seconds;
    values[row] = moment.value;
  }
  const style = first?.style ?? 'number';
  return {
    name,
    style,
    values,
    zone,
    marks: { date: first?.date ?? '-', time: first?.time ?? 'T', seconds },
  };
}

interface Where {
  table: Table;
  row: number;
  name: string;
  position: number;
}

function place({ table, row, name, position }: Where): string {
  return `${table.source}, line ${table.lines[row]}, column "${name}" (${position})`;
}

function timeError(where: Where, cell: Cell, message: string): UnrollError {
  const { table, row, name } = where;
  const data = { source: table.source, line: table.lines[row], column: name, cell };
  return new UnrollError('data', `${place(where)}: ${message}`, data);
}

function notATime(where: Where, cell: Cell): UnrollError {
  const what = isMissing(cell) ? 'the time is missing' : `${showCell(cell)} is not a time`;
  return timeError(where, cell, `${what}. Write 1960-12, 1960-12-31, 1960-12-31T18:00, 1960-Q4 or a number.`);
}

function otherStyle(where: Where, cell: Cell, first: Cell): UnrollError {
  return timeError(
    where,
    cell,
    `${showCell(cell)} is written in another way than ${showCell(first)} above. Use one way.`,
  );
}

function mixedZones(where: Where, cell: Cell): UnrollError {
  return timeError(
    where,
    cell,
    `${showCell(cell)} and the times above do not agree on having a time zone. Give all or none.`,
  );
}

/** A time as the column writes it. */
export function formatTime(value: number, column: Pick<TimeColumn, 'style' | 'zone' | 'marks'>): string {
  if (column.style === 'number') return String(Number(value.toPrecision(15)));
  const date = new Date(value + offsetOf(column.zone) * 60_000);
  const mark = column.marks.date;
  const [year, month, day] = [
    pad(date.getUTCFullYear(), 4),
    pad(date.getUTCMonth() + 1),
    pad(date.getUTCDate()),
  ];
  if (column.style === 'year-month') return `${year}${mark}${month}`;
  if (column.style === 'year-quarter') return `${year}${mark}Q${Math.floor(date.getUTCMonth() / 3) + 1}`;
  if (column.style === 'date') return `${year}${mark}${month}${mark}${day}`;
  const seconds = column.marks.seconds ? `:${pad(date.getUTCSeconds())}` : '';
  const clock = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}${seconds}`;
  return `${year}${mark}${month}${mark}${day}${column.marks.time}${clock}${column.zone ?? ''}`;
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, '0');
}
