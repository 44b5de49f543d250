/**
 * Time columns. A column is read as a whole: every cell must be written in one way, and that way is kept so that
 * forecast times are written like the file's own. Instants are milliseconds of UTC; a time without a zone is read as
 * UTC; dates, weeks, months and quarters stand for their first instant. Plain numbers (a counter, a year) stay numbers.
 */
import { UnrollError } from '@unroll/core';
import { exactFrequency, periodsBetween } from './frequency.js';
import { type Cell, cellNumber, column, isMissing, showCell, type Table } from './table.js';
import { type Moment, readByTemplate, TEMPLATES, writeByTemplate, zoneMinutes } from './time-template.js';

/** How the times of a column are written. JSON. */
export interface TimeFormat {
  /** A template of time-template.ts, or `number`, `epoch seconds`, `epoch milliseconds`. */
  readonly template: string;
  /** The zone that is written; null where none is. */
  readonly zone: string | null;
}

export interface TimeColumn {
  readonly name: string;
  readonly format: TimeFormat;
  /** Milliseconds of UTC, or the numbers themselves. */
  readonly values: Float64Array;
  /** What was decided about the column beyond what is written in it, for people. */
  readonly notes: readonly string[];
}

const COMPACT: Readonly<Record<number, string>> = { 6: 'YYYYMM', 8: 'YYYYMMDD' };
const EPOCHS: Readonly<Record<string, number>> = { 'epoch seconds': 1000, 'epoch milliseconds': 1 };

/** A time as a column of this format writes it. */
export function formatTime(value: number, { template, zone }: TimeFormat): string {
  if (template === 'number') return String(Number(value.toPrecision(15)));
  const unit = EPOCHS[template];
  return unit === undefined ? writeByTemplate(value, template, zone) : String(value / unit);
}

/** True if most cells that are not missing are calendar times, not bare numbers: a column that was meant to be times. */
export function holdsTimes(cells: readonly Cell[]): boolean {
  const known = cells.filter((cell) => !isMissing(cell)).slice(0, 200);
  if (known.length === 0) return false;
  if (known.every((cell) => cell instanceof Date)) return true;
  const written = textsOf(known);
  if (compactTemplate(written) !== undefined) return true;
  const candidates = new Set(known.slice(0, 3).flatMap((cell) => templatesOf(textOf(cell))));
  const fitting = written.filter((text) =>
    [...candidates].some((template) => readByTemplate(text, template)),
  );
  return fitting.length >= written.length / 2;
}

const textOf = (cell: Cell): string =>
  typeof cell === 'string' ? cell.trim().replace(/\s+/g, ' ') : String(cell);
const textsOf = (cells: readonly Cell[]): string[] => cells.map(textOf);

const templatesOf = (text: string): string[] =>
  TEMPLATES.filter((template) => readByTemplate(text, template) !== undefined);

/** YYYYMM or YYYYMMDD, if that is what all these digits can be. */
function compactTemplate(written: readonly string[]): string | undefined {
  const template = /^\d+$/.test(written[0]) ? COMPACT[written[0].length] : undefined;
  if (template === undefined || written.length < 2) return undefined;
  const fits = (text: string): boolean => {
    const year = Number(text.slice(0, 4));
    return (
      text.length === template.length &&
      year > 1700 &&
      year < 2300 &&
      readCompact(text, template) !== undefined
    );
  };
  return written.every(fits) ? template : undefined;
}

function readCompact(text: string, template: string): Moment | undefined {
  const parted = template === 'YYYYMM' ? text.replace(/(..)$/, '-$1') : text.replace(/(..)(..)$/, '-$1-$2');
  return readByTemplate(parted, template === 'YYYYMM' ? 'YYYY-MM' : 'YYYY-MM-DD');
}

/**
 * A column as times.
 * @throws UnrollError `data` naming file, line and column of the first cell that is missing, is not a time, or is
 *   written in another way than the cells before it; or when days and months cannot be told apart
 */
export function times(table: Table, name: string): TimeColumn {
  const { cells } = column(table, name);
  const gap = cells.findIndex(isMissing);
  if (gap >= 0) throw timeError(table, name, gap, 'the time is missing. Every row needs one.');
  if (cells.every((cell) => cell instanceof Date)) return dateCells(name, cells);
  const written = textsOf(cells);
  const compact = compactTemplate(written);
  if (compact !== undefined) {
    const values = Float64Array.from(written, (text) => readCompact(text, compact)!.value);
    return { name, values, format: { template: compact, zone: null }, notes: [] };
  }
  return numberCells(table, name) ?? calendarCells(table, name, written);
}

function dateCells(name: string, cells: readonly Date[]): TimeColumn {
  const values = Float64Array.from(cells, (cell) => cell.getTime());
  const days = values.every((value) => value % 86_400_000 === 0);
  const format = days
    ? { template: 'YYYY-MM-DD', zone: null }
    : { template: 'YYYY-MM-DDTHH:mm:ssZ', zone: 'Z' };
  return { name, values, format, notes: [] };
}

