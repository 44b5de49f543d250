/** Frequencies of series: infers, parses and describes them, and converts between times and numbers of periods. */
import { UnrollError, valueError } from '@unroll/core';
import type { TimeFormat } from './time-column.js';
import { offsetMinutes } from './time-template.js';

/** The unit of a frequency. `step`: times are plain numbers. `business-day`: Monday to Friday. */
export type FrequencyUnit =
  | 'millisecond'
  | 'second'
  | 'minute'
  | 'hour'
  | 'day'
  | 'business-day'
  | 'week'
  | 'month'
  | 'step';

/** The distance between consecutive rows: `every` units. */
export interface Frequency {
  readonly unit: FrequencyUnit;
  readonly every: number;
  /** For the unit `month`: the day of the month of every row; 31 is the last day of the month. */
  readonly day?: number;
  /**
   * Milliseconds by which the file's time zone is ahead of UTC, used for months and business days, which are counted in local
   * time. Default 0.
   */
  readonly offset?: number;
}

const SECOND = 1000;
const DAY = 86_400_000;
const MS: Record<Exclude<FrequencyUnit, 'step' | 'month' | 'business-day'>, number> = {
  millisecond: 1,
  second: SECOND,
  minute: 60 * SECOND,
  hour: 3600 * SECOND,
  day: DAY,
  week: 7 * DAY,
};

/** Returns the frequency in words, such as "monthly" or "every 15 minutes". */
export function describeFrequency({ unit, every }: Frequency): string {
  if (unit === 'step') return every === 1 ? 'one step per row' : `steps of ${every}`;
  if (unit === 'month' && every === 3) return 'quarterly';
  if (unit === 'month' && every === 12) return 'yearly';
  if (every !== 1) return `every ${every} ${unit}s`;
  const names: Partial<Record<FrequencyUnit, string>> = {
    second: 'every second',
    minute: 'every minute',
    hour: 'hourly',
    day: 'daily',
    'business-day': 'on business days',
    week: 'weekly',
    month: 'monthly',
  };
  return names[unit] ?? `every ${unit}`;
}

/** The times of one or several series, each sorted. */
type SeriesTimes = ArrayLike<number> | readonly ArrayLike<number>[];

/** Returns the series that have at least two times. */
function seriesOf(times: SeriesTimes): readonly ArrayLike<number>[] {
  const series =
    typeof times[0] === 'number' || times.length === 0
      ? [times as ArrayLike<number>]
      : (times as readonly ArrayLike<number>[]);
  return series.filter((times) => times.length > 1);
}

/** The template of times, and their time zone if they have one. */
type WrittenFormat = Pick<TimeFormat, 'template'> & Partial<Pick<TimeFormat, 'zone'>>;

/**
 * Returns the frequency of one or several series. The times of each series must be sorted and distinct; rows may be missing.
 * The first of these rules that applies gives the frequency:
 * - If all rows are on the same day of the month, or all on the last day of their month, the frequency is in months.
 * - If the rows cover all five weekdays and no weekend, and most of them are one day apart, it is business days.
 * - If all distances between rows are multiples of the most common distance, it is this distance.
 * - If all distances are multiples of the smallest distance, and at least 5 % of the steps of this length have a row, it is
 *   this distance.
 * - If no month has two rows, and all rows are in the first week of their month, or all in the last week (such as the last
 *   trading day), the frequency is in months.
 * @throws UnrollError `data` for fewer than two rows, or for times that do not follow a regular step
 */
export function inferFrequency(times: SeriesTimes, format: WrittenFormat): Frequency {
  try {
    return exactFrequency(times, format);
  } catch (error) {
    const { local, offset } = toLocalTimes(seriesOf(times), format);
    const monthly = format.template === 'number' ? null : monthFrequency(local, approximateAnchorDay);
    if (monthly === null) throw error;
    return withOffset(monthly, offset);
  }
}

