/**
 * Draws a line plot for terminals. The history is a line of braille dots. The forecast consists of large dots to the right
 * of a divider, so the two can be told apart without colour.
 */
import { widenRange } from './chart.js';

export interface PlotOptions {
  /** Total width in columns. Default 80. */
  width?: number;
  /** Text lines of the plotting area. Default 14. */
  height?: number;
  /** Colours a forecast point. Default: no colour. */
  paint?: (text: string) => string;
}

export interface PlotData {
  history: ArrayLike<number>;
  forecast: ArrayLike<number>;
  /** Labels below the first history value, the last history value and the last forecast value. */
  labels: readonly [string, string, string];
}

const LABEL_WIDTH = 8;
const POINT = '●';
const DIVIDER = '┊';
/** For each column and row of a braille character, the bit that sets its dot. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** Returns the plot as lines of text. */
export function plot(data: PlotData, options: PlotOptions = {}): string[] {
  const { width = 80, height = 14, paint = (text: string) => text } = options;
  const columns = width - LABEL_WIDTH - 2;
  const history = Array.from(data.history).slice(-historyCapacity(width, data.forecast.length));
  const forecast = thin(Array.from(data.forecast), columns - 2 - Math.min(history.length, columns >> 1));
  const range = rangeOf([...history, ...forecast]);
  const forecastColumns = forecast.length;
  const historyColumns = columns - forecastColumns - 1;
  const braille = brailleLine(history, historyColumns, height, range);
  const pointRows = forecast.map((value) => rowOf(value, height, range));
  const lines = braille.map((row, r) => {
    const marks = pointRows.map((pointRow) => (pointRow === r ? paint(POINT) : ' ')).join('');
    return `${axisLabel(r, height, range)} │${row}${DIVIDER}${marks}`;
  });
  return [
    ...lines,
    `${' '.repeat(LABEL_WIDTH)} └${'─'.repeat(historyColumns)}┴${'─'.repeat(forecastColumns)}`,
    timeLabels(data.labels, width, historyColumns),
  ];
}

/** Returns the number of history values that fit next to the forecast in a plot of this width, one value per column. */
export function historyCapacity(width: number, horizon: number): number {
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
  return widenRange({ low, high });
}

/** Returns every k-th value, counted from the end, with the smallest k that leaves at most `maxCount` values. */
function thin(values: readonly number[], maxCount: number): number[] {
  const stride = Math.ceil(values.length / Math.max(1, maxCount));
  return values.filter((_, i) => (values.length - 1 - i) % stride === 0);
}

/** Returns the row of a value; row 0 is at the top. */
function rowOf(value: number, rows: number, { low, high }: Range): number {
  return Math.round((1 - (value - low) / (high - low)) * (rows - 1));
}

/** Draws the values as a connected line in `rows` lines of `columns` braille characters. NaN leaves a gap. */
function brailleLine(values: readonly number[], columns: number, rows: number, range: Range): string[] {
  const bits = Array.from({ length: rows }, () => new Uint8Array(columns));
  const setDot = (x: number, y: number) => {
    bits[y >> 2][x >> 1] |= DOTS[x & 1][y & 3];
  };
  const last = columns * 2 - 1;
  const xOf = (i: number) => (values.length === 1 ? last : Math.round((i / (values.length - 1)) * last));
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    const from = Number.isFinite(values[i - 1] ?? Number.NaN) ? i - 1 : i;
    drawSegment(
      xOf(from),
      rowOf(values[from], rows * 4, range),
      xOf(i),
      rowOf(values[i], rows * 4, range),
      setDot,
    );
  }
  return bits.map((row) =>
    Array.from(row, (cell) => (cell === 0 ? ' ' : String.fromCodePoint(0x2800 + cell))).join(''),
  );
}

/** Draws a straight line from (x0, y0) to (x1, y1). */
function drawSegment(
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  setDot: (x: number, y: number) => void,
): void {
  const steps = Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1);
  for (let i = 0; i <= steps; i++) {
    setDot(Math.round(x0 + ((x1 - x0) * i) / steps), Math.round(y0 + ((y1 - y0) * i) / steps));
  }
}

function axisLabel(row: number, height: number, { low, high }: Range): string {
  if (row !== 0 && row !== height - 1 && row !== height >> 1) return ' '.repeat(LABEL_WIDTH);
  const value = high - ((high - low) * row) / (height - 1);
  return shortNumber(value).padStart(LABEL_WIDTH);
}

/** Formats a number for the axis in at most eight characters: 432, 43.2, 1.2e+9. */
export function shortNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  if (size < 1e6 && (size === 0 || size >= 1e-3)) {
    const text = value
      .toPrecision(4)
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, '');
    if (text.length <= LABEL_WIDTH) return text;
  }
  return value.toExponential(1);
}

/** Returns the line of labels below the axis. A label that would overlap another is left out. */
function timeLabels(
  labels: readonly [string, string, string],
  width: number,
  historyColumns: number,
): string {
  const line = Array.from({ length: width }, () => ' ');
  const put = (text: string, start: number) => {
    const column = Math.max(0, Math.min(start, width - text.length));
    const area = line.slice(Math.max(0, column - 1), column + text.length + 1);
    if (area.some((character) => character !== ' ')) return;
    for (const [i, character] of Array.from(text).entries()) line[column + i] = character;
  };
  put(labels[2], width - labels[2].length);
  put(labels[0], LABEL_WIDTH + 2);
  put(labels[1], LABEL_WIDTH + 2 + historyColumns - labels[1].length);
  return line.join('').trimEnd();
}
