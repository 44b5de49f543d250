/** The frequency of a series: infers it from the times, adds periods to a time, and finds gaps. */
import { UnrollError, valueError } from '@unroll/core';
import type { TimeFormat } from './time-column.js';
import { zoneMinutes } from './time-template.js';

/** Two rows are `every` units apart. `step` is a plain number; `business-day` is Monday to Friday. */
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
export interface Frequency {
  readonly unit: FrequencyUnit;
  readonly every: number;
  /** Day of the month of every row, 31 for the last day of the month. Months only. */
  readonly day?: number;
  /** Milliseconds from UTC to the clock in which the file counts months and business days. Default 0. */
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

/** The frequency in words: "monthly", "every 15 minutes". */
export function describeFrequency({ unit, every }: Frequency): string {
  if (unit === 'step') return every === 1 ? 'one step a row' : `steps of ${every}`;
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
type TimeRuns = ArrayLike<number> | readonly ArrayLike<number>[];

/** The series with at least two times. */
function runsOf(times: TimeRuns): readonly ArrayLike<number>[] {
  const runs =
    typeof times[0] === 'number' || times.length === 0
      ? [times as ArrayLike<number>]
      : (times as readonly ArrayLike<number>[]);
  return runs.filter((run) => run.length > 1);
}

type WrittenTimes = Pick<TimeFormat, 'template'> & Partial<Pick<TimeFormat, 'zone'>>;

/**
 * Infers the frequency of one or several series; each must be sorted and free of duplicates. Rows may be missing: the
 * frequency is the most frequent distance if all distances are multiples of it; else the largest common divisor of
 * the distances, if not too many rows are missing then. One row per month within a week of the month's start or end
 * (such as the last trading day) is monthly, too.
 * @throws UnrollError `data` for fewer than two rows, or for times that follow no regular step
 */
export function inferFrequency(times: TimeRuns, format: WrittenTimes): Frequency {
  try {
    return exactFrequency(times, format);
  } catch (error) {
    const { local, offset } = onTheClock(runsOf(times), format);
    const monthly = format.template === 'number' ? null : monthFrequency(local, nearAnchor);
    if (monthly === null) throw error;
    return withOffset(monthly, offset);
  }
}

/** Like {@link inferFrequency}, but rows must lie exactly on the days of the frequency. */
export function exactFrequency(times: TimeRuns, format: WrittenTimes): Frequency {
  const runs = runsOf(times);
  if (runs.length === 0) throw new UnrollError('data', 'A frequency needs at least two rows of a series.');
  if (format.template === 'number') return { unit: 'step', every: commonStep(runs, 'step') };
  const { local, offset } = onTheClock(runs, format);
  const calendar = monthFrequency(local, anchorDay) ?? (onBusinessDays(local) ? BUSINESS_DAYS : null);
  return calendar === null ? msFrequency(commonStep(runs, 'millisecond')) : withOffset(calendar, offset);
}

/** Counts months and weekdays in the local time of the file. */
function onTheClock(
  runs: readonly ArrayLike<number>[],
  { zone = null }: WrittenTimes,
): { local: Float64Array[]; offset: number } {
  const offset = zoneMinutes(zone) * 60_000;
  return { local: runs.map((run) => Float64Array.from(run, (time) => time + offset)), offset };
}

const withOffset = (frequency: Frequency, offset: number): Frequency =>
  offset === 0 ? frequency : { ...frequency, offset };

/** A given frequency, with the day of the month and the clock of these times. */
export function anchored(frequency: Frequency, times: ArrayLike<number>, format: WrittenTimes): Frequency {
  if (frequency.unit !== 'month' && frequency.unit !== 'business-day') return frequency;
  const { local, offset } = onTheClock([times], format);
  const clock = withOffset(frequency, offset);
  if (frequency.unit !== 'month') return clock;
  const all = Array.from(local[0]);
  return { ...clock, day: anchorDay(all) ?? nearAnchor(all) ?? dayOf(all.reduce((a, b) => Math.min(a, b))) };
}

const BUSINESS_DAYS: Frequency = { unit: 'business-day', every: 1 };

function msFrequency(step: number): Frequency {
  for (const unit of ['week', 'day', 'hour', 'minute', 'second'] as const) {
    if (step % MS[unit] === 0) return { unit, every: step / MS[unit] };
  }
  return { unit: 'millisecond', every: step };
}

/** The common divisor of the distances is the step only if at least this share of its grid has a row. */
const LEAST_FILLED = 0.05;

function commonStep(runs: readonly ArrayLike<number>[], unit: 'step' | 'millisecond' | 'month'): number {
  const counts = new Map<number, number>();
  let total = 0;
  for (const run of runs) {
    for (let i = 1; i < run.length; i++, total++) {
      const distance = Number((run[i] - run[i - 1]).toPrecision(12));
      counts.set(distance, (counts.get(distance) ?? 0) + 1);
    }
  }
  const fits = (step: number) =>
    [...counts.keys()].find((distance) => Math.abs(distance / step - Math.round(distance / step)) > 1e-6) ===
    undefined;
  const [usual] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0];
  if (fits(usual)) return usual;
  const smallest = Math.min(...counts.keys());
  const span = [...counts].reduce((sum, [distance, count]) => sum + distance * count, 0);
  if (fits(smallest) && total >= (span / smallest) * LEAST_FILLED) return smallest;
  const odd = [...counts.keys()].find((distance) => distance % usual !== 0)!;
  const show = (step: number) =>
    unit === 'millisecond' ? describeStep(msFrequency(step)) : `${step} ${unit}s`;
  throw new UnrollError(
    'data',
    `The times follow no regular step: most rows lie ${show(usual)} apart, and some ${show(odd)}. ` +
      'Resample the rows to one frequency first.',
    { step: usual, odd },
  );
}

const describeStep = ({ unit, every }: Frequency) => `${every} ${unit}${every === 1 ? '' : 's'}`;

function monthIndex(time: number): number {
  const date = new Date(time);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function isMonthEnd(time: number): boolean {
  return new Date(time + DAY).getUTCDate() === 1;
}

const dayOf = (time: number): number => new Date(time).getUTCDate();

/** The day of the month that all times share, 31 for the last day; a shorter month uses its last day. */
function anchorDay(all: readonly number[]): number | null {
  if (all.every(isMonthEnd)) return 31;
  const day = all.reduce((most, time) => Math.max(most, dayOf(time)), 0);
  return all.every((time) => dayOf(time) === day || (isMonthEnd(time) && dayOf(time) < day)) ? day : null;
}

/** 1 or 31 if all times lie within a week of the first or the last day of a month. */
function nearAnchor(all: readonly number[]): number | null {
  if (all.every((time) => dayOf(time) <= 7)) return 1;
  return all.every((time) => dayOf(time + 7 * DAY) <= 7) ? 31 : null;
}

function monthFrequency(
  runs: readonly ArrayLike<number>[],
  anchor: (all: readonly number[]) => number | null,
): Frequency | null {
  const all = runs.flatMap((run) => Array.from(run));
  const sameClock = all.length > 0 && all.every((time) => (time - all[0]) % DAY === 0);
  const day = sameClock ? anchor(all) : null;
  if (day === null) return null;
  const months = runs.map((run) => Array.from(run, monthIndex));
  if (months.some((run) => run.some((month, i) => i > 0 && month === run[i - 1]))) return null;
  return { unit: 'month', every: commonStep(months, 'month'), day };
}

const weekday = (time: number): number => new Date(time).getUTCDay();
const isWeekend = (time: number): boolean => weekday(time) % 6 === 0;

/** True if no row lies on a weekend and most rows are one day apart. */
function onBusinessDays(runs: readonly ArrayLike<number>[]): boolean {
  const all = runs.flatMap((run) => Array.from(run));
  if (all.length < 6 || all.some(isWeekend) || new Set(all.map(weekday)).size !== 5) return false;
  const gaps = runs.flatMap((run) => Array.from(run, (time, i) => time - run[i - 1]).slice(1));
  return gaps.every((gap) => gap % DAY === 0) && gaps.filter((gap) => gap === DAY).length > gaps.length / 2;
}

/** The time `count` periods after `time` (before it if negative). */
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
  let at = time;
  for (let left = Math.abs(count); left > 0; ) {
    at += direction * DAY;
    if (!isWeekend(at)) left--;
  }
  return at;
}

/** The number of periods from `from` to `to`: an integer if both lie on the grid of the frequency. */
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
  for (let at = from + weeks * 7 * DAY; at < to; count++) at = addBusinessDays(at, 1);
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

/** Unit names that follow a number, including those of pandas. The rows show where a month or week begins. */
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
const ANCHOR = /-(mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)$/;

/**
 * Parses a frequency: a name (`monthly`, `business days`), a number and a unit (`15 minutes`, `15min`, `2 weeks`), a
 * letter (`h`, `d`, `b`, `w`, `m`, `q`, `y`), a pandas alias (`MS`, `QE`, `W-SUN`, `15T`), or the text of {@link
 * describeFrequency}.
 * @throws UnrollError `value` for anything else
 */
export function parseFrequency(text: string): Frequency {
  // In pandas, MS is a month start and ms a millisecond: only here does case matter.
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
