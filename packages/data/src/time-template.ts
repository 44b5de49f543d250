/**
 * Templates for times, such as `DD.MM.YYYY HH:mm`. The template that reads a file also writes its forecast times. Values are
 * milliseconds since 1970 in UTC.
 *
 * Tokens: YYYY year, YY two-digit year (1969 to 2068), MM month, MMM and MMMM month name, DD day, Q quarter, WW ISO
 * week, HH hour, hh hour with A (AM/PM), mm minute, ss second (with an optional fraction), Z zone. Text in brackets
 * and any other character are literal.
 */
import { monthNumber } from './month-names.js';

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY = 86_400_000;

/** The pattern of each token. */
const TOKENS: Readonly<Record<string, string>> = {
  YYYY: '(\\d{4})',
  YY: '(\\d{2})',
  MMMM: '([\\p{L}\\p{M}]{3,12})\\.?',
  MMM: '([\\p{L}\\p{M}]{3})\\.?',
  MM: '(\\d{1,2})',
  DD: '(\\d{1,2})',
  Q: '([1-4])',
  WW: '(\\d{2})',
  HH: '(\\d{1,2})',
  hh: '(\\d{1,2})',
  mm: '(\\d{2})',
  ss: '(\\d{2}(?:[.,]\\d{1,9})?)',
  A: '([AaPp]\\.?[Mm]\\.?)',
  Z: '(Z|UTC|GMT|[+-](?:0\\d|1[0-4])(?::?[0-5]\\d)?)',
};
/** Splits a template into tokens and literal text. */
const SPLIT = /(\[[^\]]*\]|YYYY|YY|MMMM|MMM|MM|DD|Q|WW|HH|hh|mm|ss|\bA(?=Z|\b)|Z)/;

/** The time in one cell. */
export interface Moment {
  value: number;
  /** The zone as written; null if the template has none. */
  zone: string | null;
}

interface Part {
  /** Null for literal text. */
  token: string | null;
  text: string;
}

const partsOf = (template: string): Part[] =>
  template
    .split(SPLIT)
    .filter((text) => text !== '')
    .map((text) => ({
      token: Object.hasOwn(TOKENS, text) ? text : null,
      text: text.replace(/^\[(.*)\]$/, '$1'),
    }));

interface CompiledTemplate {
  pattern: RegExp;
  /** The capture group of each token. */
  groups: Readonly<Record<string, number>>;
}

const compiledTemplates = new Map<string, CompiledTemplate>();

/** Returns the regular expression of a template. */
function compile(template: string): CompiledTemplate {
  let result = compiledTemplates.get(template);
  if (result === undefined) {
    const parts = partsOf(template);
    const source = parts
      .map(({ token, text }) =>
        token === null ? text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : TOKENS[token],
      )
      .join('');
    const tokens = parts.flatMap(({ token }) => (token === null ? [] : [token]));
    const groups = Object.fromEntries(tokens.map((token, i) => [token, i + 1]));
    result = { pattern: new RegExp(`^${source}$`, 'u'), groups };
    compiledTemplates.set(template, result);
  }
  return result;
}

/** Reads a text with a template; returns undefined if the text does not fit or is not a valid time. */
export function readByTemplate(text: string, template: string, language = 'en'): Moment | undefined {
  const { pattern, groups } = compile(template);
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const number = (token: string, fallback: number): number =>
    token in groups ? Number(match[groups[token]]) : fallback;
  const year = 'YY' in groups ? fullYear(number('YY', 0)) : number('YYYY', 0);
  const name = groups.MMM ?? groups.MMMM;
  const month =
    name === undefined
      ? 'Q' in groups
        ? number('Q', 1) * 3 - 2
        : number('MM', 1)
      : monthNumber(match[name], language);
  const date = 'WW' in groups ? weekStart(year, number('WW', 1)) : dateValue(year, month, number('DD', 1));
  const hour = 'hh' in groups ? to24Hours(number('hh', 0), match[groups.A]) : number('HH', 0);
  const second = 'ss' in groups ? Number(match[groups.ss].replace(',', '.')) : 0;
  const clock = clockValue(hour, number('mm', 0), second);
  if (date === undefined || clock === undefined) return undefined;
  const zone = 'Z' in groups ? match[groups.Z] : null;
  return { value: date + clock - offsetMinutes(zone) * 60_000, zone };
}

