/**
 * Converts a table to a panel: one or more series on a common regular time grid, with their covariates. Describes each decision
 * about the rows in a note.
 */
import { UnrollError } from '@unroll/core';
import {
  addPeriods,
  cleanName,
  column,
  type Frequency,
  formatFor,
  formatTime,
  locationOf,
  numbers,
  sourceOf,
  type Table,
  type TimeColumn,
  type TimeFormat,
  type TimeOptions,
  texts,
  times,
  withTimeParts,
} from '@unroll/data';
import { type Covariate, type CovariateNames, readCovariates } from './covariates.js';
import { checkDuplicates, gridIndices, groupRows, listSeries, ofSeries, type SeriesRows } from './rows.js';
import { findTimeColumn, gridOf, monthNotes, rowNumbers, sortNotes, timePartNotes } from './time-grid.js';

/** One series. The grid index of its row i is `offset` + i: the number of periods from the first time of the panel to this row. */
export interface PanelSeries {
  /** Value of the series column; empty if the table is one series. */
  readonly id: string;
  readonly offset: number;
  /** Target values; NaN where the row or its value is missing. The first and the last value are not missing. */
  readonly values: Float64Array;
  /** Values of each covariate, in the order of `Panel.covariates`. Future covariates may continue after the last target value. */
  readonly covariates: readonly Float64Array[];
}

export interface Panel {
  /** Name of the table, for messages. */
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
   * Time column, or several columns joined by commas, such as `year,month,day,hour`. Default: detected. If
   * there is no time column, rows are numbered from 1.
   */
  time?: string;
  /** Column with the series of each row. Default: the table is one series. */
  series?: string;
  /** Frequency of the rows, such as `monthly` or `15 minutes`, or the frequency of another panel. Default: inferred from the times. */
  frequency?: string | Frequency;
  /** Order of day, month and year in dates such as 01/02/2024: `dmy`, `mdy` or `ymd`. Default: inferred from the dates. */
  dates?: TimeOptions['dates'];
  /**
   * Local time zone of daily rows whose times are in UTC, such as `Europe/Berlin`. Default: inferred from clock changes in
   * the times.
   */
  timezone?: string;
  /** Time format of the training rows; it is used if the times match it. Default: detected. */
  timeFormat?: TimeFormat;
}

/** Returns the options for `times`. */
export const timeOptions = ({ dates, timezone, timeFormat }: PanelOptions): TimeOptions => ({
  ...(dates && { dates }),
  ...(timezone && { timezone }),
  ...(timeFormat && { format: timeFormat }),
});

/** Normalises the column names in the options like the column names of tables. */
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

/** Returns the grid index after the last known target value of any series. */
export const panelEnd = (panel: Panel): number => Math.max(...panel.series.map(endOf));
/** Returns the grid index after the last known target value of a series. */
export const endOf = ({ offset, values }: PanelSeries): number => offset + values.length;

/** Returns the time at a grid index, in the format of the table. */
export function timeAt(panel: Panel, index: number): string {
  return formatTime(addPeriods(panel.start, index, panel.frequency), panel.time.format);
}

/**
 * Reads a panel from a table.
 * @param minValues returns the minimum number of values of a series, given its id. Default: 2 for a table of one series; for
 *   several series, 1, and series without values are left out
 * @throws UnrollError `data` if a column is missing or has the wrong type, a time is duplicated, or the times have no
 *   regular frequency
 */
export function panelFromTable(
  rawTable: Table,
  rawOptions: PanelOptions,
  minValues?: (id: string) => number,
): Panel {
  const options = withCleanNames(rawOptions);
  const { target, series: idColumn = null } = options;
  const timeName = timeColumnOf(rawTable, options);
  const table = timeName === null ? rawTable : withTimeParts(rawTable, timeName);
  const targets = numbers(table, target);
  checkSize(table, target, targets);
  const ids = idColumn === null ? null : readIds(table, idColumn);
  if (timeName === null && ids !== null) {
    throw new UnrollError(
      'data',
      `${table.source} has no time column, which is needed for several series. Name it with the option time.`,
      {
        columns: table.columns.length,
      },
    );
  }
  const time =
    timeName === null
      ? rowNumbers(table, rawTable.columns.length > 1)
      : times(table, timeName, timeOptions(options));
  const usedColumns = [target, timeName, idColumn].filter((name) => name !== null);
  const covariates = readCovariates(table, options, usedColumns);
  for (const { name, categories, cells } of covariates)
    if (categories === null) checkSize(table, name, cells);
  const { groups, notes: emptyNotes } = withValues(groupRows(time, ids, table.rowCount), targets, minValues);
  for (const group of groups) checkDuplicates(table, time, group, ids !== null);
  const { frequency, start, problem } = gridOf(table, time, { groups, targets }, options.frequency);
  const notes = [
    ...emptyNotes,
    ...numberNotes(table, [target, ...covariateNames(options)]),
    ...time.notes,
    ...timePartNotes(rawTable, time),
    ...sortNotes(time, groups),
    ...monthNotes(time, frequency, start),
  ];
  const series = groups.map((group) =>
    toPanelSeries(table, time, group, {
      ...{ target, targets, covariates, frequency, start },
      minValues: minValues?.(group.id) ?? (groups.length > 1 ? 1 : 2),
    }),
  );
  if (problem !== undefined) throw problem; // no single row explains it
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
  // A saved model (which passes `minValues`) compares the categories with the categories of its training rows instead.
  const known = minValues === undefined ? withoutUnseenCategories(panel) : panel;
  return {
    ...known,
    notes: [...known.notes, ...droppedRowNotes(table, panel, time, groups), ...gapNotes(panel)],
  };
}

