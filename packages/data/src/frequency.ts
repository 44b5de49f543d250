/** How far apart the rows of a series lie: inferring it from the times, walking along it, and finding what is missing. */
import { UnrollError, valueError } from '@unroll/core';
import type { TimeFormat } from './time.js';

/** `every` steps of `unit` lie between two rows. `step` is a plain number; `business-day` is Monday to Friday. */
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
  /** Days of the month that rows stand on: the usual one, or 31 for the last day of each month. Months only. */
  readonly day?: number;
}

const SECOND = 1000;
const DAY = 86_400_000;
const MS: Partial<Record<FrequencyUnit, number>> = {
  millisecond: 1,
  second: SECOND,
  minute: 60 * SECOND,
  hour: 3600 * SECOND,
  day: DAY,
  week: 7 * DAY,
};

/** "monthly", "every 15 minutes". */
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

/** Times of one series, or of several, each sorted. */
type TimeRuns = ArrayLike<number> | readonly ArrayLike<number>[];

function runsOf(times: TimeRuns): readonly ArrayLike<number>[] {
  return typeof times[0] === 'number' || times.length === 0
    ? [times as ArrayLike<number>]
    : (times as readonly ArrayLike<number>[]);
}

/**
 * The frequency of the times of one series, or of several together; each must be sorted and without duplicates. Rows may
 * be missing: the frequency is the most frequent step, if all distances are multiples of it; else the largest step of
 * which all are, if not too many rows are missing then.
 * @throws UnrollError `data` for fewer than two rows, or times that follow no step
 */
export function inferFrequency(times: TimeRuns, format: Pick<TimeFormat, 'template'>): Frequency {
  const runs = runsOf(times).filter((run) => run.length > 1);
  if (runs.length === 0) throw new UnrollError('data', 'A frequency needs at least two rows of a series.');
  if (format.template === 'number') return { unit: 'step', every: commonStep(runs, 'step') };
  const monthly = monthFrequency(runs);
  if (monthly !== null) return monthly;
  if (runs.every(onBusinessDays)) return { unit: 'business-day', every: 1 };
  return msFrequency(commonStep(runs, 'millisecond'));
}

function msFrequency(step: number): Frequency {
  for (const unit of ['week', 'day', 'hour', 'minute', 'second'] as const) {
    if (step % MS[unit]! === 0) return { unit, every: step / MS[unit]! };
  }
  return { unit: 'millisecond', every: step };
}

/** The smallest distance is the step only if rows stand on at least this share of the grid it makes. */
const LEAST_FILLED = 0.05;

function commonStep(runs: readonly ArrayLike<number>[], unit: 'step' | 'millisecond' | 'month'): number {
  const counts = new Map<number, number>();
  let total = 0;
  for (const run of runs) {
    for (let i = 1; i < run.length; i++, total++) {
      const distance = Number((run[i]! - run[i - 1]!).toPrecision(12));
      counts.set(distance, (counts.get(distance) ?? 0) + 1);
    }
  }
  const fits = (step: number) =>
    [...counts.keys()].find((distance) => Math.abs(distance / step - Math.round(distance / step)) > 1e-6) ===
    undefined;
  const [usual] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]!;
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
      'Bring the rows to one frequency first.',
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

function monthFrequency(runs: readonly ArrayLike<number>[]): Frequency | null {
  const all = runs.flatMap((run) => Array.from(run));
  const first = new Date(all[0]!);
  const sameClock = all.every((time) => (time - first.getTime()) % DAY === 0);
  const sameDay = all.every((time) => new Date(time).getUTCDate() === first.getUTCDate());
  if (!sameClock || (!sameDay && !all.every(isMonthEnd))) return null;
  const months = runs.map((run) => Array.from(run, monthIndex));
  if (months.some((run) => run.some((month, i) => i > 0 && month === run[i - 1]))) return null;
  return { unit: 'month', every: commonStep(months, 'month'), day: sameDay ? first.getUTCDate() : 31 };
}