/** Like {@link inferFrequency}, but without the last rule: the rows must lie exactly on the days of the frequency. */
export function exactFrequency(times: SeriesTimes, format: WrittenFormat): Frequency {
  const series = seriesOf(times);
  if (series.length === 0) throw new UnrollError('data', 'A frequency needs at least two rows of a series.');
  if (format.template === 'number') return { unit: 'step', every: commonStep(series, 'step') };
  const { local, offset } = toLocalTimes(series, format);
  const calendar = monthFrequency(local, anchorDay) ?? (onBusinessDays(local) ? BUSINESS_DAYS : null);
  return calendar === null ? msFrequency(commonStep(local, 'millisecond')) : withOffset(calendar, offset);
}

/** Converts UTC times to the local time of the file, in which months and weekdays are counted. */
function toLocalTimes(
  series: readonly ArrayLike<number>[],
  { zone = null }: WrittenFormat,
): { local: Float64Array[]; offset: number } {
  const offset = offsetMinutes(zone) * 60_000;
  return { local: series.map((times) => Float64Array.from(times, (time) => time + offset)), offset };
}

const withOffset = (frequency: Frequency, offset: number): Frequency =>
  offset === 0 ? frequency : { ...frequency, offset };

/** Returns a frequency with the day of the month and the UTC offset of the given times. */
export function anchorFrequency(
  frequency: Frequency,
  times: ArrayLike<number>,
  format: WrittenFormat,
): Frequency {
  if (frequency.unit !== 'month' && frequency.unit !== 'business-day') return frequency;
  const { local, offset } = toLocalTimes([times], format);
  const result = withOffset(frequency, offset);
  if (frequency.unit !== 'month') return result;
  const all = Array.from(local[0]);
  return {
    ...result,
    day: anchorDay(all) ?? approximateAnchorDay(all) ?? dayOf(all.reduce((a, b) => Math.min(a, b))),
  };
}

const BUSINESS_DAYS: Frequency = { unit: 'business-day', every: 1 };

function msFrequency(step: number): Frequency {
  for (const unit of ['week', 'day', 'hour', 'minute', 'second'] as const) {
    if (step % MS[unit] === 0) return { unit, every: step / MS[unit] };
  }
  return { unit: 'millisecond', every: step };
}

/** The smallest distance is accepted as the step only if at least this share of the steps have a row. */
const MIN_FILLED_SHARE = 0.05;

/** Returns the step of which all distances between rows are multiples. @throws UnrollError `data` if there is none */
function commonStep(series: readonly ArrayLike<number>[], unit: 'step' | 'millisecond' | 'month'): number {
  const counts = new Map<number, number>();
  /** The time of the first row at each distance from the row before it. */
  const firstTimes = new Map<number, number>();
  let total = 0;
  for (const times of series) {
    for (let i = 1; i < times.length; i++, total++) {
      const distance = Number((times[i] - times[i - 1]).toPrecision(12));
      counts.set(distance, (counts.get(distance) ?? 0) + 1);
      if (!firstTimes.has(distance)) firstTimes.set(distance, times[i]);
    }
  }
  const dividesAll = (step: number) =>
    [...counts.keys()].find((distance) => Math.abs(distance / step - Math.round(distance / step)) > 1e-6) ===
    undefined;
  const [mostFrequent] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0];
  if (dividesAll(mostFrequent)) return mostFrequent;
  const smallest = Math.min(...counts.keys());
  const span = [...counts].reduce((sum, [distance, count]) => sum + distance * count, 0);
  if (dividesAll(smallest) && total >= (span / smallest) * MIN_FILLED_SHARE) return smallest;
  const [odd, time] = [...firstTimes].find(([distance]) => distance % mostFrequent !== 0)!;
  throw new UnrollError(
    'data',
    `The times follow no regular step: most rows are ${formatDistance(mostFrequent, unit)} apart, but the row at ` +
      `${formatPosition(time, unit)} is ${formatDistance(odd, unit)} after the row before it. ` +
      'Resample the rows to one frequency first.',
    { step: mostFrequent, odd },
  );
}

const describeStep = ({ unit, every }: Frequency) => `${every} ${unit}${every === 1 ? '' : 's'}`;