/** Leaves out series without values and names them in a note, unless all series are empty or `minValues` is given. */
function withValues(
  groups: SeriesRows[],
  targets: Float64Array,
  minValues: unknown,
): { groups: SeriesRows[]; notes: string[] } {
  const isEmpty = ({ rows }: SeriesRows) => rows.every((row) => Number.isNaN(targets[row]));
  const empty = groups.filter(isEmpty);
  if (minValues !== undefined || empty.length === 0 || empty.length === groups.length)
    return { groups, notes: [] };
  return {
    groups: groups.filter((group) => !isEmpty(group)),
    notes: [`Series without values, left out: ${listSeries(empty)}.`],
  };
}

/**
 * Encodes categories that occur only in the rows to forecast as "unknown" (-1), like categories that a saved model does not know,
 * and names them in a note.
 */
function withoutUnseenCategories(panel: Panel): Panel {
  const notes: string[] = [];
  const indices = panel.covariates.map(({ name, role, categories }, c) => {
    if (categories === null || role === 'past') return null;
    const seen = new Set(
      panel.series.flatMap(({ values, covariates }) => [...covariates[c].subarray(0, values.length)]),
    );
    const known = categories.filter((_, i) => seen.has(i));
    const unseen = categories.filter((_, i) => !seen.has(i));
    if (unseen.length === 0 || known.length === 0) return null;
    notes.push(unknownNote(name, unseen, known));
    return { known, index: categories.map((category) => known.indexOf(category)) };
  });
  if (notes.length === 0) return panel;
  return {
    ...panel,
    notes: [...panel.notes, ...notes],
    covariates: panel.covariates.map((each, c) => ({
      ...each,
      categories: indices[c]?.known ?? each.categories,
    })),
    series: panel.series.map((series) => ({
      ...series,
      covariates: series.covariates.map((cells, c) => {
        const index = indices[c]?.index;
        return index === undefined ? cells : cells.map((value) => index[value] ?? Number.NaN);
      }),
    })),
  };
}

/** Returns the note on categories that are encoded as "unknown". */
export function unknownNote(name: string, unknown: readonly string[], known: readonly string[]): string {
  const examples = unknown.slice(0, 3).map((category) => `"${category}"`);
  const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : '';
  return `Column "${name}": ${examples.join(', ')}${more} not seen in training (known: ${known.join(', ')}); encoded as "unknown".`;
}

/** What happens to series that ended earlier than the others. */
export const DISCONTINUED = ['keep', 'drop'] as const;
export type Discontinued = (typeof DISCONTINUED)[number];

/** A series is discontinued if it ended at least one horizon, and at least this many rows, before the last row of the panel. */
const MIN_ROWS_SINCE_END = 3;

/**
 * Leaves out discontinued series, which ended at least one horizon and 3 rows before the last row of the panel, and names them in a
 * note.
 * @param wanted `keep`: these series are only named in the note. Default: `drop`, or `keep` if at least half of the series are
 *   discontinued
 */
export function withoutDiscontinued(panel: Panel, horizon: number, wanted?: Discontinued): Panel {
  const minRows = Math.max(MIN_ROWS_SINCE_END, horizon);
  const last = panelEnd(panel) - minRows;
  const ended = panel.series.filter((series) => endOf(series) <= last);
  if (ended.length === 0) return panel;
  const names = listSeries(ended.map((each) => ({ id: `${each.id} (${timeAt(panel, endOf(each) - 1)})` })));
  const isKept = wanted === 'keep' || (wanted === undefined && ended.length * 2 >= panel.series.length);
  const count = `${ended.length} of ${panel.series.length} series ended at least ${minRows} rows before the last row`;
  const what = isKept
    ? 'and are forecast from their own last rows (--discontinued drop leaves them out)'
    : 'and are left out (--discontinued keep forecasts them from their own last rows)';
  const series = isKept ? panel.series : panel.series.filter((each) => !ended.includes(each));
  return { ...panel, series, notes: [...panel.notes, `${count} ${what}: ${names}.`] };
}

/** Returns the name of the time column in the options or, if it is not set, of the detected time column. Null if there is none. */
export function timeColumnOf(table: Table, options: PanelOptions): string | null {
  const { target, series, time } = options;
  const usedColumns = [target, ...covariateNames(options), ...(series ? [series] : [])];
  return time ?? findTimeColumn(table, usedColumns, series);
}

const covariateNames = ({ past = [], future = [], static: fixed = [] }: CovariateNames): string[] => [
  ...past,
  ...future,
  ...fixed,
];

