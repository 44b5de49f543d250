/** Converts between UTC and local times of IANA time zones, and detects the time zone in which UTC times are local midnights. */
import { valueError } from '@unroll/core';

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** If several zones have the same midnights, the first of these is used. */
const PREFERRED_ZONES = [
  ...['Europe/Berlin', 'Europe/London', 'Europe/Athens', 'Europe/Lisbon', 'Europe/Istanbul', 'Europe/Moscow'],
  ...['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', 'America/Anchorage'],
  ...['America/Halifax', 'America/Sao_Paulo', 'America/Santiago', 'America/Mexico_City', 'Asia/Tehran'],
  ...['Australia/Sydney', 'Australia/Adelaide', 'Pacific/Auckland', 'Asia/Jerusalem', 'Africa/Cairo'],
];

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Returns the formatter of a time zone. @throws UnrollError `value` for an unknown time zone */
function formatterOf(timezone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timezone);
  if (formatter !== undefined) return formatter;
  const numeric = 'numeric' as const;
  const fields = {
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  };
  try {
    formatter = new Intl.DateTimeFormat('en-US', { ...fields, hourCycle: 'h23', timeZone: timezone });
  } catch {
    throw valueError(`timezone must be a name such as Europe/Berlin or UTC, got "${timezone}".`, {
      timezone,
    });
  }
  formatters.set(timezone, formatter);
  return formatter;
}

/** Returns the local time of a zone at an instant, as the milliseconds since 1970 of the same date and clock time in UTC. */
export function wallTime(instant: number, timezone: string): number {
  const parts = formatterOf(timezone).format(instant).matchAll(/\d+/g);
  const [month, day, year, hour, minute, second] = Array.from(parts, Number);
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((instant % 1000) + 1000) % 1000);
}

/**
 * Returns the instant of a local time. A local time that daylight saving skips is read with the offset before the gap: 02:30
 * becomes 03:30.
 */
export function instantOf(wall: number, timezone: string): number {
  const offset = (instant: number) => wallTime(instant, timezone) - instant;
  const first = wall - offset(wall);
  const second = wall - offset(first);
  // If daylight saving skips the local time, neither instant has it, and the later one is after the gap.
  return wallTime(second, timezone) === wall ? second : Math.max(first, second);
}

/** Returns whether a local day begins at the instant: at midnight, or later if daylight saving skips midnight. */
const beginsDay = (instant: number, timezone: string): boolean =>
  Math.floor(wallTime(instant, timezone) / DAY) > Math.floor(wallTime(instant - 1, timezone) / DAY);

/**
 * Returns, for each time of day (UTC) in the values, the first value with it; null unless there are two or three times of day,
 * all within two hours of each other.
 */
function firstByTimeOfDay(values: Float64Array): Map<number, number> | null {
  const first = new Map<number, number>();
  for (const value of values) {
    const clock = ((value % DAY) + DAY) % DAY;
    if (!first.has(clock)) first.set(clock, value);
    if (first.size > 3) return null;
  }
  const shifted = [...first.keys()].map((clock) => (clock + DAY / 2) % DAY);
  const close = [[...first.keys()], shifted].some((all) => Math.max(...all) - Math.min(...all) <= 2 * HOUR);
  return first.size > 1 && close ? first : null;
}

const distinct = (values: Float64Array): Float64Array => Float64Array.from(new Set(values)).sort();

/**
 * Returns the zone in which a day begins at every instant; undefined if there is none, or if all instants have the same time of
 * day in UTC.
 */
export function detectTimezone(values: Float64Array): string | undefined {
  const samples = firstByTimeOfDay(values);
  if (samples === null) return undefined;
  const instants = distinct(values);
  if (instants.some((instant, i) => i > 0 && instant - instants[i - 1] < DAY - 2 * HOUR)) return undefined;
  const otherZones = Intl.supportedValuesOf('timeZone').filter((zone) => !PREFERRED_ZONES.includes(zone));
  const beginsAllDays = (zone: string, times: Iterable<number>) => {
    for (const instant of times) if (!beginsDay(instant, zone)) return false;
    return true;
  };
  return [...PREFERRED_ZONES, ...otherZones].find(
    (zone) => beginsAllDays(zone, samples.values()) && beginsAllDays(zone, instants),
  );
}

/**
 * Converts instants to local days of a zone if a day begins at each of them; otherwise to local times if all of them have the same
 * local time of day. Returns undefined if neither is the case.
 * @throws UnrollError `value` for an unknown time zone
 */
export function toLocalDays(values: Float64Array, timezone: string): Float64Array | undefined {
  const instants = distinct(values);
  const areDayStarts = instants.every((instant) => beginsDay(instant, timezone));
  const localTimes = new Map<number, number>();
  for (const instant of instants) {
    const wall = wallTime(instant, timezone);
    localTimes.set(instant, areDayStarts ? Math.floor(wall / DAY) * DAY : wall);
  }
  const [first] = localTimes.values();
  for (const wall of localTimes.values()) if ((wall - first) % DAY !== 0) return undefined;
  return values.map((instant) => localTimes.get(instant)!);
}
