/**
 * Calendar features: the position of a row in its day, week and year, each as a sine and a cosine, so that the end of a
 * cycle is close to its beginning. They are computed from the times. Rows are evenly spaced, so the features of the window
 * determine those of the horizon.
 */
import { valueError } from '@unroll/core';
import { addPeriods, describeFrequency } from '@unroll/data';
import type { Panel } from './panel.js';

const DAY = 86_400_000;

interface Cycle {
  name: string;
  /** Milliseconds; for the year, its minimum. */
  length: number;
  /** Cycles before a time, with fraction; only the fraction matters. */
  turns: (time: number) => number;
}

/**
 * In UTC, not in the zone of the file, since newer rows may be written in another zone. A shift only rotates the circle,
 * which makes no difference to a network.
 */
const CYCLES = {
  hour: { name: 'day', length: DAY, turns: (time: number) => time / DAY },
  // From Monday: 1970 began on a Thursday.
  weekday: { name: 'week', length: 7 * DAY, turns: (time: number) => (time / DAY + 3) / 7 },
  month: { name: 'year', length: 365 * DAY, turns: ofYear },
} satisfies Record<string, Cycle>;

export type CalendarName = keyof typeof CYCLES;
const NAMES = Object.keys(CYCLES) as CalendarName[];

/** Calendar features by name, `none`, or `auto` for all that the rows support. */
export type CalendarOption = 'auto' | 'none' | readonly CalendarName[];

function ofYear(time: number): number {
  const year = new Date(time).getUTCFullYear();
  const [from, to] = [Date.UTC(year, 0), Date.UTC(year + 1, 0)];
  return (time - from) / (to - from);
}

/**
 * The calendar features of a run. `auto` selects the cycles that are longer than one row and that the rows before grid index
 * `cut` cover twice: a cycle seen once cannot be distinguished from a trend.
 * @throws UnrollError `value` for an unknown name, or a feature that is the same in all rows
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
    throw valueError(`calendar must be auto, none or a list of ${NAMES.join(', ')}, got "${unknown}".`, {
      calendar: unknown,
    });
  }
  const same = wanted.find((name) => !varies(name));
  if (same === undefined) return NAMES.filter((name) => wanted.includes(name));
  const why =
    panel.frequency.unit === 'step'
      ? 'its times are plain numbers'
      : `its rows are ${describeFrequency(panel.frequency)}, so their position in the ${CYCLES[same].name} never changes`;
  throw valueError(
    `The calendar feature "${same}" is of no use for ${panel.source}: ${why}. Remove it from calendar.`,
    {
      calendar: same,
    },
  );
}

/** The calendar channels of a series: a sine and a cosine for each name. */
export function calendarChannels(
  { start, frequency }: Panel,
  { offset, values }: { offset: number; values: Float64Array },
  names: readonly CalendarName[],
): Float64Array[] {
  if (names.length === 0) return [];
  // Incremental, because business days are counted one by one.
  const times = new Float64Array(values.length);
  for (let i = 0; i < times.length; i++) {
    times[i] = i === 0 ? addPeriods(start, offset, frequency) : addPeriods(times[i - 1], 1, frequency);
  }
  return names.flatMap((name) => {
    const angles = times.map((time) => 2 * Math.PI * CYCLES[name].turns(time));
    return [angles.map(Math.sin), angles.map(Math.cos)];
  });
}