/** Formats a distance between rows for a message, such as "1 day and 1 second". */
function formatDistance(distance: number, unit: 'step' | 'millisecond' | 'month'): string {
  if (unit !== 'millisecond') return describeStep({ unit, every: distance });
  const days = Math.floor(distance / DAY);
  const remainder = distance % DAY;
  if (days === 0 || remainder === 0) return describeStep(msFrequency(distance));
  return `${describeStep({ unit: 'day', every: days })} and ${describeStep(msFrequency(remainder))}`;
}

/** Formats a time for a message: a number, a month (given as the number of months since year 0), or a date with its clock time. */
function formatPosition(time: number, unit: 'step' | 'millisecond' | 'month'): string {
  if (unit === 'step') return String(time);
  if (unit === 'month') return `${Math.floor(time / 12)}-${String((time % 12) + 1).padStart(2, '0')}`;
  return new Date(time).toISOString().replace(/(?:T00:00:00)?\.000Z$|Z$/, '');
}

/** Returns the number of months since year 0. */
function monthIndex(time: number): number {
  const date = new Date(time);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function isMonthEnd(time: number): boolean {
  return new Date(time + DAY).getUTCDate() === 1;
}

const dayOf = (time: number): number => new Date(time).getUTCDate();

/** Returns the common day of the month of all times (31: the last day), or null. Shorter months use their last day. */
function anchorDay(times: readonly number[]): number | null {
  if (times.every(isMonthEnd)) return 31;
  const day = times.reduce((latest, time) => Math.max(latest, dayOf(time)), 0);
  return times.every((time) => dayOf(time) === day || (isMonthEnd(time) && dayOf(time) < day)) ? day : null;
}

/** Returns 1 or 31 if all times are in the first or the last week of their month; otherwise null. */
function approximateAnchorDay(times: readonly number[]): number | null {
  if (times.every((time) => dayOf(time) <= 7)) return 1;
  return times.every((time) => dayOf(time + 7 * DAY) <= 7) ? 31 : null;
}

/** Returns a frequency in months if `anchor` finds a common day and no month has two rows; otherwise null. */
function monthFrequency(
  series: readonly ArrayLike<number>[],
  anchor: (all: readonly number[]) => number | null,
): Frequency | null {
  const all = series.flatMap((times) => Array.from(times));
  const sameClock = all.length > 0 && all.every((time) => (time - all[0]) % DAY === 0);
  const day = sameClock ? anchor(all) : null;
  if (day === null) return null;
  const months = series.map((times) => Array.from(times, monthIndex));
  if (months.some((list) => list.some((month, i) => i > 0 && month === list[i - 1]))) return null;
  return { unit: 'month', every: commonStep(months, 'month'), day };
}

const weekday = (time: number): number => new Date(time).getUTCDay();
const isWeekend = (time: number): boolean => weekday(time) % 6 === 0;

/** Returns whether the rows cover all five weekdays but no weekend, and most of them are one day apart. */
function onBusinessDays(series: readonly ArrayLike<number>[]): boolean {
  const all = series.flatMap((times) => Array.from(times));
  if (all.length < 6 || all.some(isWeekend) || new Set(all.map(weekday)).size !== 5) return false;
  const gaps = series.flatMap((times) => Array.from(times, (time, i) => time - times[i - 1]).slice(1));
  return gaps.every((gap) => gap % DAY === 0) && gaps.filter((gap) => gap === DAY).length > gaps.length / 2;
}

/** Returns the time `count` periods after `time`, or before it if `count` is negative. */
export function addPeriods(time: number, count: number, frequency: Frequency): number {
  const { unit, every, offset = 0 } = frequency;
  if (unit === 'step') return time + count * every;
  if (unit === 'month') return addMonths(time + offset, count * every, frequency.day ?? 1) - offset;
  if (unit === 'business-day') return addBusinessDays(time + offset, count) - offset;
  return time + count * every * MS[unit];
}

function addMonths(time: number, months: number, day: number): number {
  const date = new Date(time);
  const clock = time - Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months + 1, 0));
  return Date.UTC(last.getUTCFullYear(), last.getUTCMonth(), Math.min(day, last.getUTCDate())) + clock;
}

function addBusinessDays(time: number, count: number): number {
  const direction = Math.sign(count);
  let day = time;
  for (let remaining = Math.abs(count); remaining > 0; ) {
    day += direction * DAY;
    if (!isWeekend(day)) remaining--;
  }
  return day;
}

