/**
 * From a table to a panel: one or many series on one even grid of times, with their covariates. Which column holds the
 * time and how far apart rows lie is found here; what was decided or done to the rows is kept as notes for people.
 */
import { UnrollError, valueError } from '@unroll/core';
import {
  addPeriods,
  anchored,
  type Column,
  cellNumber,
  cleanName,
  column,
  type Frequency,
  findTimeParts,
  formatFor,
  formatTime,
  holdsTimes,
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
import { checkDuplicates, gridPlaces, groupRows, ofSeries, type SeriesRows } from './rows.js';

/** One series. Row i stands at grid place `offset` + i. */
export interface PanelSeries {
  /** What the id column says; empty where there is none. */
  readonly id: string;
  readonly offset: number;
  /** NaN where the row or its value is missing in the table. The first and the last value are present. */
  readonly values: Float64Array;
  /** Values of each covariate of the panel, in its order; beyond the last target value where the table has them. */
  readonly covariates: readonly Float64Array[];
}

export interface Panel {
  readonly source: string;
  readonly target: string;
  readonly time: { readonly name: string; readonly format: TimeFormat };
  /** The column that names the series; null where the table is one series. */
  readonly idColumn: string | null;
  readonly frequency: Frequency;
  /** Time of grid place 0. */
  readonly start: number;
  readonly covariates: readonly Covariate[];
  readonly series: readonly PanelSeries[];
  /** What was done to the rows, one sentence each. */
  readonly notes: readonly string[];
}

export interface PanelOptions extends CovariateNames {
  /** Column to forecast. */
  target: string;
  /**
   * Column of times, or several between commas that make them up, such as `year,month,day,hour`. Default: the first
   * column that holds times; else columns of these names; else rows count as steps.
   */
  time?: string;
  /** Column that names the series of a row. Default: the table is one series. */
  series?: string;
  /** Such as `monthly` or `15 minutes`, or what an earlier panel had. Default: inferred from the times. */
  frequency?: string | Frequency;
  /** Order of day, month and year in dates of digits: `dmy`, `mdy` or `ymd`. Default: found from the dates. */
  dates?: TimeOptions['dates'];
  /**
   * Time zone such as `Europe/Berlin` whose days the rows are, where times are written in UTC. Default: found from the
   * times, where the clocks change.
   */
  timezone?: string;
  /** How earlier times of the same series are written: taken where the rows fit it. */
  timeFormat?: TimeFormat;
}

/** The options of `times`. */
export const timeOptions = ({ dates, timezone, timeFormat }: PanelOptions): TimeOptions => ({
  ...(dates && { dates }),
  ...(timezone && { timezone }),
  ...(timeFormat && { format: timeFormat }),
});

/** The options with the names of columns as tables have them. */
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

/** The grid place after the last known target value of any series. */
export const panelEnd = (panel: Panel): number => Math.max(...panel.series.map(endOf));
/** The grid place after the last known target value of a series. */
export const endOf = ({ offset, values }: PanelSeries): number => offset + values.length;

/** A grid place as the table writes its times. */
export function timeAt(panel: Panel, place: number): string {
  return formatTime(addPeriods(panel.start, place, panel.frequency), panel.time.format);
}

/**
 * Reads a panel out of a table.
 * @param least values that a series must have at least, by its id; default 2
 * @throws UnrollError `data` when a column is missing or holds something else, a time stands twice, or the times follow
 *   no step
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
    throw new UnrollError('data', `${table.source} has no column of times, which several series need.`, {
      columns: table.columns.length,
    });
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

/** The column of times: the one that is named, or found. */
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
    `${table.source}, line ${table.lines[row]}, column "${name}": numbers must lie between -1e140 and 1e140, got ` +
    `${values[row]}. Divide the column by a power of ten.`;
  throw new UnrollError('data', message, { source: table.source, line: table.lines[row], column: name });
}

/** What was decided about the numbers of these columns. */
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
 * The first column that holds times; failing that, a year, a month and so on in columns of these names; failing that, one
 * of numbers that count the rows of each series, upwards or downwards; failing that, one that was meant as times: what is
 * wrong with it is said when it is read.
 */
function findTimeColumn(table: Table, taken: readonly string[], series: string | undefined): string | null {
  const others = table.columns.filter((candidate) => !taken.includes(candidate.name));
  const calendar = others.find((candidate) => holdsTimes(candidate.cells));
  if (calendar !== undefined) return calendar.name;
  const parts = findTimeParts(others.map((candidate) => candidate.name));
  if (parts !== undefined) return parts;
  const single = others.filter(({ name }) => table.columns.filter((each) => each.name === name).length === 1);
  const counter = single.find((candidate) => candidate.kind === 'number' && counts(table, candidate, series));
  return (counter ?? others.find(looksLikeTimes))?.name ?? null;
}

