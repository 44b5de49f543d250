/** Time columns: their values and format, and formatting of times in the notation of the file. */
import { UnrollError } from '@unroll/core';
import type { Frequency } from './frequency.js';
import { type Cell, column, type Table } from './table.js';
import { refined, writeByTemplate } from './time-template.js';
import { instantOf } from './time-zone.js';

/** How the times of a column are written. JSON. */
export interface TimeFormat {
  /** A template of time-template.ts, or `number`, `epoch seconds`, `epoch milliseconds`, `Excel days`. */
  readonly template: string;
  /** The written time zone; null if there is none. */
  readonly zone: string | null;
  /**
   * IANA time zone in which the values are local times, such as `Europe/Berlin`. Default: the values are UTC
   * instants.
   */
  readonly timezone?: string;
  /** Twelve month names, if they are not English. */
  readonly months?: readonly string[];
}

/** Order of day, month and year in numeric dates. */
export type DateOrder = 'dmy' | 'mdy' | 'ymd';

export interface TimeOptions {
  /** Default: detected. */
  dates?: DateOrder;
  /** IANA name of the time zone whose days the rows represent, for times written in UTC. Default: detected. */
  timezone?: string;
  /** Format of earlier times of the same column: preferred if the cells fit it. */
  format?: TimeFormat;
}

export interface TimeColumn {
  readonly name: string;
  readonly format: TimeFormat;
  /** Milliseconds since 1970 in UTC (with `format.timezone`, in local time), or plain numbers. */
  readonly values: Float64Array;
  /** Decisions about the column that its cells do not fully determine, as text. */
  readonly notes: readonly string[];
}

const DAY = 86_400_000;
/** Formats of dates without separators, by number of digits. */
export const COMPACT: Readonly<Record<number, string>> = { 6: 'YYYYMM', 8: 'YYYYMMDD' };
/** Milliseconds per unit of epoch times. */
export const EPOCHS: Readonly<Record<string, number>> = { 'epoch seconds': 1000, 'epoch milliseconds': 1 };
export const EXCEL = 'Excel days';
/** 1970-01-01 as an Excel serial number. */
export const EXCEL_1970 = 25_569;

/** Formats a time as the column does. */
export function formatTime(value: number, format: TimeFormat): string {
  const { template, zone, timezone, months } = format;
  if (template === 'number') return String(Number(value.toPrecision(15)));
  const instant = timezone === undefined ? value : instantOf(value, timezone);
  if (template === EXCEL) return String(Number((instant / DAY + EXCEL_1970).toFixed(8)));
  const unit = EPOCHS[template];
  return unit === undefined ? writeByTemplate(instant, template, zone, months) : String(instant / unit);
}

/** The format, extended by days or a clock time if it would write different times of this frequency the same way. */
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

/** An error with the file, line and column of a time. */
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
