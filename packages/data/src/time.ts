/**
 * Reads time columns. All cells of a column must have the same format, in which forecast times are written later.
 * Times are milliseconds since 1970 in UTC. A time without a zone is read as UTC; a date, week, month or quarter as its
 * first instant. Plain numbers (a counter, a year) stay numbers.
 */
import { checkOptions } from '@unroll/core/internal';
import { languageOf, readCalendarTimes, templatesOf } from './calendar-times.js';
import { areExcelDays, isTimeName, readExcelDates } from './excel-days.js';
import { cellNumber, isMissing } from './number-format.js';
import { type Cell, type Column, column, formatCell, type Table } from './table.js';
import {
  COMPACT_TEMPLATES,
  EPOCHS,
  EXCEL_TEMPLATE,
  type TimeColumn,
  type TimeFormat,
  type TimeOptions,
  textsOf,
  timeError,
} from './time-column.js';
import { type Moment, readByTemplate } from './time-template.js';
import { detectTimezone, toLocalDays, wallTime } from './time-zone.js';

const DAY = 86_400_000;

/** Returns the first 200 cells that are not missing. */
const sampleCells = (cells: readonly Cell[]): Cell[] =>
  cells.filter((cell) => !isMissing(cell)).slice(0, 200);

/**
 * Returns whether at least half of the first 200 cells that are not missing are calendar times. Numbers count only if all of
 * them are dates such as 20240131, or Excel dates that are monthly or business days.
 */
export function containsTimes(cells: readonly Cell[]): boolean {
  const sample = sampleCells(cells);
  if (sample.length === 0) return false;
  if (sample.every((cell) => cell instanceof Date)) return true;
  const texts = textsOf(sample);
  if (compactTemplate(texts) !== undefined) return true;
  const numbers = Float64Array.from(sample, (cell) => cellNumber(cell) ?? Number.NaN);
  if (areExcelDays(numbers)) return true;
  const language = languageOf(texts);
  const candidates = new Set(texts.slice(0, 3).flatMap((text) => templatesOf(text, language)));
  const matching = texts.filter((text) =>
    [...candidates].some((template) => readByTemplate(text, template, language)),
  );
  return matching.length >= texts.length / 2;
}