/** Share of the places of a counter that must have a row. */
const LEAST_COUNTED = 0.8;

/** True if the numbers of each series go up, or down, by one step of all, but for a few places that are left out. */
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
  const places = steps.map((each) => (upwards ? each : -each) / step);
  if (!places.every((place) => place > 0 && Math.abs(place - Math.round(place)) < 1e-9 * place)) return false;
  const all = places.reduce((sum, place) => sum + place, before.size);
  return steps.length > 0 && values.length >= LEAST_COUNTED * all;
}

function rowNumbers(table: Table, tell: boolean): TimeColumn {
  const values = Float64Array.from({ length: table.rowCount }, (_, row) => row + 1);
  const note =
    'No column was read as times, and the rows are taken as they stand, one step apart. Name the column that holds ' +
    'times, or write them such as 1960-12-31.';
  return { name: 'row', format: { template: 'number', zone: null }, values, notes: tell ? [note] : [] };
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
        `The times of column "${time.name}" are plain numbers, which have no frequency "${wanted}".`,
      );
    }
    return { frequency: anchored(parseFrequency(wanted), time.values, time.format), start };
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

/** One value for each period from the first known value to the last; covariates go on to the last row. */
function placed(table: Table, time: TimeColumn, { id, rows }: SeriesRows, grid: Grid): PanelSeries {
  const places = gridPlaces(table, time, rows, grid);
  const known = places.filter((_, i) => !Number.isNaN(grid.all[rows[i]]));
  if (known.length < grid.least) {
    const message = `${table.source}, column "${grid.target}"${ofSeries(id)}: ${known.length} values are too few to forecast from.`;
    throw new UnrollError('data', message, { source: table.source, column: grid.target, series: id });
  }
  const offset = known[0] ?? places[0];
  const last = known.at(-1) ?? offset - 1;
  const onGrid = (cells: Float64Array, last: number): Float64Array => {
    const values = new Float64Array(last - offset + 1).fill(Number.NaN);
    for (const [i, place] of places.entries())
      if (place >= offset && place <= last) values[place - offset] = cells[rows[i]];
    return values;
  };
  return {
    id,
    offset,
    values: onGrid(grid.all, last),
    covariates: grid.covariates.map(({ cells, role }) =>
      onGrid(cells, role === 'past' ? last : places[places.length - 1]),
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
        `${table.source}, lines ${table.lines[rows[0]]} and ${table.lines[other]}: the static column "${name}" changes ` +
          `within a series${ofSeries(id)}. Name it among the past or future ones.`,
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
    `Times are made of ${columns}, and written as one: ${formatTime(values[values.length - 1], format)}.`,
  ];
}

function orderNotes(time: TimeColumn, groups: readonly SeriesRows[]): string[] {
  const sorted = groups.every(({ rows }) => rows.every((row, i) => i === 0 || row > rows[i - 1]));
  return sorted ? [] : [`The rows were not in order of "${time.name}" and have been sorted.`];
}

/** Days of months that are not all the same one, such as the last days of trade, stand for months. */
function monthNotes({ name, values, format }: TimeColumn, frequency: Frequency, start: number): string[] {
  if (frequency.unit !== 'month') return [];
  const asMonth = (value: number) =>
    addPeriods(start, Math.round(periodsBetween(start, value, frequency)), frequency);
  const moved = values.find((value) => asMonth(value) !== value);
  if (moved === undefined) return [];
  const { day = 1 } = frequency;
  const what = day === 31 ? 'the last days' : day === 1 ? 'the first days' : `day ${day}`;
  return [
    `The times of "${name}" are not on one day of the month. They are read as ${what} of their months: ` +
      `${formatTime(moved, format)} as ${formatTime(asMonth(moved), format)}.`,
  ];
}

/** Rows without a target value at either end; the later ones are of use where they bring future covariates. */
function outsideNotes(table: Table, panel: Panel, time: TimeColumn, groups: readonly SeriesRows[]): string[] {
  const future = panel.covariates.some(({ role }) => role === 'future');
  const outside = groups.flatMap(({ rows }, g) => {
    const series = panel.series[g];
    const places = gridPlaces(table, time, rows, panel);
    return places.filter((place) => place < series.offset || (!future && place >= endOf(series)));
  }).length;
  if (outside === 0) return [];
  const are = outside === 1 ? 'row without a value was' : 'rows without a value were';
  return [`${outside} ${are} left out at the ends.`];
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
  const what = 'filled from the past for the network, left out of every score';
  return [`${gaps.length} ${are} missing (${gaps.slice(0, 3).join(', ')}${rest}): ${what}.`];
}
