/**
 * Time columns. All cells of a column must have one format, which is kept to write forecast times. Instants are
 * milliseconds since 1970 in UTC; a time without a zone is read as UTC; a date, week, month or quarter is read as its
 * first instant. Plain numbers (a counter, a year) stay numbers.
 */
import { checkOptions } from '@unroll/core/internal';
import { calendarCells, languageOf, templatesOf } from './calendar-times.js';
import { areExcelDays, excelCells, isTimeName } from './excel-days.js';
import { cellNumber, isMissing } from './number-format.js';
import { type Cell, type Column, column, showCell, type Table } from './table.js';
import {
  COMPACT,
  EPOCHS,
  EXCEL,
  type TimeColumn,
  type TimeFormat,
  type TimeOptions,
  textsOf,
  timeError,
} from './time-column.js';
import { type Moment, readByTemplate } from './time-template.js';
import { daysIn, dayZone, wallTime } from './time-zone.js';

const DAY = 86_400_000;

const knownCells = (cells: readonly Cell[]): Cell[] => cells.filter((cell) => !isMissing(cell)).slice(0, 200);

/** True if most known cells are calendar times other than bare numbers. */
export function holdsTimes(cells: readonly Cell[]): boolean {
  const known = knownCells(cells);
  if (known.length === 0) return false;
  if (known.every((cell) => cell instanceof Date)) return true;
  const written = textsOf(known);
  if (compactTemplate(written) !== undefined) return true;
  const numbers = Float64Array.from(known, (cell) => cellNumber(cell) ?? Number.NaN);
  if (areExcelDays(numbers)) return true;
  const language = languageOf(written);
  const candidates = new Set(written.slice(0, 3).flatMap((text) => templatesOf(text, language)));
  const fitting = written.filter((text) =>
    [...candidates].some((template) => readByTemplate(text, template, language)),
  );
  return fitting.length >= written.length / 2;
}

