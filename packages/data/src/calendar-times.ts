/**
 * Reads calendar times written as text. All cells of a column must fit one template. If several templates fit, the
 * rows decide between them; if the rows do not decide, reading fails.
 */
import type { UnrollError } from '@unroll/core';
import { exactFrequency, periodsBetween } from './frequency.js';
import { monthLanguage, monthsAsWritten } from './month-names.js';
import { cellNumber } from './number-format.js';
import { column, showCell, type Table } from './table.js';
import { type TimeColumn, type TimeFormat, type TimeOptions, textOf, timeError } from './time-column.js';
import {
  dateOrder,
  isMonthOfShortYear,
  readByTemplate,
  TEMPLATES,
  weeksOf,
  writeByTemplate,
  zoneMinutes,
} from './time-template.js';

/** The templates that a text fits. */
export function templatesOf(text: string, language: string): string[] {
  const [clock, words] = [text.includes(':'), /\p{L}{3}/u.test(text)];
  return TEMPLATES.filter(
    (template) =>
      template.includes(':') === clock &&
      (words || !template.includes('MMM')) &&
      readByTemplate(text, template, language) !== undefined,
  );
}

const WORDS = /\p{Script=Latin}{3,}|\p{Script=Cyrillic}{3,}/gu;

/** The month names that occur in the first texts. */
function wordsIn(written: readonly string[]): Set<string> {
  const words = written.slice(0, 400).flatMap((text) => text.normalize('NFC').match(WORDS) ?? []);
  return new Set(words.filter((word) => !/^(UTC|GMT)$/.test(word)));
}

/** The language of the month names in the texts. */
export const languageOf = (written: readonly string[]): string => monthLanguage(wordsIn(written));

/** The texts of a column, read by one template. */
interface Reading {
  template: string;
  values: Float64Array;
  /** The time zone of each text; null if the template has no zone. */
  zones: string[] | null;
}

/** Reads all texts by one template. Returns the index of the first row that does not fit, if there is one. */
function readAll(template: string, written: readonly string[], language: string): Reading | number {
  const values = new Float64Array(written.length);
  const zones: string[] | null = template.includes('Z') ? [] : null;
  for (let row = 0; row < written.length; row++) {
    const moment = readByTemplate(written[row], template, language);
    if (moment === undefined) return row;
    values[row] = moment.value;
    if (moment.zone) zones?.push(moment.zone);
  }
  return { template, values, zones };
}

/** The number of rows that narrow down the templates before whole columns are read. */
const NARROWING = 200;

/** Reads a column of texts as calendar times. */
export function calendarCells(
  table: Table,
  name: string,
  written: readonly string[],
  { dates, format }: TimeOptions,
): TimeColumn {
  const language = languageOf(written);
  const inOrder = (template: string) => dates === undefined || (dateOrder(template) ?? dates) === dates;
  const all = templatesOf(written[0], language);
  let candidates = all.filter(inOrder);
  if (all.length > 0 && candidates.length === 0) {
    const message = `${showCell(written[0])} is not a date in the order ${dates}. Correct or omit dates (--dates).`;
    throw timeError(table, name, 0, message);
  }
  let furthest = 0;
  for (const [row, text] of written.slice(0, NARROWING).entries()) {
    const still = candidates.filter((template) => readByTemplate(text, template, language) !== undefined);
    if (still.length === 0) throw misfit({ table, name, row, first: written[0], language });
    candidates = still;
  }
  const readings: Reading[] = [];
  for (const template of candidates) {
    const reading = readAll(template, written, language);
    if (typeof reading === 'number') furthest = Math.max(furthest, reading);
    else if (!readings.some(({ values }) => sameValues(values, reading.values))) readings.push(reading);
  }
  if (readings.length === 0) throw misfit({ table, name, row: furthest, first: written[0], language });
  const earlier = readings.find(({ template }) => template === format?.template);
  const months = earlier !== undefined ? [earlier] : readings.filter((reading) => !mayBeDays(reading));
  if (months.length === 0) throw daysWithoutYear(table, name, written[0], readings[0]);
  const { reading, notes } = chosen(table, name, written, months);
  const found = onOneOffset(name, reading);
  const named =
    language === 'en' || !reading.template.includes('MMM')
      ? {}
      : { months: monthsAsWritten(wordsIn(written), language) };
  return { ...found, format: { ...found.format, ...named }, notes: [...notes, ...found.notes] };
}

const sameValues = (a: Float64Array, b: Float64Array): boolean => a.every((value, i) => value === b[i]);

/**
 * `Dec-22` is read as December 2022 only if the months follow a regular step with few gaps, and if the texts do not
 * fit equally well as days of a daily or weekly series without a year.
 */
function mayBeDays({ template, values }: Reading): boolean {
  if (!isMonthOfShortYear(template)) return false;
  const share = shareOfSteps(values, { template, zone: null });
  return share < 0.5 || Math.max(shareAsDays(values, 1), shareAsDays(values, -1)) >= share;
}

/**
 * Share of the steps of a regular grid that have a row if the two digits are days. The rows run forwards (1) or
 * backwards (-1).
 */
function shareAsDays(values: Float64Array, direction: 1 | -1): number {
  let year = 2000;
  let last = 0;
  const days = new Float64Array(values.length);
  for (const [row, value] of values.entries()) {
    const date = new Date(value);
    const [month, day] = [date.getUTCMonth(), date.getUTCFullYear() % 100];
    const monthAndDay = month * 100 + day;
    if (row > 0 && (monthAndDay - last) * direction < 0) year += direction;
    last = monthAndDay;
    days[row] = Date.UTC(year, month, day);
    if (new Date(days[row]).getUTCDate() !== day) return 0;
  }
  const format = { template: 'YYYY-MM-DD', zone: null };
  try {
    const sorted = Float64Array.from(new Set(days)).sort();
    return exactFrequency(sorted, format).unit === 'month' ? 0 : shareOfSteps(days, format);
  } catch {
    return 0; // there is no regular step
  }
}

