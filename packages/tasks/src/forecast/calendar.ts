/**
 * Calendar features: the position of a row in its day, week and year. Each is encoded as a sine and a cosine, so the end
 * of a cycle is close to its beginning. Rows are evenly spaced, so the features of the window determine those of the
 * horizon.
 */
import { valueError } from '@unroll/core';
import { addPeriods, describeFrequency } from '@unroll/data';
import type { Panel } from './panel.js';

const DAY = 86_400_000;

interface Cycle {
  name: string;
  /** Duration in milliseconds; a year counts as 365 days. */
  length: number;
  /** Converts a time to a number of cycles. Its fractional part is the position within the cycle. */
  cyclesAt: (time: number) => number;
}

/**
 * Positions are in UTC, not in the time zone of the file, because later files may use another zone. A constant shift only
 * rotates the sine and cosine; a network learns from them equally well.
 */
const CYCLES = {
  hour: { name: 'day', length: DAY, cyclesAt: (time: number) => time / DAY },
  // Weeks start on Monday; 1970-01-01 was a Thursday.
  weekday: { name: 'week', length: 7 * DAY, cyclesAt: (time: number) => (time / DAY + 3) / 7 },
  month: { name: 'year', length: 365 * DAY, cyclesAt: fractionOfYear },
} satisfies Record<string, Cycle>;

export type CalendarName = keyof typeof CYCLES;
const NAMES = Object.keys(CYCLES) as CalendarName[];

/** Calendar features by name, `none`, or `auto` for all features that suit the rows. */
export type CalendarOption = 'auto' | 'none' | readonly CalendarName[];

/** Returns the fraction of the year that has passed. */
function fractionOfYear(time: number): number {
  const year = new Date(time).getUTCFullYear();
  const [from, to] = [Date.UTC(year, 0), Date.UTC(year + 1, 0)];
  return (time - from) / (to - from);
}

/**
 * Chooses the calendar features of a run. `auto` selects the cycles that are longer than the interval between rows and
 * that the rows before grid index `cut` cover at least twice: a single cycle cannot be distinguished from a trend.
 * @throws UnrollError `value` for an unknown name, or for a feature whose cycle is not longer than the interval between rows
 */
export function chooseCalendar(panel: Panel, option: CalendarOption, cut: number): CalendarName[] {
  if (option === 'none') return [];
  const span = (from: number, to: number) =>
    addPeriods(panel.start, to, panel.frequency) - addPeriods(panel.start, from, panel.frequency);
  const varies = (name: CalendarName) => panel.frequency.unit !== 'step' && span(0, 1) < CYCLES[name].length;
  if (option === 'auto')
    return NAMES.filter((name) => varies(name) && span(0, cut) >= 2 * CYCLES[name].length);
  const unknown = option.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) {
    throw valueError(`calendar must be auto, none or a list of ${NAMES.join(', ')}, got "${unknown}".`, {
      calendar: unknown,
    });
  }
  const constant = option.find((name) => !varies(name));
  if (constant === undefined) return NAMES.filter((name) => option.includes(name));
  const reason =
    panel.frequency.unit === 'step'
      ? 'its times are numbers, not dates'
      : `its rows are ${describeFrequency(panel.frequency)}, so the interval between them is not shorter than a ${CYCLES[constant].name}`;
  throw valueError(
    `The calendar feature "${constant}" cannot be used for ${panel.source}: ${reason}. Remove it from the option calendar.`,
    {
      calendar: constant,
    },
  );
}

/** Returns the calendar channels of a series: a sine and a cosine for each feature. */
export function calendarChannels(
  { start, frequency }: Panel,
  { offset, values }: { offset: number; values: Float64Array },
  names: readonly CalendarName[],
): Float64Array[] {
  if (names.length === 0) return [];
  // Each time is computed from the previous one, because addPeriods counts business days one by one.
  const times = new Float64Array(values.length);
  for (let i = 0; i < times.length; i++) {
    times[i] = i === 0 ? addPeriods(start, offset, frequency) : addPeriods(times[i - 1], 1, frequency);
  }
  return names.flatMap((name) => {
    const angles = times.map((time) => 2 * Math.PI * CYCLES[name].cyclesAt(time));
    return [angles.map(Math.sin), angles.map(Math.cos)];
  });
}
