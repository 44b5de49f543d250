/**
 * Converts a table to a panel: one or many series on one regular time grid, with their covariates. Detects the time column
 * and the frequency, and records every decision about the rows as a note.
 */
import { UnrollError, valueError } from '@unroll/core';
import {
  addPeriods,
  anchorFrequency,
  type Column,
  cellNumber,
  cleanName,
  column,
  containsTimes,
  type Frequency,
  findTimeParts,
  formatFor,
  formatTime,
  inferFrequency,
  looksLikeTimes,
  numbers,
  parseFrequency,
  periodsBetween,
  type Table,
  type TimeColumn,
  type TimeFormat,
  type TimeOptions,
  texts,
  times,
  withTimeParts,
} from '@unroll/data';
import { type Covariate, type CovariateNames, readCovariates } from './covariates.js';
import { checkDuplicates, gridIndices, groupRows, ofSeries, type SeriesRows } from './rows.js';

/** One series. Row i has grid index `offset` + i. */
export interface PanelSeries {
  /** Value of the series column; empty if the table has none. */
  readonly id: string;
  readonly offset: number;
  /** NaN where the row or its value is missing. The first and the last value are present. */
  readonly values: Float64Array;
  /** Values of each covariate, in the order of the panel; they may extend beyond the last target value. */
  readonly covariates: readonly Float64Array[];
}

export interface Panel {
  readonly source: string;
  readonly target: string;
  readonly time: { readonly name: string; readonly format: TimeFormat };
  /** The series column; null if the table is one series. */
  readonly idColumn: string | null;
  readonly frequency: Frequency;
  /** Time of grid index 0. */
  readonly start: number;
  readonly covariates: readonly Covariate[];
  readonly series: readonly PanelSeries[];
  /** Decisions about the rows, one sentence each. */
  readonly notes: readonly string[];
}

export interface PanelOptions extends CovariateNames {
  /** Column to forecast. */
  target: string;
  /**
   * Time column, or several columns joined by commas, such as `year,month,day,hour`. Default: the first column that holds
   * times; else columns with these names; else rows are numbered from 1.
   */
  time?: string;
  /** Column with the series of each row. Default: the table is one series. */
  series?: string;
  /** Such as `monthly` or `15 minutes`, or the frequency of another panel. Default: inferred from the times. */
  frequency?: string | Frequency;
  /** Order of day, month and year in numeric dates: `dmy`, `mdy` or `ymd`. Default: inferred from the dates. */
  dates?: TimeOptions['dates'];
  /**
   * Time zone of daily rows, such as `Europe/Berlin`, if times are written in UTC. Default: inferred from clock changes in
   * the times.
   */
  timezone?: string;
  /** Time format of earlier rows of the same series; used if the rows match it. */
  timeFormat?: TimeFormat;
}

/** The options of `times`. */
export const timeOptions = ({ dates, timezone, timeFormat }: PanelOptions): TimeOptions => ({
  ...(dates && { dates }),
  ...(timezone && { timezone }),
  ...(timeFormat && { format: timeFormat }),
});

/** The options with column names normalised like those of tables. */
export function withCleanNames<T extends PanelOptions>(options: T): T {
  const { target, time, series, past, future, static: fixed } = options;
  return {
    ...options,
    target: cleanName(target),
    ...(time && { time: cleanName(time) }),
    ...(series && { series: cleanName(series) }),
    ...(past && { past: past.map(cleanName) }),
    ...(future && { future: future.map(cleanName) }),
    ...(fixed && { static: fixed.map(cleanName) }),
  };
}

/** The grid index after the last known target value of any series. */
export const panelEnd = (panel: Panel): number => Math.max(...panel.series.map(endOf));
/** The grid index after the last known target value of a series. */
export const endOf = ({ offset, values }: PanelSeries): number => offset + values.length;

/** The time at a grid index, in the format of the table. */
export function timeAt(panel: Panel, index: number): string {
  return formatTime(addPeriods(panel.start, index, panel.frequency), panel.time.format);
}