/** Returns the full year of a two-digit year, 1969 to 2068, as in POSIX. */
const fullYear = (year: number): number => (year < 69 ? 2000 : 1900) + year;

/** Returns the start of a day; undefined for an invalid day, and for years below 100, which Date.UTC reads as 19xx. */
function dateValue(year: number, month: number, day: number): number | undefined {
  if (
    year < 100 ||
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > new Date(Date.UTC(year, month, 0)).getUTCDate()
  )
    return undefined;
  return Date.UTC(year, month - 1, day);
}

/** Returns the Monday of an ISO week; undefined for an invalid week. */
function weekStart(year: number, week: number): number | undefined {
  return year >= 100 && week >= 1 && week <= weeksInYear(year)
    ? firstMonday(year) + (week - 1) * 7 * DAY
    : undefined;
}

/** Returns the Monday of the first ISO week of a year. */
function firstMonday(year: number): number {
  const january4 = Date.UTC(year, 0, 4);
  return january4 - ((new Date(january4).getUTCDay() + 6) % 7) * DAY;
}

/** Returns the number of ISO weeks: 53 for years that begin or end on a Thursday, else 52. */
export function weeksInYear(year: number): number {
  const isThursday = (month: number, day: number) => new Date(Date.UTC(year, month, day)).getUTCDay() === 4;
  return isThursday(0, 1) || isThursday(11, 31) ? 53 : 52;
}

/** Converts a 12-hour clock to 24 hours; NaN for an invalid hour. */
function to24Hours(hour: number, period: string): number {
  if (hour < 1 || hour > 12) return Number.NaN;
  return (hour % 12) + (period.toLowerCase().startsWith('p') ? 12 : 0);
}

/** Returns a clock time in milliseconds; undefined if it is invalid. */
function clockValue(hour: number, minute: number, second: number): number | undefined {
  // 24:00 is the end of the day.
  const isValidHour = hour <= 23 || (hour === 24 && minute === 0 && second === 0);
  if (!(isValidHour && minute <= 59 && second < 60)) return undefined;
  return Math.round(((hour * 60 + minute) * 60 + second) * 1000);
}

