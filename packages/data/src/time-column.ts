/** Columns of times as values: what they hold, and how times are written like the file's own. */
import { UnrollError } from '@unroll/core';
import type { Frequency } from './frequency.js';
import { type Cell, column, type Table } from './table.js';
import { refined, writeByTemplate } from './time-template.js';
import { instantOf } from './time-zone.js';

/** How the times of a column are written. JSON. */
export interface TimeFormat {
  /** A template of time-template.ts, or `number`, `epoch seconds`, `epoch milliseconds`, `Excel days`. */
  readonly template: string;
  /** The zone that is written; null where none is. */
  readonly zone: string | null;
  /** Zone by whose clocks the values count days, such as `Europe/Berlin`; default: they are instants of UTC. */
  readonly timezone?: string;
  /** Twelve names of months, where they are not English. */
  readonly months?: readonly string[];
}

/** Order of day, month and year in dates of digits. */
export type DateOrder = 'dmy' | 'mdy' | 'ymd';

export interface TimeOptions {
  /** Default: found from the dates. */
  dates?: DateOrder;
  /** IANA name of the zone whose days the rows are, where times are written in UTC. Default: found from the times. */
  timezone?: string;
  /** How earlier times of the same column are written: taken where the cells fit it. */
  format?: TimeFormat;
}

export interface TimeColumn {
  readonly name: string;
  readonly format: TimeFormat;
  /** Milliseconds of UTC (with `format.timezone`, of the clocks there), or the numbers themselves. */
  readonly values: Float64Array;
  /** What was decided about the column beyond what is written in it, for people. */
  readonly notes: readonly string[];
}

const DAY = 86_400_000;
/** Ways of writing dates as bare digits, by their number. */
export const COMPACT: Readonly<Record<number, string>> = { 6: 'YYYYMM', 8: 'YYYYMMDD' };
/** Milliseconds of a unit of the numbers since 1970. */
export const EPOCHS: Readonly<Record<string, number>> = { 'epoch seconds': 1000, 'epoch milliseconds': 1 };
export const EXCEL = 'Excel days';
/** 1970-01-01 as Excel counts days. */
export const EXCEL_1970 = 25_569;

/** A time as a column of this format writes it. */
export function formatTime(value: number, format: TimeFormat): string {
  const { template, zone, timezone, months } = format;
  if (template === 'number') return String(Number(value.toPrecision(15)));
  const instant = timezone === undefined ? value : instantOf(value, timezone);
  if (template === EXCEL) return String(Number((instant / DAY + EXCEL_1970).toFixed(8)));
  const unit = EPOCHS[template];
  return unit === undefined ? writeByTemplate(instant, template, zone, months) : String(instant / unit);
}

/** The format, or one with days or a clock where it would write times of this frequency alike. */
export function formatFor(format: TimeFormat, frequency: Frequency): TimeFormat {
  const { template } = format;
  const { unit, every } = frequency;
  if (!template.includes('YY') || (unit === 'week' && template.includes('WW'))) return format;
  if (unit === 'month' && every % 3 === 0) return format;
  const own = template === COMPACT[6] && UNIT_SHOWN[unit] !== 'month' ? COMPACT[8] : template;
  const wanted = own === COMPACT[8] && UNIT_SHOWN[unit] !== 'day' ? 'YYYY-MM-DD' : own;
  return { ...format, template: refined(wanted, UNIT_SHOWN[unit]) };
}

const UNIT_SHOWN: Readonly<Record<Frequency['unit'], 'month' | 'day' | 'minute' | 'second'>> = {
  ...{ millisecond: 'second', second: 'second', minute: 'minute', hour: 'minute' },
  ...{ day: 'day', 'business-day': 'day', week: 'day', month: 'month', step: 'month' },
};

/** A cell as text with single spaces. */
export function textOf(cell: Cell): string {
  if (typeof cell !== 'string') return String(cell);
  const text = cell.trim();
  return /\s\s|[^\S ]/.test(text) ? text.replace(/\s+/g, ' ') : text;
}
export const textsOf = (cells: readonly Cell[]): string[] => cells.map(textOf);

/** An error that names file, line and column of a time. */
export function timeError(table: Table, name: string, row: number, message: string): UnrollError {
  const { position, cells } = column(table, name);
  const line = table.lines[row];
  const data = { source: table.source, line, column: name, cell: cells[row] };
  return new UnrollError(
    'data',
    `${table.source}, line ${line}, column "${name}" (${position}): ${message}`,
    data,
  );
}