/** The column as numbers, if its first cell is one. */
function numberCells(table: Table, name: string): TimeColumn | null {
  const { cells } = column(table, name);
  if (cellNumber(cells[0], table.decimal) === undefined) return null;
  const values = Float64Array.from(cells, (cell, row) => {
    const value = cellNumber(cell, table.decimal);
    if (value === undefined) {
      throw timeError(
        table,
        name,
        row,
        `${showCell(cell)} is not a number, and the times above are. Use one way.`,
      );
    }
    return value;
  });
  const within = (low: number, high: number) =>
    values.every((value) => Number.isInteger(value) && value >= low && value <= high);
  const template = within(1e9, 4.2e9)
    ? 'epoch seconds'
    : within(1e12, 4.2e12)
      ? 'epoch milliseconds'
      : 'number';
  const unit = EPOCHS[template] ?? 1;
  return { name, values: values.map((value) => value * unit), format: { template, zone: null }, notes: [] };
}

function calendarCells(table: Table, name: string, written: readonly string[]): TimeColumn {
  let candidates = templatesOf(written[0]);
  for (const [row, text] of written.entries()) {
    const still = candidates.filter((template) => readByTemplate(text, template) !== undefined);
    if (still.length === 0) throw misfit(table, name, row, written[0]);
    candidates = still;
  }
  const columns = distinctReadings(candidates, written).map((template) => reading(name, template, written));
  if (columns.length === 1) return columns[0];
  const filled = columns.map(({ values, format }) => shareOfPlaces(values, format));
  const [first, second] = filled.toSorted((a, b) => b - a) as [number, number];
  if (first > 0 && first >= CLEARLY * second) {
    const found = columns[filled.indexOf(first)];
    const note = `The times of "${name}" are read as ${found.format.template}: so read they follow a regular step.`;
    return { ...found, notes: [note] };
  }
  const differs = written.findIndex((_, row) =>
    columns.some(({ values }) => values[row] !== columns[0].values[row]),
  );
  const [a, b] = columns.map(({ values }) => writeByTemplate(values[differs], 'DD MMMM YYYY', null));
  throw timeError(
    table,
    name,
    differs,
    `"${written[differs]}" may be ${a} or ${b}, and the other rows do not tell. Write the year first: 1960-12-31.`,
  );
}

/** Of two readings one is taken that fills so many times as many of its places. */
const CLEARLY = 5;

/** One template for each different way of understanding the texts. */
function distinctReadings(candidates: readonly string[], written: readonly string[]): string[] {
  const seen = new Map<string, string>();
  for (const template of candidates) {
    const key = written.map((text) => readByTemplate(text, template)!.value).join();
    if (!seen.has(key)) seen.set(key, template);
  }
  return [...seen.values()];
}

/** Rows over the places of a regular step from the first time to the last; 0 where the times follow none. */
function shareOfPlaces(values: Float64Array, format: TimeFormat): number {
  const sorted = Float64Array.from(new Set(values)).sort();
  try {
    const places = periodsBetween(sorted[0], sorted[sorted.length - 1], exactFrequency(sorted, format)) + 1;
    return sorted.length / places;
  } catch {
    return 0; // the error says that there is no regular step, which is the answer
  }
}

/**
 * The texts by one template. Where offsets differ (daylight saving) and the instants follow no step, but the clocks on the
 * wall do, the latter are taken: as times of the last offset.
 */
function reading(name: string, template: string, written: readonly string[]): TimeColumn {
  const moments = written.map((text) => readByTemplate(text, template)!);
  const values = Float64Array.from(moments, ({ value }) => value);
  const zone = moments[moments.length - 1].zone;
  const mixed = moments.some((moment) => moment.zone !== zone);
  if (!mixed) return { name, values, format: { template, zone }, notes: [] };
  if (shareOfPlaces(values, { template, zone }) > 0)
    return { name, values, format: { template, zone: 'Z' }, notes: [] };
  const walls = values.map((value, i) => value + (zoneMinutes(moments[i].zone) - zoneMinutes(zone)) * 60_000);
  const notes = [`The offsets of "${name}" change; its times are taken as local clock times.`];
  return { name, values: walls, format: { template, zone }, notes };
}

function misfit(table: Table, name: string, row: number, first: string): UnrollError {
  const cell = column(table, name).cells[row];
  const known = templatesOf(textOf(cell)).length > 0 || cellNumber(cell, table.decimal) !== undefined;
  if (row === 0 || !known) {
    return timeError(
      table,
      name,
      row,
      `${showCell(cell)} is not a time. Write 1960-12, 1960-12-31, 1960-12-31T18:00, 1960-Q4 or a number.`,
    );
  }
  const message = `${showCell(cell)} is written in another way than "${first}" above. Use one way.`;
  return timeError(table, name, row, message);
}

function timeError(table: Table, name: string, row: number, message: string): UnrollError {
  const { position, cells } = column(table, name);
  const line = table.lines[row];
  const data = { source: table.source, line, column: name, cell: cells[row] };
  return new UnrollError(
    'data',
    `${table.source}, line ${line}, column "${name}" (${position}): ${message}`,
    data,
  );
}