/**
 * Reads a panel from a table.
 * @param least minimum number of values of a series, by its id; default 2
 * @throws UnrollError `data` if a column is missing or has the wrong type, a time is duplicated, or the times have no
 *   regular frequency
 */
export function panelFromTable(
  given: Table,
  asked: PanelOptions,
  least: (id: string) => number = () => 2,
): Panel {
  const options = withCleanNames(asked);
  const { target, series: idColumn = null } = options;
  const name = timeColumnOf(given, options);
  const table = name === null ? given : withTimeParts(given, name);
  const all = numbers(table, target);
  checkSize(table, target, all);
  const ids = idColumn === null ? null : readIds(table, idColumn);
  if (name === null && ids !== null) {
    throw new UnrollError(
      'data',
      `${table.source} has no time column, which is needed for several series. Name it with the option time.`,
      {
        columns: table.columns.length,
      },
    );
  }
  const time =
    name === null ? rowNumbers(table, given.columns.length > 1) : times(table, name, timeOptions(options));
  const taken = [target, ...(name === null ? [] : [name]), ...(idColumn === null ? [] : [idColumn])];
  const covariates = readCovariates(table, options, taken);
  for (const { name, categories, cells } of covariates)
    if (categories === null) checkSize(table, name, cells);
  const groups = groupRows(time, ids, table.rowCount);
  for (const group of groups) checkDuplicates(table, time, group, ids !== null);
  const { frequency, start } = gridOf(table, time, groups, options.frequency);
  const notes = [
    ...numberNotes(table, [target, ...covariateNames(options)]),
    ...time.notes,
    ...partNotes(given, time),
    ...orderNotes(time, groups),
    ...monthNotes(time, frequency, start),
  ];
  const series = groups.map((group) =>
    placed(table, time, group, { target, all, covariates, frequency, start, least: least(group.id) }),
  );
  checkStatics(table, covariates, groups);
  const panel: Panel = {
    source: table.source,
    target,
    time: { name: time.name, format: formatFor(time.format, frequency) },
    idColumn,
    frequency,
    start,
    covariates,
    series,
    notes,
  };
  return { ...panel, notes: [...notes, ...outsideNotes(table, panel, time, groups), ...gapNotes(panel)] };
}

/** The time column: named by the options, or detected. */
export function timeColumnOf(table: Table, options: PanelOptions): string | null {
  const { target, series, time } = options;
  const taken = [target, ...covariateNames(options), ...(series ? [series] : [])];
  return time ?? findTimeColumn(table, taken, series);
}

const covariateNames = ({ past = [], future = [], static: fixed = [] }: CovariateNames): string[] => [
  ...past,
  ...future,
  ...fixed,
];

/** Sums of squares of larger numbers overflow. */
const LARGEST = 1e140;

function checkSize(table: Table, name: string, values: Float64Array): void {
  const row = values.findIndex((value) => Math.abs(value) > LARGEST);
  if (row < 0) return;
  const message =
    `${table.source}, line ${table.lines[row]}, column "${name}": numbers must be between -1e140 and 1e140, got ` +
    `${values[row]}. Divide the column by a power of ten.`;
  throw new UnrollError('data', message, { source: table.source, line: table.lines[row], column: name });
}

/** Notes on the number format of these columns. */
const numberNotes = (table: Table, names: readonly string[]): string[] =>
  names.flatMap((name) => column(table, name).notes ?? []);

function readIds(table: Table, name: string): string[] {
  const ids = texts(table, name);
  const gap = ids.indexOf('');
  if (gap < 0) return ids;
  throw new UnrollError(
    'data',
    `${table.source}, line ${table.lines[gap]}, column "${name}": the name of the series is missing.`,
    { source: table.source, line: table.lines[gap], column: name },
  );
}

/**
 * Detects the time column, in this order: the first column that holds times; columns named year, month and so on; a column
 * that numbers the rows of each series, ascending or descending; a column that looks like times but cannot be read, so that
 * reading it reports the problem.
 */
