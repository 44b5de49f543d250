/**
 * A line plot for terminals: the history as a line of braille dots, the forecast as large dots to the right of a divider, so
 * that they differ without colour.
 */
import { widened } from './chart.js';

export interface PlotOptions {
  /** Total width in columns. Default 80. */
  width?: number;
  /** Rows of the plotting area. Default 14. */
  height?: number;
  /** Colours a forecast point. Default: no colour. */
  paint?: (text: string) => string;
}

export interface PlotData {
  history: ArrayLike<number>;
  forecast: ArrayLike<number>;
  /** Labels below the first row, the last known row and the last forecast row. */
  labels: readonly [string, string, string];
}

const LABEL_WIDTH = 8;
const POINT = '●';
const DIVIDER = '┊';
/** Bits of the dots of a braille cell, by column and row. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** The plot as lines of equal width. */
export function plot(data: PlotData, options: PlotOptions = {}): string[] {
  const { width = 80, height = 14, paint = (text: string) => text } = options;
  const columns = width - LABEL_WIDTH - 2;
  const history = Array.from(data.history).slice(-historyRoom(width, data.forecast.length));
  const forecast = thin(Array.from(data.forecast), columns - 2 - Math.min(history.length, columns >> 1));
  const range = rangeOf([...history, ...forecast]);
  const ahead = forecast.length;
  const past = columns - ahead - 1;
  const cells = brailleLine(history, past, height, range);
  const points = forecast.map((value) => rowOf(value, height, range));
  const lines = cells.map((row, r) => {
    const marks = points.map((at) => (at === r ? paint(POINT) : ' ')).join('');
    return `${axisLabel(r, height, range)} │${row}${DIVIDER}${marks}`;
  });
  return [
    ...lines,
    `${' '.repeat(LABEL_WIDTH)} └${'─'.repeat(past)}┴${'─'.repeat(ahead)}`,
    timeLabels(data.labels, width, past),
  ];
}

/** Rows of history that fit into a plot of this width next to the forecast, at one column per row. */
export function historyRoom(width: number, horizon: number): number {
  const columns = width - LABEL_WIDTH - 3;
  return Math.max(columns >> 1, columns - horizon);
}

interface Range {
  low: number;
  high: number;
}

function rangeOf(values: readonly number[]): Range {
  const known = values.filter((value) => Number.isFinite(value));
  const low = Math.min(...known);
  const high = Math.max(...known);
  return widened({ low, high });
}

/** Every k-th value from the end, at most `most` of them. */
function thin(values: readonly number[], most: number): number[] {
  const every = Math.ceil(values.length / Math.max(1, most));
  return values.filter((_, i) => (values.length - 1 - i) % every === 0);
}

function rowOf(value: number, rows: number, { low, high }: Range): number {
  return Math.round((1 - (value - low) / (high - low)) * (rows - 1));
}

/** The values as a connected line over `columns` x `rows` braille cells; gaps (NaN) stay open. */
function brailleLine(values: readonly number[], columns: number, rows: number, range: Range): string[] {
  const bits = Array.from({ length: rows }, () => new Uint8Array(columns));
  const dot = (x: number, y: number) => {
    bits[y >> 2][x >> 1] |= DOTS[x & 1][y & 3];
  };
  const last = columns * 2 - 1;
  const xOf = (i: number) => (values.length === 1 ? last : Math.round((i / (values.length - 1)) * last));
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    const from = Number.isFinite(values[i - 1] ?? Number.NaN) ? i - 1 : i;
    segment(xOf(from), rowOf(values[from], rows * 4, range), xOf(i), rowOf(values[i], rows * 4, range), dot);
  }
  return bits.map((row) =>
    Array.from(row, (cell) => (cell === 0 ? ' ' : String.fromCodePoint(0x2800 + cell))).join(''),
  );
}

function segment(x0: number, y0: number, x1: number, y1: number, dot: (x: number, y: number) => void): void {
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
  for (let i = 0; i <= steps; i++) {
    dot(Math.round(x0 + ((x1 - x0) * i) / steps), Math.round(y0 + ((y1 - y0) * i) / steps));
  }
}

function axisLabel(row: number, height: number, { low, high }: Range): string {
  if (row !== 0 && row !== height - 1 && row !== height >> 1) return ' '.repeat(LABEL_WIDTH);
  const value = high - ((high - low) * row) / (height - 1);
  return shortNumber(value).padStart(LABEL_WIDTH);
}

/** At most seven characters: 432, 43.2, 1.2e+9. */
export function shortNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(1);
  return value
    .toPrecision(4)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

function timeLabels(labels: readonly [string, string, string], width: number, past: number): string {
  const line = Array.from({ length: width }, () => ' ');
  const put = (text: string, start: number) => {
    const at = Math.max(0, Math.min(start, width - text.length));
    if (line.slice(Math.max(0, at - 1), at + text.length + 1).some((mark) => mark !== ' ')) return;
    for (const [i, mark] of Array.from(text).entries()) line[at + i] = mark;
  };
  put(labels[2], width - labels[2].length);
  put(labels[0], LABEL_WIDTH + 2);
  put(labels[1], LABEL_WIDTH + 2 + past - labels[1].length);
  return line.join('').trimEnd();
}
