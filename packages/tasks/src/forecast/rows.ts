/** Groups the rows of a table by series, checks their times, converts them to grid indices, and fills gaps. */
import { RandomStream, UnrollError } from '@unroll/core';
import {
  describeFrequency,
  type Frequency,
  formatTime,
  locationOf,
  periodsBetween,
  sourceOf,
  type Table,
  type TimeColumn,
} from '@unroll/data';

/** The rows of a table that belong to one series, sorted by time. */
export interface SeriesRows {
  /** Value of the series column; empty if the table has none. */
  id: string;
  rows: number[];
}

/** Returns ` of series "A"` for messages; empty if the table is one series. */
export const ofSeries = (id: string): string => (id === '' ? '' : ` of series "${id}"`);

/** Returns the names of the first three series and the number of the others, as text. */
export const listSeries = (series: readonly { id: string }[]): string =>
  series
    .slice(0, 3)
    .map(({ id }) => id || 'the series')
    .join(', ') + (series.length > 3 ? `, and ${series.length - 3} more` : '');

/** Groups the rows of a table by series and sorts them by time. Series are ordered by their first row. */
export function groupRows(time: TimeColumn, ids: readonly string[] | null, rowCount: number): SeriesRows[] {
  const groups = new Map<string, number[]>();
  for (let row = 0; row < rowCount; row++) {
    const id = ids === null ? '' : ids[row];
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [row]);
    else group.push(row);
  }
  return Array.from(groups, ([id, rows]) => ({
    id,
    rows: rows.toSorted((a, b) => time.values[a] - time.values[b] || a - b),
  }));
}

/**
 * Checks that no time occurs twice in a series.
 * @param hasIds whether the table has a series column
 * @throws UnrollError `data` with both lines
 */
export function checkDuplicates(
  table: Table,
  time: TimeColumn,
  { id, rows }: SeriesRows,
  hasIds: boolean,
): void {
  for (let i = 1; i < rows.length; i++) {
    const [a, b] = [rows[i - 1], rows[i]];
    if (time.values[a] !== time.values[b]) continue;
    const timeText = formatTime(time.values[a], time.format);
    throw new UnrollError(
      'data',
      `${locationOf(table, a, b)}: duplicate time ${timeText}${ofSeries(id)} in column ` +
        `"${time.name}". ${duplicateHint(time, time.values[a], hasIds)}`,
      { source: sourceOf(table, a), lines: [table.lines[a], table.lines[b]], column: time.name, series: id },
    );
  }
}

function duplicateHint(time: TimeColumn, value: number, hasIds: boolean): string {
  if (mayBeClockChange(time, value))
    return 'When clocks go back, one hour occurs twice: write times with their offset, as in 2024-10-27T02:00+01:00.';
  const rule = 'Each time may occur once per series';
  return hasIds
    ? `${rule}.`
    : `${rule}. If the table holds several series, name their column with the option series.`;
}

/** Returns whether times have no offset and clocks may go back at `time`: before 4:00 on a Sunday in April, October or November. */
function mayBeClockChange({ format }: TimeColumn, time: number): boolean {
  const date = new Date(time);
  const isClockChangeDay = date.getUTCDay() === 0 && [3, 9, 10].includes(date.getUTCMonth());
  return format.zone === null && /HH|hh/.test(format.template) && isClockChangeDay && date.getUTCHours() < 4;
}

/**
 * Returns the grid indices of the rows, which must be sorted by time. Index 0 is the time `start`.
 * @throws UnrollError `data` if a time does not match the frequency, or two times lie in the same period
 */
export function gridIndices(
  table: Table,
  time: TimeColumn,
  rows: readonly number[],
  { start, frequency }: { start: number; frequency: Frequency },
): number[] {
  const timeText = (row: number) => formatTime(time.values[row], time.format);
  const fail = (message: string, ...wrongRows: number[]) => {
    const where = `${locationOf(table, ...wrongRows)}, column "${time.name}"`;
    const data = {
      source: sourceOf(table, wrongRows[0]),
      line: table.lines[wrongRows[0]],
      column: time.name,
    };
    return new UnrollError('data', `${where}: ${message}. Resample the rows to one frequency first.`, data);
  };
  const frequencyName = describeFrequency(frequency);
  const indices: number[] = [];
  for (const row of rows) {
    const index = periodsBetween(start, time.values[row], frequency);
    if (Math.abs(index - Math.round(index)) >= 1e-6)
      throw fail(`${timeText(row)} does not match the frequency (${frequencyName})`, row);
    const last = rows[indices.length - 1];
    if (indices.at(-1) === Math.round(index)) {
      const problem = `${timeText(last)} and ${timeText(row)} lie in the same period of the frequency (${frequencyName})`;
      throw fail(problem, last, row);
    }
    indices.push(Math.round(index));
  }
  return indices;
}

/** Returns the rows, not before `first`, at which `horizon` consecutive known values begin. */
export function rowsWithKnownHorizon(values: Float64Array, first: number, horizon: number): number[] {
  const rows: number[] = [];
  let runLength = 0;
  for (let row = first; row < values.length; row++) {
    runLength = Number.isNaN(values[row]) ? 0 : runLength + 1;
    if (runLength >= horizon) rows.push(row - horizon + 1);
  }
  return rows;
}

/** Fills gaps with the value one season earlier or, in the first season, the previous value. Later values are never used. */
export function fillGaps(values: Float64Array, season: number): Float64Array {
  const out = values.slice();
  for (let i = 0; i < out.length; i++) {
    if (Number.isNaN(out[i])) out[i] = out[i - season] ?? out[i - 1];
  }
  return out;
}

/**
 * Returns all items, or a reproducible random sample of about `sampleSize` of them if there are more. A regular stride could
 * align with the season or with the number of series.
 */
export function subsample<T>(items: readonly T[], sampleSize: number): readonly T[] {
  if (items.length <= sampleSize) return items;
  const random = new RandomStream(0, 'thinned').uniform(items.length);
  return items.filter((_, n) => random[n] < sampleSize / items.length);
}

/** Returns whether there are values and none of them is negative. */
export const isNonNegative = (values: Float64Array): boolean =>
  values.some((value) => value >= 0) && !values.some((value) => value < 0);
