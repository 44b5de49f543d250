/**
 * Reads calendar times from texts. One template (such as `DD.MM.YYYY`) must fit all cells of a column. If several templates fit, one
 * is chosen by the first of these criteria that only one template meets: its times follow a regular step; its times are in
 * order; it reads dates with dots (31.12.1960) in their usual order, day first. If no criterion decides, an error asks for the
 * order of day, month and year.
 */
import type { UnrollError } from '@unroll/core';
import { exactFrequency, periodsBetween } from './frequency.js';
import { monthLanguage, monthsAsWritten } from './month-names.js';
import { cellNumber } from './number-format.js';
import { column, formatCell, type Table } from './table.js';
import { type TimeColumn, type TimeFormat, type TimeOptions, textOf, timeError } from './time-column.js';
import {
  dateOrder,
  isMonthOfShortYear,
  offsetMinutes,
  readByTemplate,
  TEMPLATES,
  weeksInYear,
  writeByTemplate,
} from './time-template.js';

/** Returns the templates that fit a text. */
export function templatesOf(text: string, language: string): string[] {
  const [hasClock, hasWords] = [text.includes(':'), /\p{L}{3}/u.test(text)];
  return TEMPLATES.filter(
    (template) =>
      template.includes(':') === hasClock &&
      (hasWords || !template.includes('MMM')) &&
      readByTemplate(text, template, language) !== undefined,
  );
}

/** Words in Latin or Cyrillic letters. */
const WORDS = /\p{Script=Latin}{3,}|\p{Script=Cyrillic}{3,}/gu;

/** Returns the words in the first 400 texts that may be month names: all except UTC and GMT. */
function monthWords(texts: readonly string[]): Set<string> {
  const words = texts.slice(0, 400).flatMap((text) => text.normalize('NFC').match(WORDS) ?? []);
  return new Set(words.filter((word) => !/^(UTC|GMT)$/.test(word)));
}

/** Returns the language of the month names in the texts; `en` if there are none. */
export const languageOf = (texts: readonly string[]): string => monthLanguage(monthWords(texts));

/** The times of a column, read with one template. */
interface Reading {
  template: string;
  values: Float64Array;
  /** The time zone of each text; null if the template has no zone. */
  zones: string[] | null;
}

/** Reads all texts with one template. If a text does not fit, returns the index of its row instead. */
function readAll(template: string, texts: readonly string[], language: string): Reading | number {
  const values = new Float64Array(texts.length);
  const zones: string[] | null = template.includes('Z') ? [] : null;
  for (let row = 0; row < texts.length; row++) {
    const moment = readByTemplate(texts[row], template, language);
    if (moment === undefined) return row;
    values[row] = moment.value;
    if (moment.zone) zones?.push(moment.zone);
  }
  return { template, values, zones };
}

/** Templates that do not fit all of the first 200 rows are excluded before the whole column is read. */
const PREVIEW_ROWS = 200;

/**
 * Reads a column of texts as calendar times.
 * @throws UnrollError `data` for the first cell that does not fit, or if the template is ambiguous
 */
export function readCalendarTimes(
  table: Table,
  name: string,
  texts: readonly string[],
  { dates, format }: TimeOptions,
): TimeColumn {
  const language = languageOf(texts);
  const hasDateOrder = (template: string) => dates === undefined || (dateOrder(template) ?? dates) === dates;
  const matching = templatesOf(texts[0], language);
  let candidates = matching.filter(hasDateOrder);
  if (matching.length > 0 && candidates.length === 0) {
    const message = `${formatCell(texts[0])} is not a date in the order ${dates}. Correct the option dates (--dates), or leave it out.`;
    throw timeError(table, name, 0, message);
  }
  let lastMisfit = 0;
  for (const [row, text] of texts.slice(0, PREVIEW_ROWS).entries()) {
    const remaining = candidates.filter((template) => readByTemplate(text, template, language) !== undefined);
    if (remaining.length === 0) throw misfitError({ table, name, row, first: texts[0], language });
    candidates = remaining;
  }
  const readings: Reading[] = [];
  for (const template of candidates) {
    const reading = readAll(template, texts, language);
    if (typeof reading === 'number') lastMisfit = Math.max(lastMisfit, reading);
    else if (!readings.some(({ values }) => sameValues(values, reading.values))) readings.push(reading);
  }
  if (readings.length === 0) throw misfitError({ table, name, row: lastMisfit, first: texts[0], language });
  const preferred = readings.find(({ template }) => template === format?.template);
  const accepted = preferred !== undefined ? [preferred] : readings.filter((reading) => !mayBeDays(reading));
  if (accepted.length === 0) throw daysWithoutYear(table, name, texts[0], readings[0]);
  const { reading, notes } = chooseReading(table, name, texts, accepted);
  const result = withOneOffset(name, reading);
  const monthNames =
    language === 'en' || !reading.template.includes('MMM')
      ? {}
      : { months: monthsAsWritten(monthWords(texts), language) };
  return { ...result, format: { ...result.format, ...monthNames }, notes: [...notes, ...result.notes] };
}

