/** Types of time columns, and functions that format times as in the file that was read. */
import { UnrollError } from '@unroll/core';
import type { Frequency } from './frequency.js';
import { type Cell, column, locationOf, sourceOf, type Table } from './table.js';
import { refineTemplate, writeByTemplate } from './time-template.js';
import { instantOf } from './time-zone.js';

/** How the times of a column are written. Can be stored as JSON. */
export interface TimeFormat {
  /** A template of time-template.ts, or `number`, `epoch seconds`, `epoch milliseconds`, `Excel days`. */
  readonly template: string;
  /** The time zone as written with the times, such as `Z` or `+01:00`; null if they have none. */
  readonly zone: string | null;
  /**
   * IANA name of a time zone, such as `Europe/Berlin`: the values are local times of that zone, and times are written
   * in UTC. Default: the values are UTC.
   */
  readonly timezone?: string;
  /** Twelve month names. Default: English. */
  readonly months?: readonly string[];
}

/** Order of day, month and year in numeric dates. */
export type DateOrder = 'dmy' | 'mdy' | 'ymd';

export interface TimeOptions {
  /** Order of day, month and year in numeric dates. Default: detected. */
  dates?: DateOrder;
  /** For times in UTC that stand for local days: the IANA name of the time zone. Default: detected. */
  timezone?: string;
  /** The format of this column in an earlier file. It is preferred if it fits the cells. */
  format?: TimeFormat;
}

export interface TimeColumn {
  readonly name: string;
  readonly format: TimeFormat;
  /** Milliseconds since 1970 in UTC (with `format.timezone`, in local time of that zone), or plain numbers. */
  readonly values: Float64Array;
  /** Notes about decisions that the cells do not fully determine. */
  readonly notes: readonly string[];
}

const DAY = 86_400_000;
/** The templates of dates without separators, for each number of digits. */
export const COMPACT_TEMPLATES: Readonly<Record<number, string>> = { 6: 'YYYYMM', 8: 'YYYYMMDD' };
/** Milliseconds per unit of epoch times. */
export const EPOCHS: Readonly<Record<string, number>> = { 'epoch seconds': 1000, 'epoch milliseconds': 1 };
/** The template of Excel serial numbers. */
export const EXCEL_TEMPLATE = 'Excel days';
/** 1970-01-01 as an Excel serial number. */
export const EXCEL_1970 = 25_569;

/** Formats a time in the format of a column. */
export function formatTime(value: number, format: TimeFormat): string {
  const { template, zone, timezone, months } = format;
  if (template === 'number') return String(Number(value.toPrecision(15)));
  const instant = timezone === undefined ? value : instantOf(value, timezone);
  if (template === EXCEL_TEMPLATE) return String(Number((instant / DAY + EXCEL_1970).toFixed(8)));
  const unit = EPOCHS[template];
  return unit === undefined ? writeByTemplate(instant, template, zone, months) : String(instant / unit);
}

/**
 * Returns a format that can represent all times of a frequency: the given one, with days or a clock time added if
 * necessary.
 */
export function formatFor(format: TimeFormat, frequency: Frequency): TimeFormat {
  const { template } = format;
  const { unit, every } = frequency;
  if (!template.includes('YY') || (unit === 'week' && template.includes('WW'))) return format;
  if (unit === 'month' && every % 3 === 0) return format;
  const precision = PRECISION[unit];
  const compact =
    template === COMPACT_TEMPLATES[6] && precision !== 'month' ? COMPACT_TEMPLATES[8] : template;
  const extensible = compact === COMPACT_TEMPLATES[8] && precision !== 'day' ? 'YYYY-MM-DD' : compact;
  return { ...format, template: refineTemplate(extensible, precision) };
}

/** The precision that the times of each frequency unit need. */
const PRECISION: Readonly<Record<Frequency['unit'], 'month' | 'day' | 'minute' | 'second'>> = {
  ...{ millisecond: 'second', second: 'second', minute: 'minute', hour: 'minute' },
  ...{ day: 'day', 'business-day': 'day', week: 'day', month: 'month', step: 'month' },
};

/** Returns a cell as trimmed text with single spaces. */
export function textOf(cell: Cell): string {
  if (typeof cell !== 'string') return String(cell);
  const text = cell.trim();
  return /\s\s|[^\S ]/.test(text) ? text.replace(/\s+/g, ' ') : text;
}
export const textsOf = (cells: readonly Cell[]): string[] => cells.map(textOf);

/** Returns an error with the file, line and column of a time. */
export function timeError(table: Table, name: string, row: number, message: string): UnrollError {
  const { position, cells } = column(table, name);
  const line = table.lines[row];
  const data = { source: sourceOf(table, row), line, column: name, cell: cells[row] };
  return new UnrollError(
    'data',
    `${locationOf(table, row)}, column ${position} ("${name}"): ${message}`,
    data,
  );
}