function weekday(time: number): number {
  return new Date(time).getUTCDay();
}

function onBusinessDays(times: ArrayLike<number>): boolean {
  const all = Array.from(times);
  const days = new Set(all.map(weekday));
  if (all.length < 6 || days.has(0) || days.has(6) || days.size !== 5) return false;
  const gaps = all.slice(1).map((time, i) => time - all[i]!);
  return gaps.every((gap) => gap % DAY === 0) && gaps.filter((gap) => gap === DAY).length > gaps.length / 2;
}

/** The time `count` rows after `time` (before it where negative). */
export function addPeriods(time: number, count: number, frequency: Frequency): number {
  const { unit, every } = frequency;
  if (unit === 'step') return time + count * every;
  if (unit === 'month') return addMonths(time, count * every, frequency.day ?? 1);
  if (unit === 'business-day') return addBusinessDays(time, count);
  return time + count * every * MS[unit]!;
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
    if (weekday(at) !== 0 && weekday(at) !== 6) left--;
  }
  return at;
}

/** How many rows after `from` the time `to` lies: a whole number when both stand on the frequency's grid. */
export function periodsBetween(from: number, to: number, frequency: Frequency): number {
  const { unit, every } = frequency;
  if (unit === 'step') return Math.round(((to - from) / every) * 1e6) / 1e6;
  if (unit === 'month') return (monthIndex(to) - monthIndex(from)) / every;
  if (unit !== 'business-day') return (to - from) / (every * MS[unit]!);
  const weeks = Math.floor((to - from) / (7 * DAY));
  let rest = weeks * 5;
  for (let at = from + weeks * 7 * DAY; at < to; rest++) at = addBusinessDays(at, 1);
  return rest;
}

const NAMES: Readonly<Record<string, Frequency>> = {
  yearly: { unit: 'month', every: 12 },
  quarterly: { unit: 'month', every: 3 },
  monthly: { unit: 'month', every: 1 },
  weekly: { unit: 'week', every: 1 },
  daily: { unit: 'day', every: 1 },
  'business days': { unit: 'business-day', every: 1 },
  hourly: { unit: 'hour', every: 1 },
};
const UNITS: Readonly<Record<string, FrequencyUnit>> = {
  ms: 'millisecond',
  s: 'second',
  sec: 'second',
  min: 'minute',
  h: 'hour',
  d: 'day',
  b: 'business-day',
  w: 'week',
  m: 'month',
  q: 'month',
  y: 'month',
};

/**
 * A frequency by name (`monthly`, `business days`), by number and unit (`15 minutes`, `15min`, `2 weeks`) or by letter
 * (`h`, `d`, `b`, `w`, `m`, `q`, `y`).
 * @throws UnrollError `value` for anything else
 */
export function parseFrequency(text: string): Frequency {
  const plain = text.trim().toLowerCase();
  if (Object.hasOwn(NAMES, plain)) return NAMES[plain]!;
  const match = /^(\d+)?\s*([a-z-]+?)$/.exec(plain);
  const count = Number(match?.[1] ?? 1);
  const name = match?.[2] ?? '';
  const singular = name.length > 3 ? name.replace(/s$/, '') : name;
  const months = { month: 1, m: 1, quarter: 3, q: 3, year: 12, y: 12 }[singular];
  if (months !== undefined && count > 0) return { unit: 'month', every: count * months };
  const unit = UNITS[singular] ?? (Object.hasOwn(MS, singular) ? (singular as FrequencyUnit) : undefined);
  if (unit === 'business-day' && count === 1) return { unit, every: 1 };
  if (unit !== undefined && unit !== 'business-day' && count > 0) return { unit, every: count };
  throw valueError(
    `"${text}" is no frequency. Write monthly, weekly, daily, hourly, 15 minutes, or one of h, d, b, w, m, q, y.`,
    { frequency: text },
  );
}
