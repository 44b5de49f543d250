/**
 * From a table to a series that can be forecast: which column holds the time, in which order and how far apart the rows
 * lie, and what to do about rows that are missing. What was decided is kept as notes for people.
 */
import { UnrollError } from '@unroll/core';
import {
  addPeriods,
  describeFrequency,
  type Frequency,
  formatTime,
  holdsTimes,
  inferFrequency,
  numbers,
  periodsBetween,
  type Table,
  type TimeColumn,
  times,
} from '@unroll/data';

/** One regular series: row i lies i periods after the first. */
export interface Series {
  readonly target: string;
  /** How times are written; its `values` are the times of the rows of this series. */
  readonly time: TimeColumn;
  readonly frequency: Frequency;
  /** NaN where the row or its value is missing in the table. The first and the last value are present. */
  readonly values: Float64Array;
  /** What was done to the rows, one sentence each. */
  readonly notes: readonly string[];
}

export interface SeriesOptions {
  /** Column to forecast. */
  target: string;
  /** Column of times. Default: the first column that holds times; else rows count as steps. */
  time?: string;
}

/**
 * Reads one series out of a table.
 * @throws UnrollError `data` when a column is missing or holds something else, a time stands twice, or the times follow
 *   no step
 */
export function seriesFromTable(table: Table, options: SeriesOptions): Series {
  const all = numbers(table, options.target);
  const name = options.time ?? findTimeColumn(table, options.target);
  const time = name === null ? rowNumbers(table) : times(table, name);
  const notes = [...time.notes];
  const known = Array.from(all.keys()).filter((row) => !Number.isNaN(all[row]!));
  if (known.length < 2) {
    throw new UnrollError(
      'data',
      `${table.source}, column "${options.target}": ${known.length} values are too few to forecast from.`,
      { column: options.target },
    );
  }
  const order = sortedRows(table, time, notes);
  const frequency = regularFrequency(table, time, order);
  const { grid, values } = placeOnGrid(table, time, order, all, frequency, notes);
  return { target: options.target, time: { ...time, values: grid }, frequency, values, notes };
}

/** The first column that holds times; failing that, one of numbers that rise by one equal step. */
function findTimeColumn(table: Table, target: string): string | null {
  const others = table.columns.filter((candidate) => candidate.name !== target);
  const calendar = others.find((candidate) => holdsTimes(candidate.cells));
  if (calendar !== undefined) return calendar.name;
  const counter = others.find(
    (candidate) => candidate.kind === 'number' && risesEvenly(table, candidate.name),
  );
  return counter?.name ?? null;
}

function risesEvenly(table: Table, name: string): boolean {
  const values = numbers(table, name);
  const step = values[1]! - values[0]!;
  return (
    step > 0 && values.every((value, i) => i === 0 || Math.abs(value - values[i - 1]! - step) < 1e-9 * step)
  );
}

function rowNumbers(table: Table): TimeColumn {
  const values = Float64Array.from({ length: table.rowCount }, (_, row) => row + 1);
  return { name: 'row', format: { template: 'number', zone: null }, values, notes: [] };
}

/** Row numbers in order of time. */
function sortedRows(table: Table, time: TimeColumn, notes: string[]): number[] {
  const rows = Array.from(time.values.keys());
  const sorted = rows.toSorted((a, b) => time.values[a]! - time.values[b]! || a - b);
  const moved = sorted.some((row, i) => row !== i);
  if (moved) notes.push(`The rows were not in order of "${time.name}" and have been sorted.`);
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1]!, sorted[i]!];
    if (time.values[a] !== time.values[b]) continue;
    const shown = formatTime(time.values[a]!, time.format);
    throw new UnrollError(
      'data',
      `${table.source}, lines ${table.lines[a]} and ${table.lines[b]}: the time ${shown} stands twice in column ` +
        `"${time.name}". A series has one row for each time.`,
      { source: table.source, lines: [table.lines[a], table.lines[b]], column: time.name },
    );
  }
  return sorted;
}

function regularFrequency(table: Table, time: TimeColumn, order: readonly number[]): Frequency {
  try {
    return inferFrequency(
      order.map((row) => time.values[row]!),
      time.format,
    );
  } catch (error) {
    if (!(error instanceof UnrollError)) throw error;
    throw new UnrollError('data', `${table.source}, column "${time.name}": ${error.message}`, {
      ...error.data,
      column: time.name,
    });
  }
}

/** One value for each period from the first known value to the last. */
function placeOnGrid(
  table: Table,
  time: TimeColumn,
  order: readonly number[],
  all: Float64Array,
  frequency: Frequency,
  notes: string[],
): { grid: Float64Array; values: Float64Array } {
  const known = order.filter((row) => !Number.isNaN(all[row]!));
  const first = time.values[known[0]!]!;
  const length = Math.round(periodsBetween(first, time.values[known.at(-1)!]!, frequency)) + 1;
  const values = new Float64Array(length).fill(Number.NaN);
  for (const row of known) {
    const at = periodsBetween(first, time.values[row]!, frequency);
    if (!Number.isInteger(at)) throw offGrid(table, time, row, frequency);
    values[at] = all[row]!;
  }
  const grid = Float64Array.from({ length }, (_, i) => addPeriods(first, i, frequency));
  const outside =
    order.length -
    order.filter((row) => time.values[row]! >= first && time.values[row]! <= grid.at(-1)!).length;
  if (outside > 0)
    notes.push(`${outside} rows without a value before the first or after the last one were left out.`);
  noteMissing(values, grid, time, notes);
  return { grid, values };
}

function offGrid(table: Table, time: TimeColumn, row: number, frequency: Frequency): UnrollError {
  const line = table.lines[row];
  return new UnrollError(
    'data',
    `${table.source}, line ${line}, column "${time.name}": ${formatTime(time.values[row]!, time.format)} does not fit the ` +
      `other times, which are ${describeFrequency(frequency)}. Bring the rows to one frequency first.`,
    { source: table.source, line, column: time.name },
  );
}

function noteMissing(values: Float64Array, grid: Float64Array, time: TimeColumn, notes: string[]): void {
  const gaps = Array.from(values.keys()).filter((i) => Number.isNaN(values[i]!));
  if (gaps.length === 0) return;
  const shown = gaps.slice(0, 3).map((i) => formatTime(grid[i]!, time.format));
  const rest = gaps.length > 3 ? `, and ${gaps.length - 3} more` : '';
  notes.push(
    `${gaps.length} ${gaps.length === 1 ? 'value is' : 'values are'} missing (${shown.join(', ')}${rest}): filled from ` +
      'the past for the network, left out of every score.',
  );
}

/** Gaps filled from the past alone: the value one season earlier, else the last one. */
export function filled(values: Float64Array, season: number): Float64Array {
  const out = values.slice();
  for (let i = 0; i < out.length; i++) {
    if (Number.isNaN(out[i]!)) out[i] = out[i - season] ?? out[i - 1]!;
  }
  return out;
}

/** Writes the forecast's times: `count` periods after the last row of the series. */
export function futureTimes(series: Series, count: number): string[] {
  const last = series.time.values.at(-1)!;
  return Array.from({ length: count }, (_, k) =>
    formatTime(addPeriods(last, k + 1, series.frequency), series.time.format),
  );
}