/** The largest allowed absolute value. Sums of squares of larger numbers would overflow. */
const MAX_NUMBER = 1e140;

/** @throws UnrollError `data` for the first number that is too large */
export function checkSize(table: Table, name: string, values: Float64Array): void {
  const row = values.findIndex((value) => Math.abs(value) > MAX_NUMBER);
  if (row < 0) return;
  const message =
    `${locationOf(table, row)}, column "${name}": numbers must be between -1e140 and 1e140, got ` +
    `${values[row]}. Divide the column by a power of ten.`;
  throw new UnrollError('data', message, {
    source: sourceOf(table, row),
    line: table.lines[row],
    column: name,
  });
}

/** Returns the notes on the number format of the given columns. */
const numberNotes = (table: Table, names: readonly string[]): string[] =>
  names.flatMap((name) => column(table, name).notes ?? []);

function readIds(table: Table, name: string): string[] {
  const ids = texts(table, name);
  const gap = ids.indexOf('');
  if (gap < 0) return ids;
  throw new UnrollError(
    'data',
    `${locationOf(table, gap)}, column "${name}": the series name is missing. Write a name, or remove the row.`,
    { source: sourceOf(table, gap), line: table.lines[gap], column: name },
  );
}

interface SeriesOptions {
  target: string;
  /** Target values of all rows of the table. */
  targets: Float64Array;
  covariates: readonly Covariate[];
  frequency: Frequency;
  start: number;
  minValues: number;
}

/**
 * Converts the rows of one series to one value for each period, from the first known target to the last. Future and static
 * covariates continue to the last row.
 */
function toPanelSeries(
  table: Table,
  time: TimeColumn,
  { id, rows }: SeriesRows,
  options: SeriesOptions,
): PanelSeries {
  const { target, targets, covariates, minValues } = options;
  const indices = gridIndices(table, time, rows, options);
  const known = indices.filter((_, i) => !Number.isNaN(targets[rows[i]]));
  if (known.length < minValues) {
    const message = `${table.source}, column "${target}"${ofSeries(id)}: a forecast needs at least ${minValues} values, got ${known.length}.`;
    throw new UnrollError('data', message, { source: table.source, column: target, series: id });
  }
  const offset = known[0] ?? indices[0];
  const last = known.at(-1) ?? offset - 1;
  const onGrid = (cells: Float64Array, lastIndex: number): Float64Array => {
    const values = new Float64Array(lastIndex - offset + 1).fill(Number.NaN);
    for (const [i, index] of indices.entries())
      if (index >= offset && index <= lastIndex) values[index - offset] = cells[rows[i]];
    return values;
  };
  return {
    id,
    offset,
    values: onGrid(targets, last),
    covariates: covariates.map(({ cells, role }) =>
      onGrid(cells, role === 'past' ? last : indices[indices.length - 1]),
    ),
  };
}

function checkStatics(table: Table, covariates: readonly Covariate[], groups: readonly SeriesRows[]): void {
  for (const { name, cells } of covariates.filter(({ role }) => role === 'static')) {
    for (const { id, rows } of groups) {
      const first = rows.find((row) => !Number.isNaN(cells[row]));
      const other = rows.find((row) => !Number.isNaN(cells[row]) && cells[row] !== cells[first ?? row]);
      if (first === undefined || other === undefined) continue;
      throw new UnrollError(
        'data',
        `${locationOf(table, first, other)}: the static covariate "${name}"${ofSeries(id)} must be ` +
          `constant, but its value changes. Declare it as a past or future covariate.`,
        { source: table.source, column: name, series: id },
      );
    }
  }
}

/**
 * Returns a note on the leading and trailing rows without a target, which were dropped. If there are future covariates,
 * trailing rows are kept.
 */
function droppedRowNotes(
  table: Table,
  panel: Panel,
  time: TimeColumn,
  groups: readonly SeriesRows[],
): string[] {
  const hasFuture = panel.covariates.some(({ role }) => role === 'future');
  const dropped = groups.flatMap(({ rows }, g) => {
    const series = panel.series[g];
    const indices = gridIndices(table, time, rows, panel);
    return indices.filter((index) => index < series.offset || (!hasFuture && index >= endOf(series)));
  }).length;
  if (dropped === 0) return [];
  const rows = dropped === 1 ? 'row without a value was' : 'rows without values were';
  return [`${dropped} leading or trailing ${rows} dropped.`];
}

/** Returns a note on missing target values within the series. */
function gapNotes(panel: Panel): string[] {
  const gaps = panel.series.flatMap(({ id, offset, values }) =>
    Array.from(values.keys())
      .filter((i) => Number.isNaN(values[i]))
      .map((i) => `${id === '' ? '' : `${id} `}${timeAt(panel, offset + i)}`),
  );
  if (gaps.length === 0) return [];
  const rest = gaps.length > 3 ? `, and ${gaps.length - 3} more` : '';
  const values = gaps.length === 1 ? 'value is' : 'values are';
  const effect = 'the network uses past values instead, and metrics leave these rows out';
  return [`${gaps.length} ${values} missing (${gaps.slice(0, 3).join(', ')}${rest}): ${effect}.`];
}