function findTimeColumn(table: Table, taken: readonly string[], series: string | undefined): string | null {
  const others = table.columns.filter((candidate) => !taken.includes(candidate.name));
  const calendar = others.find((candidate) => containsTimes(candidate.cells));
  if (calendar !== undefined) return calendar.name;
  const parts = findTimeParts(others.map((candidate) => candidate.name));
  if (parts !== undefined) return parts;
  const single = others.filter(({ name }) => table.columns.filter((each) => each.name === name).length === 1);
  const counter = single.find((candidate) => candidate.kind === 'number' && counts(table, candidate, series));
  return (counter ?? others.find(looksLikeTimes))?.name ?? null;
}

/** Least share of the steps of a counter that have a row. */
const LEAST_COUNTED = 0.8;

/** True if the numbers of each series ascend (or descend) by one common step, with few gaps. */
function counts(
  table: Table,
  { cells, format = { decimal: table.decimal } }: Column,
  series: string | undefined,
): boolean {
  const values = Float64Array.from(cells, (cell) => cellNumber(cell, format) ?? Number.NaN);
  const ids = series === undefined ? null : texts(table, series);
  const before = new Map<string, number>();
  const steps: number[] = [];
  for (const [row, value] of values.entries()) {
    const id = ids === null ? '' : ids[row];
    const last = before.get(id);
    if (last !== undefined) steps.push(value - last);
    before.set(id, value);
  }
  const upwards = steps[0] > 0;
  const step = steps.reduce((least, each) => Math.min(least, Math.abs(each)), Number.POSITIVE_INFINITY);
  const multiples = steps.map((each) => (upwards ? each : -each) / step);
  if (!multiples.every((each) => each > 0 && Math.abs(each - Math.round(each)) < 1e-9 * each)) return false;
  const all = multiples.reduce((sum, place) => sum + place, before.size);
  return steps.length > 0 && values.length >= LEAST_COUNTED * all;
}

function rowNumbers(table: Table, report: boolean): TimeColumn {
  const values = Float64Array.from({ length: table.rowCount }, (_, row) => row + 1);
  const note =
    'No time column was found: rows are numbered in file order. Name the time column with the option time, or write ' +
    'times such as 1960-12-31.';
  return { name: 'row', format: { template: 'number', zone: null }, values, notes: report ? [note] : [] };
}

function gridOf(
  table: Table,
  time: TimeColumn,
  groups: readonly SeriesRows[],
  wanted: string | Frequency | undefined,
): { frequency: Frequency; start: number } {
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
  try {
    const runs = groups.map(({ rows }) => rows.map((row) => time.values[row]));
    return { frequency: inferFrequency(runs, time.format), start };
  } catch (error) {
    if (!(error instanceof UnrollError)) throw error;
    const message = `${table.source}, column "${time.name}": ${error.message}`;
    throw new UnrollError('data', message, { ...error.data, column: time.name });
  }
}

interface Grid {
  target: string;
  all: Float64Array;
  covariates: readonly Covariate[];
  frequency: Frequency;
  start: number;
  least: number;
}

/** One value for each period from the first known value to the last; covariates continue to the last row. */
function placed(table: Table, time: TimeColumn, { id, rows }: SeriesRows, grid: Grid): PanelSeries {
  const indices = gridIndices(table, time, rows, grid);
  const known = indices.filter((_, i) => !Number.isNaN(grid.all[rows[i]]));
  if (known.length < grid.least) {
    const message = `${table.source}, column "${grid.target}"${ofSeries(id)}: a forecast needs at least ${grid.least} values, got ${known.length}.`;
    throw new UnrollError('data', message, { source: table.source, column: grid.target, series: id });
  }
  const offset = known[0] ?? indices[0];
  const last = known.at(-1) ?? offset - 1;
  const onGrid = (cells: Float64Array, last: number): Float64Array => {
    const values = new Float64Array(last - offset + 1).fill(Number.NaN);
    for (const [i, index] of indices.entries())
      if (index >= offset && index <= last) values[index - offset] = cells[rows[i]];
    return values;
  };
  return {
    id,
    offset,
    values: onGrid(grid.all, last),
    covariates: grid.covariates.map(({ cells, role }) =>
      onGrid(cells, role === 'past' ? last : indices[indices.length - 1]),
    ),
  };
}

