/** Local times of IANA time zones, and detection of the zone whose midnights are written in UTC. */
import { valueError } from '@unroll/core';

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** Of zones with the same midnights, the first is used. */
const PREFERRED = [
  ...['Europe/Berlin', 'Europe/London', 'Europe/Athens', 'Europe/Lisbon', 'Europe/Istanbul', 'Europe/Moscow'],
  ...['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles', 'America/Anchorage'],
  ...['America/Halifax', 'America/Sao_Paulo', 'America/Santiago', 'America/Mexico_City', 'Asia/Tehran'],
  ...['Australia/Sydney', 'Australia/Adelaide', 'Pacific/Auckland', 'Asia/Jerusalem', 'Africa/Cairo'],
];

const clocks = new Map<string, Intl.DateTimeFormat>();

/** @throws UnrollError `value` for an unknown time zone */
function clockOf(timezone: string): Intl.DateTimeFormat {
  let clock = clocks.get(timezone);
  if (clock !== undefined) return clock;
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
    clock = new Intl.DateTimeFormat('en-US', { ...fields, hourCycle: 'h23', timeZone: timezone });
  } catch {
    throw valueError(`timezone must be a name such as Europe/Berlin or UTC, got "${timezone}".`, {
      timezone,
    });
  }
  clocks.set(timezone, clock);
  return clock;
}

/** The local time of a zone at an instant, as milliseconds in UTC. */
export function wallTime(instant: number, timezone: string): number {
  const clock = clockOf(timezone);
  const parts = clock.format(instant).matchAll(/\d+/g);
  const [month, day, year, hour, minute, second] = Array.from(parts, Number);
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((instant % 1000) + 1000) % 1000);
}

/** The instant of a local time in a zone; for a time skipped by daylight saving, the first instant after the gap. */
export function instantOf(wall: number, timezone: string): number {
  const offset = (instant: number) => wallTime(instant, timezone) - instant;
  const first = wall - offset(wall);
  const second = wall - offset(first);
  // In a gap, the two instants differ by its length, and neither has the wanted local time.
  return wallTime(second, timezone) === wall ? second : Math.max(first, second);
}

/** True if a day of the zone begins at the instant: at midnight, or later if daylight saving skips midnight. */
const beginsDay = (instant: number, timezone: string): boolean =>
  Math.floor(wallTime(instant, timezone) / DAY) > Math.floor(wallTime(instant - 1, timezone) / DAY);

/**
 * The UTC times of day of the instants, if there are two or three within two hours and the instants are a day apart.
 */
function fewClocks(values: Float64Array): Map<number, number> | null {
  const first = new Map<number, number>();
  for (const value of values) {
    const clock = ((value % DAY) + DAY) % DAY;
    if (!first.has(clock)) first.set(clock, value);
    if (first.size > 3) return null;
  }
  const turned = [...first.keys()].map((clock) => (clock + DAY / 2) % DAY);
  const close = [[...first.keys()], turned].some((all) => Math.max(...all) - Math.min(...all) <= 2 * HOUR);
  return first.size > 1 && close ? first : null;
}

const distinct = (values: Float64Array): Float64Array => Float64Array.from(new Set(values)).sort();

/** The zone in which all instants begin a day, if daylight saving makes their steps in UTC irregular. */
export function dayZone(values: Float64Array): string | undefined {
  const samples = fewClocks(values);
  if (samples === null) return undefined;
  const instants = distinct(values);
  if (instants.some((instant, i) => i > 0 && instant - instants[i - 1] < DAY - 2 * HOUR)) return undefined;
  const rest = Intl.supportedValuesOf('timeZone').filter((zone) => !PREFERRED.includes(zone));
  const fits = (zone: string, all: Iterable<number>) => {
    for (const instant of all) if (!beginsDay(instant, zone)) return false;
    return true;
  };
  return [...PREFERRED, ...rest].find((zone) => fits(zone, samples.values()) && fits(zone, instants));
}

/**
 * Converts instants to days of a zone (or to its times of day, if all are the same); undefined if they are neither.
 * @throws UnrollError `value` for an unknown time zone
 */
export function daysIn(values: Float64Array, timezone: string): Float64Array | undefined {
  const instants = distinct(values);
  const days = instants.every((instant) => beginsDay(instant, timezone));
  const walls = new Map<number, number>();
  for (const instant of instants) {
    const wall = wallTime(instant, timezone);
    walls.set(instant, days ? Math.floor(wall / DAY) * DAY : wall);
  }
  const [first] = walls.values();
  for (const wall of walls.values()) if ((wall - first) % DAY !== 0) return undefined;
  return values.map((instant) => walls.get(instant)!);
}
