/** How far apart the rows of a series lie: inferring it from the times, walking along it, and finding what is missing. */
import { UnrollError } from '@unroll/core';
import type { TimeStyle } from './time.js';

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

/**
 * The frequency of a column of times, which must be sorted and without duplicates. Rows may be missing: the frequency is
 * the largest step of which (nearly) all distances are multiples.
 * @throws UnrollError `data` for fewer than two rows, or times that follow no step
 */
export function inferFrequency(times: ArrayLike<number>, style: TimeStyle): Frequency {
  if (times.length < 2) throw new UnrollError('data', 'A frequency needs at least two rows.');
  if (style === 'number') return { unit: 'step', every: commonStep(times) };
  const monthly = monthFrequency(times);
  if (monthly !== null) return monthly;
  if (onBusinessDays(times)) return { unit: 'business-day', every: 1 };
  const step = commonStep(times);
  for (const unit of ['week', 'day', 'hour', 'minute', 'second'] as const) {
    if (step % MS[unit]! === 0) return { unit, every: step / MS[unit]! };
  }
  return { unit: 'millisecond', every: step };
}

/** The most frequent distance, provided that all distances are multiples of it. */
function commonStep(times: ArrayLike<number>): number {
  const counts = new Map<number, number>();
  for (let i = 1; i < times.length; i++) {
    const distance = Number((times[i]! - times[i - 1]!).toPrecision(12));
    counts.set(distance, (counts.get(distance) ?? 0) + 1);
  }
  const [step] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]!;
  const odd = [...counts.keys()].find(
    (distance) => Math.abs(distance / step - Math.round(distance / step)) > 1e-6,
  );
  if (odd === undefined) return step;
  throw new UnrollError(
    'data',
    `The times follow no regular step: most rows lie ${step} apart and some ${odd} apart. ` +
      'Bring the rows to one frequency first.',
    { step, odd },
  );
}

function monthIndex(time: number): number {
  const date = new Date(time);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function isMonthEnd(time: number): boolean {
  return new Date(time + DAY).getUTCDate() === 1;
}

function monthFrequency(times: ArrayLike<number>): Frequency | null {
  const all = Array.from(times);
  const first = new Date(all[0]!);
  const sameClock = all.every((time) => (time - first.getTime()) % DAY === 0);
  const sameDay = all.every((time) => new Date(time).getUTCDate() === first.getUTCDate());
  if (!sameClock || (!sameDay && !all.every(isMonthEnd))) return null;
  const months = all.map(monthIndex);
  if (months.some((month, i) => i > 0 && month === months[i - 1])) return null;
  return { unit: 'month', every: commonStep(months), day: sameDay ? first.getUTCDate() : 31 };
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