function daysWithoutYear(table: Table, name: string, text: string, { values }: Reading): UnrollError {
  const month = writeByTemplate(values[0], 'MMMM YYYY', null);
  const [iso, day] = [
    writeByTemplate(values[0], 'YYYY-MM', null),
    new Date(values[0]).getUTCFullYear() % 100,
  ];
  return timeError(
    table,
    name,
    0,
    `"${text}" may be ${month} or day ${day} of a month without a year. Write ${iso}, or the whole date such as 1960-12-31.`,
  );
}

/** One reading wins if its share of filled steps is at least this many times the share of the next one. */
const CLEARLY = 5;

/** Chooses a reading: by the regularity of its times, else by their order, else by convention. */
function chosen(
  table: Table,
  name: string,
  written: readonly string[],
  readings: readonly Reading[],
): { reading: Reading; notes: string[] } {
  if (readings.length === 1) return { reading: readings[0], notes: [] };
  const taken = (reading: Reading, why: string) => {
    const others = readings.filter((other) => other !== reading);
    const orders = others.flatMap(({ template }) => dateOrder(template) ?? []);
    const otherwise =
      orders.length === 0 ? '' : ` To read them in another order, set dates (--dates ${orders[0]}).`;
    return {
      reading,
      notes: [`The times of "${name}" are read as ${reading.template}: ${why}.${otherwise}`],
    };
  };
  const filled = readings.map(({ values, template }) => shareOfSteps(values, { template, zone: null }));
  const [first, second] = filled.toSorted((a, b) => b - a) as [number, number];
  if (first > 0 && first >= CLEARLY * second)
    return taken(readings[filled.indexOf(first)], 'only then do they follow a regular step');
  const ordered = readings.filter(({ values }) => isOrdered(values));
  if (ordered.length === 1) return taken(ordered[0], 'only then are the rows in order');
  const byConvention = readings.filter(({ template }) => template.startsWith('DD.'));
  if (byConvention.length === 1)
    return taken(byConvention[0], 'dates with periods usually begin with the day');
  const differs = written.findIndex((_, row) =>
    readings.some(({ values }) => values[row] !== readings[0].values[row]),
  );
  const [a, b] = readings.map(({ values }) => writeByTemplate(values[differs], 'DD MMMM YYYY', null));
  const message =
    `"${written[differs]}" may be ${a} or ${b}, and the other rows do not decide. Write the year first: 1960-12-31, ` +
    'or set dates (--dates dmy or --dates mdy).';
  throw timeError(table, name, differs, message);
}

/** True if the times increase from row to row, or decrease. */
function isOrdered(values: Float64Array): boolean {
  const direction = Math.sign(values[1] - values[0]);
  return direction !== 0 && values.every((value, i) => i === 0 || (value - values[i - 1]) * direction > 0);
}

/**
 * The number of rows divided by the number of regular steps from the first time to the last; 0 if the times follow no
 * regular step.
 */
function shareOfSteps(values: Float64Array, format: TimeFormat): number {
  const sorted = Float64Array.from(new Set(values)).sort();
  try {
    const steps = periodsBetween(sorted[0], sorted[sorted.length - 1], exactFrequency(sorted, format)) + 1;
    return sorted.length / steps;
  } catch {
    return 0; // exactFrequency throws if there is no regular step
  }
}

/**
 * If UTC offsets differ (daylight saving) and the instants follow no regular step, but the local clock times do, the
 * values are the local clock times at the last offset.
 */
function onOneOffset(name: string, { template, values, zones }: Reading): TimeColumn {
  const zone = zones?.at(-1) ?? null;
  if (zones === null || zones.every((each) => each === zone))
    return { name, values, format: { template, zone }, notes: [] };
  if (shareOfSteps(values, { template, zone }) > 0)
    return { name, values, format: { template, zone: 'Z' }, notes: [] };
  const clockTimes = values.map((value, i) => value + (zoneMinutes(zones[i]) - zoneMinutes(zone)) * 60_000);
  const notes = [`The offsets of "${name}" change; its times are taken as local clock times.`];
  return { name, values: clockTimes, format: { template, zone }, notes };
}

interface Misfit {
  table: Table;
  name: string;
  row: number;
  /** The text of the first cell. */
  first: string;
  language: string;
}

function misfit({ table, name, row, first, language }: Misfit): UnrollError {
  const cell = column(table, name).cells[row]!;
  const week = /^(\d{4})-?W53\b/.exec(textOf(cell));
  const year = Number(week?.[1]);
  if (week !== null && weeksOf(year) === 52) {
    return timeError(table, name, row, `${showCell(cell)} does not exist: ${year} has 52 weeks.`);
  }
  const known =
    templatesOf(textOf(cell), language).length > 0 || cellNumber(cell, table.decimal) !== undefined;
  if (row === 0 || !known) {
    return timeError(
      table,
      name,
      row,
      `${showCell(cell)} is not a time. Write 1960-12, 1960-12-31, 1960-12-31T18:00, 1960-Q4 or a number.`,
    );
  }
  const message = `${showCell(cell)} is written differently from "${first}" above. Write all times in one format.`;
  return timeError(table, name, row, message);
}