const TIME_LIKE =
  /^(?:\d{1,4} ?[-/.:\u5E74] ?\d{1,2}(?!\d)|\p{L}{3,10}\.?[ ,./'-]{1,2}(?:\d\d|(?:19|20)\d\d)(?!\d)|\d{1,4}[ ./-]{1,2}\p{L}{3,10}|(?:\d{4}.?)?(?:FY|KW|CW|[QWT]) ?\d)/iu;

/**
 * True for a column that is probably meant as times, whether or not they can be read: most of its texts are distinct
 * and begin like dates, or are digits in a column named like a time, such as "date"; or its numbers may be Excel
 * dates, judging by its name.
 */
export function looksLikeTimes({ name, kind, cells }: Column): boolean {
  if (kind === 'number')
    return areExcelDays(
      Float64Array.from(knownCells(cells), (cell) => cellNumber(cell) ?? 0),
      name,
    );
  const written = textsOf(knownCells(cells));
  if (kind !== 'text' || written.length === 0 || new Set(written).size < 0.9 * written.length) return false;
  const pattern = isTimeName(name) ? /\d/ : TIME_LIKE;
  return written.filter((text) => pattern.test(text)).length >= 0.8 * written.length;
}

/** YYYYMM or YYYYMMDD, if all these digits fit it. */
function compactTemplate(written: readonly string[]): string | undefined {
  const template = /^\d+$/.test(written[0]) ? COMPACT[written[0].length] : undefined;
  if (template === undefined || written.length < 2) return undefined;
  const fits = (text: string): boolean => {
    const year = Number(text.slice(0, 4));
    return (
      text.length === template.length &&
      year > 1700 &&
      year < 2300 &&
      readCompact(text, template) !== undefined
    );
  };
  return written.every(fits) ? template : undefined;
}

function readCompact(text: string, template: string): Moment | undefined {
  const parted = template === 'YYYYMM' ? text.replace(/(..)$/, '-$1') : text.replace(/(..)(..)$/, '-$1-$2');
  return readByTemplate(parted, template === 'YYYYMM' ? 'YYYY-MM' : 'YYYY-MM-DD');
}

/**
 * Reads a column as times.
 * @throws UnrollError `data` for the first cell that is missing, is not a time, or has a different format from the
 * cells before it (the message names file, line and column), or if days and months cannot be told apart; `value` for
 * unknown options
 */
export function times(table: Table, name: string, options: TimeOptions = {}): TimeColumn {
  checkOptions('times', options, { dates: ['dmy', 'mdy', 'ymd'], timezone: 'text', format: true });
  const { timezone = options.format?.timezone } = options;
  const { cells } = column(table, name);
  const gap = cells.findIndex(isMissing);
  if (gap >= 0) throw timeError(table, name, gap, 'the time is missing. Every row needs a time.');
  const found = cells.every((cell) => cell instanceof Date)
    ? dateCells(name, cells)
    : textCells(table, name, options);
  return inTimezone(found, timezone);
}

/** 01.2022 and 2022.01: months that look like decimal numbers. */
const DOTTED = /^(?:(?:0?[1-9]|1[0-2])\.(?:19|20)\d\d|(?:19|20)\d\d\.(?:0[1-9]|1[0-2]))$/;

function textCells(table: Table, name: string, options: TimeOptions): TimeColumn {
  const written = textsOf(column(table, name).cells);
  const compact = compactTemplate(written);
  if (compact !== undefined) {
    const values = Float64Array.from(written, (text) => readCompact(text, compact)!.value);
    return { name, values, format: { template: compact, zone: null }, notes: [] };
  }
  const numeric = written.every((text) => DOTTED.test(text))
    ? null
    : numberCells(table, name, options.format);
  return numeric ?? calendarCells(table, name, written, options);
}

function dateCells(name: string, cells: readonly Date[]): TimeColumn {
  const values = Float64Array.from(cells, (cell) => cell.getTime());
  const days = values.every((value) => value % DAY === 0);
  const format = days
    ? { template: 'YYYY-MM-DD', zone: null }
    : { template: 'YYYY-MM-DDTHH:mm:ssZ', zone: 'Z' };
  return { name, values, format, notes: [] };
}

/**
 * Converts times in UTC to days of a zone: the given one, or the one whose midnights they are, if its clock changes.
 */
function inTimezone(found: TimeColumn, wanted: string | undefined): TimeColumn {
  const { name, values, format } = found;
  const isInstant = format.template in EPOCHS || /HH|hh/.test(format.template);
  if (wanted !== undefined) wallTime(0, wanted); // throws if the zone is unknown
  const detected = () => (found.notes.length === 0 ? dayZone(values) : undefined);
  const timezone = isInstant ? (wanted ?? detected()) : undefined;
  const days = timezone === undefined ? undefined : daysIn(values, timezone);
  if (timezone === undefined || days === undefined) return found;
  const note =
    `The times of "${name}" are midnights in ${timezone}, written in UTC: rows are days there. ` +
    'If they belong to another time zone, set timezone (--timezone).';
  const notes = wanted === undefined ? [note] : [];
  return { name, values: days, format: { ...format, timezone }, notes };
}

/** The column as numbers, if its first cell is a number. */
function numberCells(table: Table, name: string, earlier?: TimeFormat): TimeColumn | null {
  const { cells, format: numberFormat = table.decimal } = column(table, name);
  if (cellNumber(cells[0], numberFormat) === undefined) return null;
  const values = Float64Array.from(cells, (cell, row) => {
    const value = cellNumber(cell, numberFormat);
    if (value === undefined) {
      throw timeError(
        table,
        name,
        row,
        `${showCell(cell)} is not a number, but the times above are numbers. Write all times in one format.`,
      );
    }
    return value;
  });
  const within = (low: number, high: number) =>
    values.every((value) => Number.isInteger(value) && value >= low && value <= high);
  const template = within(1e9, 4.2e9)
    ? 'epoch seconds'
    : within(1e12, 4.2e12)
      ? 'epoch milliseconds'
      : 'number';
  if (template === 'number' && earlier?.template !== 'number') {
    if (earlier?.template === EXCEL) return { ...excelCells(name, values), notes: [] };
    if (areExcelDays(values, name)) return excelCells(name, values);
  }
  const unit = EPOCHS[template] ?? 1;
  return { name, values: values.map((value) => value * unit), format: { template, zone: null }, notes: [] };
}