const sameValues = (a: Float64Array, b: Float64Array): boolean => a.every((value, i) => value === b[i]);

/**
 * Returns whether texts such as `Dec-22`, read as months of two-digit years, may also be days without a year. They are months
 * only if the months follow a regular step with few gaps, and fit such a step better than the days do.
 */
function mayBeDays({ template, values }: Reading): boolean {
  if (!isMonthOfShortYear(template)) return false;
  const filled = filledShare(values, { template, zone: null });
  return filled < 0.5 || Math.max(filledShareAsDays(values, 1), filledShareAsDays(values, -1)) >= filled;
}

/**
 * Like {@link filledShare}, for months of two-digit years if the two digits are read as days instead.
 * @param direction 1 if times increase from row to row, -1 if they decrease
 */
function filledShareAsDays(values: Float64Array, direction: 1 | -1): number {
  let year = 2000;
  let previous = 0;
  const days = new Float64Array(values.length);
  for (const [row, value] of values.entries()) {
    const date = new Date(value);
    const [month, day] = [date.getUTCMonth(), date.getUTCFullYear() % 100];
    const monthAndDay = month * 100 + day;
    if (row > 0 && (monthAndDay - previous) * direction < 0) year += direction;
    previous = monthAndDay;
    days[row] = Date.UTC(year, month, day);
    if (new Date(days[row]).getUTCDate() !== day) return 0;
  }
  const format = { template: 'YYYY-MM-DD', zone: null };
  try {
    const sorted = Float64Array.from(new Set(days)).sort();
    return exactFrequency(sorted, format).unit === 'month' ? 0 : filledShare(days, format);
  } catch {
    return 0; // there is no regular step
  }
}

/** Returns the error for a column such as `Dec-22`, see {@link mayBeDays}. */
function daysWithoutYear(table: Table, name: string, text: string, { values }: Reading): UnrollError {
  const [iso, month, year] = ['YYYY-MM', 'MMMM', 'YYYY'].map((template) =>
    writeByTemplate(values[0], template, null),
  );
  const day = Number(year) % 100;
  return timeError(
    table,
    name,
    0,
    `"${text}" may be ${month} ${year}, or ${day} ${month} of an unknown year. Write ${iso}, or the whole date such as 1960-12-31.`,
  );
}

/** The regular step decides if the {@link filledShare} of one reading is at least this many times that of any other. */
const MIN_RATIO = 5;

/**
 * Chooses a reading by the criteria at the top of this file, and returns it with a note about the reason.
 * @throws UnrollError `data` if no criterion decides
 */
