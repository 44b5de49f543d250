/** Detects the time column of a table and the frequency of its rows, and describes both decisions in notes. */
import { UnrollError, valueError } from '@unroll/core';
import {
  addPeriods,
  anchorFrequency,
  type Column,
  cellNumber,
  containsTimes,
  type Frequency,
  findTimeParts,
  formatTime,
  inferFrequency,
  looksLikeTimes,
  parseFrequency,
  periodsBetween,
  type Table,
  type TimeColumn,
  texts,
} from '@unroll/data';
import type { SeriesRows } from './rows.js';

/**
 * Detects the time column. Candidates in this order: the first column that holds times; columns named year, month and so on;
 * a column that numbers the rows of each series, ascending or descending; a column that looks like times but cannot be
 * parsed (reading it then reports the problem).
 */
export function findTimeColumn(
  table: Table,
  usedColumns: readonly string[],
  series: string | undefined,
): string | null {
  const candidates = table.columns.filter((candidate) => !usedColumns.includes(candidate.name));
  const timeColumn = candidates.find((candidate) => containsTimes(candidate.cells));
  if (timeColumn !== undefined) return timeColumn.name;
  const parts = findTimeParts(candidates.map((candidate) => candidate.name));
  if (parts !== undefined) return parts;
  const isUnique = ({ name }: Column) => table.columns.filter((each) => each.name === name).length === 1;
  const counter = candidates.find(
    (candidate) => isUnique(candidate) && candidate.kind === 'number' && isCounter(table, candidate, series),
  );
  return (counter ?? candidates.find(looksLikeTimes))?.name ?? null;
}

/** A counter column must contain at least this share of the numbers between its first and its last. */
const MIN_COUNTED_SHARE = 0.8;

/** Returns whether the numbers of each series ascend (or descend) by one common step, with few gaps. */
function isCounter(
  table: Table,
  { cells, format = { decimal: table.decimal } }: Column,
  series: string | undefined,
): boolean {
  const values = Float64Array.from(cells, (cell) => cellNumber(cell, format) ?? Number.NaN);
  const ids = series === undefined ? null : texts(table, series);
  const previous = new Map<string, number>();
  const steps: number[] = [];
  for (const [row, value] of values.entries()) {
    const id = ids === null ? '' : ids[row];
    const last = previous.get(id);
    if (last !== undefined) steps.push(value - last);
    previous.set(id, value);
  }
  const isAscending = steps[0] > 0;
  const step = steps.reduce((smallest, each) => Math.min(smallest, Math.abs(each)), Number.POSITIVE_INFINITY);
  const multiples = steps.map((each) => (isAscending ? each : -each) / step);
  if (!multiples.every((each) => each > 0 && Math.abs(each - Math.round(each)) < 1e-9 * each)) return false;
  const countedNumbers = multiples.reduce((sum, multiple) => sum + multiple, previous.size);
  return steps.length > 0 && values.length >= MIN_COUNTED_SHARE * countedNumbers;
}

/**
 * Returns the row numbers, from 1, in place of times.
 * @param withNote whether to add a note that no time column was found
 */
export function rowNumbers(table: Table, withNote: boolean): TimeColumn {
  const values = Float64Array.from({ length: table.rowCount }, (_, row) => row + 1);
  const note =
    'No time column was found: rows are numbered in file order. Set the option time to the name of the time ' +
    'column, or write times such as 1960-12-31.';
  return { name: 'row', format: { template: 'number', zone: null }, values, notes: withNote ? [note] : [] };
}

/** The grid of the rows of a table. */
export interface Grid {
  frequency: Frequency;
  /** The first time. */
  start: number;
  /** The reason why the times of all rows have no common frequency, if `frequency` is that of the rows with known targets. */
  problem?: UnrollError;
}

/**
 * Returns the frequency and the first time of the grid.
 * @param groups the rows of each series, sorted by time
 * @param wanted the frequency in the options; undefined infers it from the times
 */
