/** Rows of one series: in order of time, on an even grid, with what is missing known. */
import { UnrollError } from '@unroll/core';
import {
  describeFrequency,
  type Frequency,
  formatTime,
  periodsBetween,
  type Table,
  type TimeColumn,
} from '@unroll/data';

/** The rows of a table that belong to one series, in order of time. */
export interface SeriesRows {
  /** What the id column says; empty where there is none. */
  id: string;
  rows: number[];
}

/** " of series A" for messages; nothing where the table is one series. */
export const ofSeries = (id: string): string => (id === '' ? '' : ` of series "${id}"`);

/** The rows of a table by series, sorted by time. Series come in order of their first row. */
export function groupRows(time: TimeColumn, ids: readonly string[] | null, rowCount: number): SeriesRows[] {
  const groups = new Map<string, number[]>();
  for (let row = 0; row < rowCount; row++) {
    const id = ids === null ? '' : ids[row]!;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [row]);
    else group.push(row);
  }
  return Array.from(groups, ([id, rows]) => ({
    id,
    rows: rows.toSorted((a, b) => time.values[a]! - time.values[b]! || a - b),
  }));
}

/** @throws UnrollError `data` when a time stands twice in one series, with both lines */
export function checkDuplicates(
  table: Table,
  time: TimeColumn,
  { id, rows }: SeriesRows,
  hasIds: boolean,
): void {
  for (let i = 1; i < rows.length; i++) {
    const [a, b] = [rows[i - 1]!, rows[i]!];
    if (time.values[a] !== time.values[b]) continue;
    const shown = formatTime(time.values[a]!, time.format);
    const hint = hasIds
      ? 'A series has one row for each time.'
      : 'A series has one row for each time; several series in one table need a column that names them (series).';
    throw new UnrollError(
      'data',
      `${table.source}, lines ${table.lines[a]} and ${table.lines[b]}: the time ${shown}${ofSeries(id)} stands twice in ` +
        `column "${time.name}". ${hint}`,
      { source: table.source, lines: [table.lines[a], table.lines[b]], column: time.name, series: id },
    );
  }
}

/**
 * Where each of the sorted rows stands on the grid that begins at `start`.
 * @throws UnrollError `data` for a time between two periods
 */
export function gridPlaces(
  table: Table,
  time: TimeColumn,
  rows: readonly number[],
  { start, frequency }: { start: number; frequency: Frequency },
): number[] {
  return rows.map((row) => {
    const place = periodsBetween(start, time.values[row]!, frequency);
    if (Math.abs(place - Math.round(place)) < 1e-6) return Math.round(place);
    const line = table.lines[row];
    throw new UnrollError(
      'data',
      `${table.source}, line ${line}, column "${time.name}": ${formatTime(time.values[row]!, time.format)} does not fit ` +
        `the other times, which are ${describeFrequency(frequency)}. Bring the rows to one frequency first.`,
      { source: table.source, line, column: time.name },
    );
  });
}

/** Gaps filled from the past alone: the value one season earlier, else the last one. */
export function filled(values: Float64Array, season: number): Float64Array {
  const out = values.slice();
  for (let i = 0; i < out.length; i++) {
    if (Number.isNaN(out[i]!)) out[i] = out[i - season] ?? out[i - 1]!;
  }
  return out;
}