function chooseReading(
  table: Table,
  name: string,
  texts: readonly string[],
  readings: readonly Reading[],
): { reading: Reading; notes: string[] } {
  if (readings.length === 1) return { reading: readings[0], notes: [] };
  const withNote = (reading: Reading, reason: string) => {
    const others = readings.filter((other) => other !== reading);
    const orders = others.flatMap(({ template }) => dateOrder(template) ?? []);
    const hint =
      orders.length === 0 ? '' : ` To read them in another order, set dates (--dates ${orders[0]}).`;
    return {
      reading,
      notes: [`The times of "${name}" are read as ${reading.template}: ${reason}.${hint}`],
    };
  };
  const filledShares = readings.map(({ values, template }) => filledShare(values, { template, zone: null }));
  const [first, second] = filledShares.toSorted((a, b) => b - a) as [number, number];
  if (first > 0 && first >= MIN_RATIO * second)
    return withNote(readings[filledShares.indexOf(first)], 'only then do they follow a regular step');
  const ordered = readings.filter(({ values }) => isOrdered(values));
  if (ordered.length === 1) return withNote(ordered[0], 'only then are the rows in order');
  const dayFirst = readings.filter(({ template }) => template.startsWith('DD.'));
  if (dayFirst.length === 1) return withNote(dayFirst[0], 'dates with dots usually begin with the day');
  const row = texts.findIndex((_, i) => readings.some(({ values }) => values[i] !== readings[0].values[i]));
  const [a, b] = readings.map(({ values }) => writeByTemplate(values[row], 'DD MMMM YYYY', null));
  const message =
    `"${texts[row]}" may be ${a} or ${b}, and the other rows do not show which. Write the year first: 1960-12-31, ` +
    'or set dates (--dates dmy or --dates mdy).';
  throw timeError(table, name, row, message);
}

/** Returns whether the times increase from row to row, or decrease from row to row. */
function isOrdered(values: Float64Array): boolean {
  const direction = Math.sign(values[1] - values[0]);
  return direction !== 0 && values.every((value, i) => i === 0 || (value - values[i - 1]) * direction > 0);
}

/**
 * Returns the number of distinct times, divided by the number of times that a regular step gives from the first to the last
 * time: 1 if no row is missing. Returns 0 if the times do not follow a regular step.
 */
function filledShare(values: Float64Array, format: TimeFormat): number {
  const sorted = Float64Array.from(new Set(values)).sort();
  try {
    const steps = periodsBetween(sorted[0], sorted[sorted.length - 1], exactFrequency(sorted, format)) + 1;
    return sorted.length / steps;
  } catch {
    return 0; // exactFrequency throws if there is no regular step
  }
}

/**
 * Converts a reading to a time column with one UTC offset. If the offsets differ (daylight saving), the values are UTC instants
 * if the instants follow a regular step; otherwise they are the local clock times, all with the last offset.
 */
function withOneOffset(name: string, { template, values, zones }: Reading): TimeColumn {
  const zone = zones?.at(-1) ?? null;
  if (zones === null || zones.every((written) => written === zone))
    return { name, values, format: { template, zone }, notes: [] };
  if (filledShare(values, { template, zone }) > 0)
    return { name, values, format: { template, zone: 'Z' }, notes: [] };
  const clockTimes = values.map(
    (value, i) => value + (offsetMinutes(zones[i]) - offsetMinutes(zone)) * 60_000,
  );
  const notes = [`The UTC offsets of "${name}" change, so its times are read as local clock times.`];
  return { name, values: clockTimes, format: { template, zone }, notes };
}

interface MisfitCell {
  table: Table;
  name: string;
  row: number;
  /** The text of the first cell. */
  first: string;
  language: string;
}

/** Returns the error for a cell that does not fit the template of the cells above it. */
function misfitError({ table, name, row, first, language }: MisfitCell): UnrollError {
  const cell = column(table, name).cells[row]!;
  const week = /^(\d{4})-?W53\b/.exec(textOf(cell));
  const year = Number(week?.[1]);
  if (week !== null && weeksInYear(year) === 52) {
    return timeError(table, name, row, `${formatCell(cell)} does not exist: ${year} has 52 weeks.`);
  }
  const isTime =
    templatesOf(textOf(cell), language).length > 0 || cellNumber(cell, table.decimal) !== undefined;
  if (row === 0 || !isTime) {
    return timeError(
      table,
      name,
      row,
      `${formatCell(cell)} is not a time. Write 1960-12, 1960-12-31, 1960-12-31T18:00, 1960-Q4 or a number.`,
    );
  }
  const message = `${formatCell(cell)} is written differently from "${first}" above. Write all times in one format.`;
  return timeError(table, name, row, message);
}
