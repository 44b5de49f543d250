/**
 * The calendar: where a row stands in its day, week and year, each as a sine and a cosine, so that the end of a cycle lies
 * beside its beginning. It follows from the time alone: no column holds it, and it is known for every row. Rows are even,
 * so the places of the window's rows tell those of the rows ahead.
 */
import { valueError } from '@unroll/core';
import { addPeriods, describeFrequency } from '@unroll/data';
import type { Panel } from './panel.js';

const DAY = 86_400_000;

interface Cycle {
  name: string;
  /** Milliseconds; of a year the fewest. */
  length: number;
  /** How many of these cycles lie before a time, with their fractions; whole ones make no difference. */
  turns: (time: number) => number;
}

/**
 * By UTC, not by the zone that a file names: newer rows may be written in another one. Another clock only turns the
 * circle, which is one and the same to a network.
 */
const CYCLES = {
  hour: { name: 'day', length: DAY, turns: (time: number) => time / DAY },
  // From Monday: 1970 began on a Thursday.
  weekday: { name: 'week', length: 7 * DAY, turns: (time: number) => (time / DAY + 3) / 7 },
  month: { name: 'year', length: 365 * DAY, turns: ofYear },
} satisfies Record<string, Cycle>;

export type CalendarName = keyof typeof CYCLES;
const NAMES = Object.keys(CYCLES) as CalendarName[];

/** What a run is told of the calendar: names, none, or all that the rows can tell of. */
export type CalendarOption = 'auto' | 'none' | readonly CalendarName[];

function ofYear(time: number): number {
  const year = new Date(time).getUTCFullYear();
  const [from, to] = [Date.UTC(year, 0), Date.UTC(year + 1, 0)];
  return (time - from) / (to - from);
}

/**
 * What the networks are to see of the calendar. `auto` takes the cycles that are longer than a step and that the rows
 * before grid place `cut` hold twice: seen once, a cycle cannot be told from a trend.
 * @throws UnrollError `value` for a name that is none, or a place that is the same in all rows
 */
export function chooseCalendar(panel: Panel, wanted: CalendarOption, cut: number): CalendarName[] {
  if (wanted === 'none') return [];
  const span = (from: number, to: number) =>
    addPeriods(panel.start, to, panel.frequency) - addPeriods(panel.start, from, panel.frequency);
  const varies = (name: CalendarName) => panel.frequency.unit !== 'step' && span(0, 1) < CYCLES[name].length;
  if (wanted === 'auto')
    return NAMES.filter((name) => varies(name) && span(0, cut) >= 2 * CYCLES[name].length);
  const unknown = wanted.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw valueError(
      `The calendar has no "${unknown}". Write auto or none alone, or some of ${NAMES.join(', ')}.`,
      {
        calendar: unknown,
      },
    );
  }
  const same = wanted.find((name) => !varies(name));
  if (same === undefined) return NAMES.filter((name) => wanted.includes(name));
  const why =
    panel.frequency.unit === 'step'
      ? 'its times are plain numbers'
      : `its rows are ${describeFrequency(panel.frequency)}, and so do not move within the ${CYCLES[same].name}`;
  throw valueError(`${panel.source} has no "${same}": ${why}. Leave it out of the calendar.`, {
    calendar: same,
  });
}

/** The channels of a series along its rows: for each name a sine and a cosine. */
export function calendarChannels(
  { start, frequency }: Panel,
  { offset, values }: { offset: number; values: Float64Array },
  names: readonly CalendarName[],
): Float64Array[] {
  if (names.length === 0) return [];
  // From row to row: business days are counted one by one, and would be from the start each time.
  const times = new Float64Array(values.length);
  for (let i = 0; i < times.length; i++) {
    times[i] = i === 0 ? addPeriods(start, offset, frequency) : addPeriods(times[i - 1], 1, frequency);
  }
  return names.flatMap((name) => {
    const angles = times.map((time) => 2 * Math.PI * CYCLES[name].turns(time));
    return [angles.map(Math.sin), angles.map(Math.cos)];
  });
}