/** Returns the number of periods from `from` to `to`. It is an integer if both are times of the frequency. */
export function periodsBetween(from: number, to: number, frequency: Frequency): number {
  const { unit, every, offset = 0 } = frequency;
  if (unit === 'step') return Math.round(((to - from) / every) * 1e6) / 1e6;
  if (unit === 'month') return (monthIndex(to + offset) - monthIndex(from + offset)) / every;
  if (unit === 'business-day') return businessDaysBetween(from + offset, to + offset);
  return (to - from) / (every * MS[unit]);
}

function businessDaysBetween(from: number, to: number): number {
  const weeks = Math.floor((to - from) / (7 * DAY));
  let count = weeks * 5;
  for (let day = from + weeks * 7 * DAY; day < to; count++) day = addBusinessDays(day, 1);
  // A day of the weekend lies between two business days, so the number of periods up to it is not an integer.
  return isWeekend(to) ? count - 0.5 : count;
}

const NAMES: Readonly<Record<string, Frequency>> = {
  yearly: { unit: 'month', every: 12 },
  annual: { unit: 'month', every: 12 },
  quarterly: { unit: 'month', every: 3 },
  monthly: { unit: 'month', every: 1 },
  weekly: { unit: 'week', every: 1 },
  daily: { unit: 'day', every: 1 },
  'business days': BUSINESS_DAYS,
  hourly: { unit: 'hour', every: 1 },
  'half-hourly': { unit: 'minute', every: 30 },
};

/**
 * Units in the text of a frequency: unit, number of units, and names (including pandas aliases). Aliases for the start
 * and the end of a month are the same here, because the day of the month is taken from the rows.
 */
const UNITS: readonly [FrequencyUnit, number, readonly string[]][] = [
  ['millisecond', 1, ['millisecond', 'ms', 'l']],
  ['second', 1, ['second', 'sec', 's']],
  ['minute', 1, ['minute', 'min', 't']],
  ['hour', 1, ['hour', 'hr', 'h']],
  ['day', 1, ['day', 'd']],
  ['business-day', 1, ['business day', 'business-day', 'b']],
  ['week', 1, ['week', 'w']],
  ['month', 1, ['month', 'm', 'me', 'bm', 'bme', 'bms']],
  ['month', 3, ['quarter', 'q', 'qs', 'qe', 'bq', 'bqe', 'bqs']],
  ['month', 12, ['year', 'y', 'ys', 'ye', 'a', 'as']],
];
/** The day or month after a pandas alias, such as `-sun`. It is ignored. */
const ANCHOR = /-(mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)$/;

/**
 * Parses a frequency: a name (`monthly`, `business days`), a number and a unit (`15 minutes`, `15min`, `2 weeks`), a
 * letter (`h`, `d`, `b`, `w`, `m`, `q`, `y`), a pandas alias (`MS`, `QE`, `W-SUN`, `15T`), or the text of {@link
 * describeFrequency}, except for the unit `step`.
 * @throws UnrollError `value` for anything else
 */
export function parseFrequency(text: string): Frequency {
  // The case matters only for the pandas aliases MS (month start) and ms (millisecond).
  const plain = text
    .trim()
    .replace(/^(\d*)MS$/, '$1 month')
    .toLowerCase()
    .replace(/^(every|on) /, '');
  if (Object.hasOwn(NAMES, plain)) return NAMES[plain];
  const match = /^(\d+)?[\s-]*([a-z][a-z -]*)$/.exec(plain.replace(ANCHOR, ''));
  const count = Number(match?.[1] ?? 1);
  const name = match?.[2] ?? '';
  const singular = name.length > 2 ? name.replace(/s$/, '') : name;
  const found = UNITS.find(([, , names]) => names.includes(name) || names.includes(singular));
  if (found !== undefined && count > 0 && (found[0] !== 'business-day' || count === 1))
    return { unit: found[0], every: count * found[1] };
  throw valueError(
    `"${text}" is not a frequency. Write monthly, weekly, daily, hourly, 15 minutes, or one of h, d, b, w, m, q, y.`,
    { frequency: text },
  );
}