function checkStatics(table: Table, covariates: readonly Covariate[], groups: readonly SeriesRows[]): void {
  for (const { name, cells } of covariates.filter(({ role }) => role === 'static')) {
    for (const { id, rows } of groups) {
      const other = rows.find((row) => !Object.is(cells[row], cells[rows[0]]));
      if (other === undefined) continue;
      throw new UnrollError(
        'data',
        `${table.source}, lines ${table.lines[rows[0]]} and ${table.lines[other]}: the static covariate "${name}"${ofSeries(id)} must be ` +
          `constant, but its value changes. Declare it as a past or future covariate.`,
        { source: table.source, column: name, series: id },
      );
    }
  }
}

function partNotes(given: Table, { name, values, format }: TimeColumn): string[] {
  if (name === 'row' || given.columns.some((each) => each.name === name)) return [];
  const columns = name
    .split(',')
    .map((part) => part.trim())
    .join(', ');
  return [
    `Times are combined from ${columns} and written as ${formatTime(values[values.length - 1], format)}.`,
  ];
}

function orderNotes(time: TimeColumn, groups: readonly SeriesRows[]): string[] {
  const sorted = groups.every(({ rows }) => rows.every((row, i) => i === 0 || row > rows[i - 1]));
  return sorted ? [] : [`The rows were sorted by "${time.name}".`];
}

/** A note if the times of monthly rows fall on different days, such as the last trading day of each month. */
function monthNotes({ name, values, format }: TimeColumn, frequency: Frequency, start: number): string[] {
  if (frequency.unit !== 'month') return [];
  const asMonth = (value: number) =>
    addPeriods(start, Math.round(periodsBetween(start, value, frequency)), frequency);
  const moved = values.find((value) => asMonth(value) !== value);
  if (moved === undefined) return [];
  const { day = 1 } = frequency;
  const what = day === 31 ? 'the last days' : day === 1 ? 'the first days' : `day ${day}`;
  return [
    `The times of "${name}" fall on different days of the month and are read as ${what} of their months, for example ` +
      `${formatTime(moved, format)} as ${formatTime(asMonth(moved), format)}.`,
  ];
}

/** A note on dropped rows without a target at either end; later ones are kept if there are future covariates. */
function outsideNotes(table: Table, panel: Panel, time: TimeColumn, groups: readonly SeriesRows[]): string[] {
  const future = panel.covariates.some(({ role }) => role === 'future');
  const outside = groups.flatMap(({ rows }, g) => {
    const series = panel.series[g];
    const indices = gridIndices(table, time, rows, panel);
    return indices.filter((index) => index < series.offset || (!future && index >= endOf(series)));
  }).length;
  if (outside === 0) return [];
  const are = outside === 1 ? 'row without a value was' : 'rows without values were';
  return [`${outside} leading or trailing ${are} dropped.`];
}

function gapNotes(panel: Panel): string[] {
  const gaps = panel.series.flatMap(({ id, offset, values }) =>
    Array.from(values.keys())
      .filter((i) => Number.isNaN(values[i]))
      .map((i) => `${id === '' ? '' : `${id} `}${timeAt(panel, offset + i)}`),
  );
  if (gaps.length === 0) return [];
  const rest = gaps.length > 3 ? `, and ${gaps.length - 3} more` : '';
  const are = gaps.length === 1 ? 'value is' : 'values are';
  const what = 'the network uses past values instead, and metrics ignore them';
  return [`${gaps.length} ${are} missing (${gaps.slice(0, 3).join(', ')}${rest}): ${what}.`];
}