/** Matches the beginning of a date: two numbers with a separator, a month name and a number, a quarter or a week. */
const TIME_LIKE =
  /^(?:\d{1,4} ?[-/.:\u5E74] ?\d{1,2}(?!\d)|\p{L}{3,10}\.?[ ,./'-]{1,2}(?:\d\d|(?:19|20)\d\d)(?!\d)|\d{1,4}[ ./-]{1,2}\p{L}{3,10}|(?:\d{4}.?)?(?:FY|KW|CW|[QWT]) ?\d)/iu;

/**
 * Returns whether a column is probably meant to contain times, even if they cannot be read. Texts: at least 90 % are distinct and
 * 80 % begin like dates; if the column name suggests a time (such as "date"), 80 % with digits are enough. Numbers: they may be
 * Excel dates.
 */
export function looksLikeTimes({ name, kind, cells }: Column): boolean {
  if (kind === 'number')
    return areExcelDays(
      Float64Array.from(sampleCells(cells), (cell) => cellNumber(cell) ?? 0),
      name,
    );
  const texts = textsOf(sampleCells(cells));
  if (kind !== 'text' || texts.length === 0 || new Set(texts).size < 0.9 * texts.length) return false;
  const pattern = isTimeName(name) ? /\d/ : TIME_LIKE;
  return texts.filter((text) => pattern.test(text)).length >= 0.8 * texts.length;
}

/** Returns the template YYYYMM or YYYYMMDD if there are at least two texts and all of them fit it, otherwise undefined. */
function compactTemplate(texts: readonly string[]): string | undefined {
  const template = /^\d+$/.test(texts[0]) ? COMPACT_TEMPLATES[texts[0].length] : undefined;
  if (template === undefined || texts.length < 2) return undefined;
  const fits = (text: string): boolean => {
    const year = Number(text.slice(0, 4));
    return (
      text.length === template.length &&
      year > 1700 &&
      year < 2300 &&
      readCompact(text, template) !== undefined
    );
  };
  return texts.every(fits) ? template : undefined;
}

/** Reads a text with the template YYYYMM or YYYYMMDD; returns undefined if it does not fit. */
function readCompact(text: string, template: string): Moment | undefined {
  const withHyphens =
    template === 'YYYYMM' ? text.replace(/(..)$/, '-$1') : text.replace(/(..)(..)$/, '-$1-$2');
  return readByTemplate(withHyphens, template === 'YYYYMM' ? 'YYYY-MM' : 'YYYY-MM-DD');
}

/**
 * Reads a column as times.
 * @throws UnrollError `data` for the first cell that is missing, is not a time, or has a different format from the
 * cells before it (the message gives file, line and column), or if days and months cannot be told apart; `value` for
 * unknown or invalid options
 */
export function times(table: Table, name: string, options: TimeOptions = {}): TimeColumn {
  checkOptions('times', options, { dates: ['dmy', 'mdy', 'ymd'], timezone: 'string', format: true });
  const { timezone = options.format?.timezone } = options;
  const { cells } = column(table, name);
  const gap = cells.findIndex(isMissing);
  if (gap >= 0) throw timeError(table, name, gap, 'the time is missing. Every row needs a time.');
  const timeColumn = cells.every((cell) => cell instanceof Date)
    ? readDates(name, cells)
    : readTexts(table, name, options);
  return applyTimezone(timeColumn, timezone);
}

/** 01.2022 and 2022.01: months that look like decimal numbers. */
const DOTTED_MONTH = /^(?:(?:0?[1-9]|1[0-2])\.(?:19|20)\d\d|(?:19|20)\d\d\.(?:0[1-9]|1[0-2]))$/;

/** Reads a column of strings or numbers. */
function readTexts(table: Table, name: string, options: TimeOptions): TimeColumn {
  const texts = textsOf(column(table, name).cells);
  const compact = compactTemplate(texts);
  if (compact !== undefined) {
    const values = Float64Array.from(texts, (text) => readCompact(text, compact)!.value);
    return { name, values, format: { template: compact, zone: null }, notes: [] };
  }
  const numberColumn = texts.every((text) => DOTTED_MONTH.test(text))
    ? null
    : readNumbers(table, name, options.format);
  return numberColumn ?? readCalendarTimes(table, name, texts, options);
}

/** Converts a column of Date objects. */
function readDates(name: string, cells: readonly Date[]): TimeColumn {
  const values = Float64Array.from(cells, (cell) => cell.getTime());
  const areDates = values.every((value) => value % DAY === 0);
  const format = areDates
    ? { template: 'YYYY-MM-DD', zone: null }
    : { template: 'YYYY-MM-DDTHH:mm:ssZ', zone: 'Z' };
  return { name, values, format, notes: [] };
}

/**
 * Converts UTC instants to local days or times of a time zone (see toLocalDays): the requested zone, or a detected one in which
 * a day begins at every instant. Returns the column unchanged if it has no clock times, if no zone is requested or detected, or
 * if toLocalDays returns undefined.
 */
function applyTimezone(times: TimeColumn, requested: string | undefined): TimeColumn {
  const { name, values, format } = times;
  const isInstant = format.template in EPOCHS || /HH|hh/.test(format.template);
  if (requested !== undefined) wallTime(0, requested); // throws if the zone is unknown
  const detected = () => (times.notes.length === 0 ? detectTimezone(values) : undefined);
  const timezone = isInstant ? (requested ?? detected()) : undefined;
  const days = timezone === undefined ? undefined : toLocalDays(values, timezone);
  if (timezone === undefined || days === undefined) return times;
  const note =
    `The times of "${name}" are midnights in ${timezone}, written in UTC, and are read as days. ` +
    'If they belong to another time zone, set timezone (--timezone).';
  const notes = requested === undefined ? [note] : [];
  return { name, values: days, format: { ...format, timezone }, notes };
}

/**
 * Reads a column of numbers: epoch times, Excel dates or plain numbers. Returns null if the first cell is not a number.
 */
function readNumbers(table: Table, name: string, earlierFormat?: TimeFormat): TimeColumn | null {
  const { cells, format: numberFormat = table.decimal } = column(table, name);
  if (cellNumber(cells[0], numberFormat) === undefined) return null;
  const values = Float64Array.from(cells, (cell, row) => {
    const value = cellNumber(cell, numberFormat);
    if (value === undefined) {
      throw timeError(
        table,
        name,
        row,
        `${formatCell(cell)} is not a number, but the times above are numbers. Write all times in one format.`,
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
  if (template === 'number' && earlierFormat?.template !== 'number') {
    if (earlierFormat?.template === EXCEL_TEMPLATE) return { ...readExcelDates(name, values), notes: [] };
    if (areExcelDays(values, name)) return readExcelDates(name, values);
  }
  const unit = EPOCHS[template] ?? 1;
  return { name, values: values.map((value) => value * unit), format: { template, zone: null }, notes: [] };
}