export function gridOf(
  table: Table,
  time: TimeColumn,
  { groups, targets }: { groups: readonly SeriesRows[]; targets: Float64Array },
  wanted: string | Frequency | undefined,
): Grid {
  const start = time.values.reduce((a, b) => Math.min(a, b));
  if (typeof wanted === 'object') return { frequency: wanted, start };
  if (wanted !== undefined) {
    if (time.format.template === 'number') {
      throw valueError(
        `frequency "${wanted}" needs calendar times, got plain numbers in column "${time.name}".`,
      );
    }
    return { frequency: anchorFrequency(parseFrequency(wanted), time.values, time.format), start };
  }
  const inferFrom = (rows: readonly (readonly number[])[]): Frequency | UnrollError => {
    try {
      const runs = rows.map((each) => each.map((row) => time.values[row]));
      return inferFrequency(runs, time.format);
    } catch (error) {
      if (!(error instanceof UnrollError)) throw error;
      const message = `${table.source}, column "${time.name}": ${error.message}`;
      return new UnrollError('data', message, { ...error.data, column: time.name });
    }
  };
  const ofAll = inferFrom(groups.map(({ rows }) => rows));
  const rowsToForecast = ({ rows }: SeriesRows): number =>
    rows.length - 1 - rows.findLastIndex((row) => !Number.isNaN(targets[row]));
  const hasRowsToForecast = groups.some((group) => rowsToForecast(group) > 0);
  const ofKnown = hasRowsToForecast
    ? inferFrom(groups.map((group) => group.rows.slice(0, group.rows.length - rowsToForecast(group))))
    : ofAll;
  if (ofKnown instanceof UnrollError) {
    if (ofAll instanceof UnrollError) throw ofAll;
    return { frequency: ofAll, start };
  }
  if (ofAll instanceof UnrollError) return { frequency: ofKnown, start, problem: ofAll };
  // A wrong time in the rows to forecast, such as 00:30 in hourly data, must not make the frequency higher.
  const end = time.values.reduce((a, b) => Math.max(a, b));
  const rowCount = (frequency: Frequency): number => periodsBetween(start, end, frequency);
  return { frequency: rowCount(ofKnown) < rowCount(ofAll) ? ofKnown : ofAll, start };
}

/** Returns a note if the times were combined from several columns. */
export function timePartNotes(rawTable: Table, { name, values, format }: TimeColumn): string[] {
  if (name === 'row' || rawTable.columns.some((each) => each.name === name)) return [];
  const columns = name
    .split(',')
    .map((part) => part.trim())
    .join(', ');
  return [
    `Times are combined from ${columns} and written as ${formatTime(values[values.length - 1], format)}.`,
  ];
}

/** Returns a note if the rows were not sorted by time. */
export function sortNotes(time: TimeColumn, groups: readonly SeriesRows[]): string[] {
  const isSorted = groups.every(({ rows }) => rows.every((row, i) => i === 0 || row > rows[i - 1]));
  return isSorted ? [] : [`The rows were sorted by "${time.name}".`];
}

/** Returns a note if the times of monthly rows fall on different days, such as the last trading day of each month. */
export function monthNotes(
  { name, values, format }: TimeColumn,
  frequency: Frequency,
  start: number,
): string[] {
  if (frequency.unit !== 'month') return [];
  const asMonth = (value: number) =>
    addPeriods(start, Math.round(periodsBetween(start, value, frequency)), frequency);
  const moved = values.find((value) => asMonth(value) !== value);
  if (moved === undefined) return [];
  const { day = 1 } = frequency;
  const dayText = day === 31 ? 'the last days' : day === 1 ? 'the first days' : `day ${day}`;
  return [
    `The times of "${name}" fall on different days of the month and are read as ${dayText} of their months, for example ` +
      `${formatTime(moved, format)} as ${formatTime(asMonth(moved), format)}.`,
  ];
}