/** Returns the UTC offset of a written zone in minutes; positive if the zone is ahead of UTC. */
export function offsetMinutes(zone: string | null): number {
  if (zone === null || /^[A-Z]/.test(zone)) return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', ''));
  return zone.startsWith('-') ? -minutes : minutes;
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/** Writes a time with a template, in the given zone and with the given month names. */
export function writeByTemplate(
  value: number,
  template: string,
  zone: string | null,
  months: readonly string[] = MONTHS,
): string {
  const date = new Date(value + offsetMinutes(zone) * 60_000);
  const [hour, month] = [date.getUTCHours(), date.getUTCMonth()];
  const fraction = date.getUTCMilliseconds() === 0 ? '' : `.${pad(date.getUTCMilliseconds(), 3)}`;
  const week = () => weekOf(date.getTime());
  const fields: Record<string, () => string> = {
    YYYY: () => pad(template.includes('WW') ? week().year : date.getUTCFullYear(), 4),
    YY: () => pad(date.getUTCFullYear() % 100),
    MMMM: () => months[month],
    MMM: () => (months === MONTHS ? months[month].slice(0, 3) : months[month]),
    MM: () => pad(month + 1),
    DD: () => pad(date.getUTCDate()),
    Q: () => String(Math.floor(month / 3) + 1),
    WW: () => pad(week().week),
    HH: () => pad(hour),
    hh: () => pad(hour % 12 === 0 ? 12 : hour % 12),
    mm: () => pad(date.getUTCMinutes()),
    ss: () => pad(date.getUTCSeconds()) + fraction,
    A: () => (hour < 12 ? 'AM' : 'PM'),
    Z: () => zone ?? 'Z',
  };
  return partsOf(template)
    .map(({ token, text }) => (token === null ? text : fields[token]()))
    .join('');
}

function weekOf(time: number): { year: number; week: number } {
  const thursday = new Date(time + (3 - ((new Date(time).getUTCDay() + 6) % 7)) * DAY);
  const year = thursday.getUTCFullYear();
  return { year, week: 1 + Math.round((time - firstMonday(year)) / (7 * DAY)) };
}

const DATES = [
  ...['-', '/', '.'].flatMap((mark) => [
    `YYYY${mark}MM`,
    `YYYY${mark}MM${mark}DD`,
    `DD${mark}MM${mark}YYYY`,
    `MM${mark}DD${mark}YYYY`,
    `MM${mark}YYYY`,
    `DD${mark}MM${mark}YY`,
    `MM${mark}DD${mark}YY`,
    `YY${mark}MM${mark}DD`,
  ]),
  ...['YYYY-[Q]Q', 'YYYY [Q]Q', 'YYYY[Q]Q', '[Q]Q YYYY', '[Q]Q-YYYY', '[Q]Q/YYYY'],
  ...['YYYY-[W]WW', 'YYYY[W]WW', 'YYYY-[W]WW-1'],
  ...['\u5E74|\u6708|\u65E5', '\uB144 |\uC6D4 |\uC77C'].flatMap((marks) => {
    const [year, month, day] = marks.split('|');
    return [`YYYY${year}MM${month.trim()}`, `YYYY${year}MM${month}DD${day}`];
  }),
  ...['MMM', 'MMMM'].flatMap((month) => [
    ...[' ', '-', '/', '.', '', ', '].map((mark) => `${month}${mark}YYYY`),
    ...[' ', '-', ''].map((mark) => `YYYY${mark}${month}`),
    ...[' ', '-', '/', '.', '', " '", "'"].map((mark) => `${month}${mark}YY`),
    ...[' ', '-'].map((mark) => `YY${mark}${month}`),
    ...[' ', '-', '/', '. '].flatMap((mark) => {
      const between = mark.trim() === '.' ? ' ' : mark;
      return [`DD${mark}${month}${between}YYYY`, `DD${mark}${month}${between}YY`];
    }),
    ...[`${month} DD, YYYY`, `${month} DD YYYY`, `YYYY ${month} DD`],
  ]),
];
const CLOCKS = ['HH:mm', 'HH:mm:ss', 'hh:mm A', 'hh:mm:ss A'];

/**
 * Returns whether a template has a two-digit year but no day, such as `MMM-YY`. A text that fits it, such as `Dec-22`, may also
 * mean a day without a year.
 */
export const isMonthOfShortYear = (template: string): boolean =>
  /(^|[^Y])YY([^Y]|$)/.test(template) && !template.includes('DD');

/**
 * Returns the order of day, month and year in a template of numeric dates; undefined for other templates, and if the
 * date begins with a four-digit year.
 */
export function dateOrder(template: string): 'dmy' | 'mdy' | 'ymd' | undefined {
  if (!/^(?!YYYY)[YMD]+([-/.])[YMD]+\1[YMD]+/.test(template) || template.includes('MMM')) return undefined;
  return template.startsWith('D') ? 'dmy' : template.startsWith('M') ? 'mdy' : 'ymd';
}

/**
 * Returns a template with at least the given precision. If it requires months or days that are missing, the template is
 * replaced by `YYYY-MM` or `YYYY-MM-DD`. If a clock time or seconds are missing, they are added.
 */
export function refineTemplate(template: string, precision: 'month' | 'day' | 'minute' | 'second'): string {
  if (precision === 'month') return /MM|DD|WW/.test(template) ? template : 'YYYY-MM';
  const days = template.includes('DD') ? template : 'YYYY-MM-DD';
  if (precision === 'day') return days;
  const clock = precision === 'second' ? ':ss' : '';
  if (!/HH|hh/.test(days)) return `${days} HH:mm${clock}`;
  return days.includes('ss') ? days : days.replace('mm', `mm${clock}`);
}

/** All known templates, except YYYYMM and YYYYMMDD. */
export const TEMPLATES: readonly string[] = DATES.flatMap((date) => {
  if (!date.includes('DD')) return [date];
  const clocks = CLOCKS.flatMap((clock) =>
    [' ', 'T', ', '].map((separator) => `${date}${separator}${clock}`),
  );
  return [date, ...clocks, ...clocks.flatMap((template) => [`${template}Z`, `${template} Z`])];
});
