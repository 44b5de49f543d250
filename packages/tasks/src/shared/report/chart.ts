/** Draws line charts as SVG for reports, without scripts. Colours come from CSS; lines also differ in their dash pattern. */

/** One line of a chart. */
export interface ChartLine {
  /** CSS classes, such as `actual`, `forecast` or `other dash1`. */
  kind: string;
  /** Row of the first value. Row 0 is the left edge of the chart. */
  from: number;
  /** One value per row; NaN leaves a gap. */
  values: ArrayLike<number>;
  /** Whether to draw a dot at every value. */
  dots?: boolean;
}

/** A filled area between two lines. */
export interface ChartBand {
  /** CSS class: `band1`, `band2`, ... */
  kind: string;
  /** Row of the first values. */
  from: number;
  lower: ArrayLike<number>;
  upper: ArrayLike<number>;
}

export interface ChartData {
  /** Description of the chart for screen readers. */
  title: string;
  lines: ChartLine[];
  bands: ChartBand[];
  /** Returns the label of a row on the horizontal axis, such as its time. */
  label: (row: number) => string;
  /** Positions of vertical dividing lines, in rows. */
  dividers: number[];
  /** Whether the vertical axis includes 0. Default false. */
  fromZero?: boolean;
}

/** Margins in pixels. */
const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;

/** Escapes text for HTML and SVG. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

/** Returns the SVG of a short piece of a line or band, for a legend. */
export function legendSample(kind: string): string {
  const shape = kind.startsWith('band')
    ? `<rect class="band ${kind}" width="24" height="12"/>`
    : `<path class="line ${kind}" d="M0 6H24"/>`;
  return `<svg class="key" width="24" height="12" aria-hidden="true">${shape}</svg>`;
}

/** Returns the SVG of the chart in two widths. CSS shows the chart that fits, so text stays readable on a phone. */
export function chart(data: ChartData): string {
  return chartSvg(data, 760, 300, 'wide') + chartSvg(data, 360, 260, 'narrow');
}

/** Returns the SVG of the chart in one small width, for charts in columns. */
export const smallChart = (data: ChartData): string => chartSvg(data, 320, 180, 'small');

/** The size of the SVG in pixels, and the conversion of rows and values to pixels. */
interface PlotArea {
  width: number;
  height: number;
  x: (row: number) => number;
  y: (value: number) => number;
}

function chartSvg(data: ChartData, width: number, height: number, kind: string): string {
  const rows = Math.max(2, ...data.lines.map(({ from, values }) => from + values.length));
  const ticks = niceTicks(valueRange(data), height > 280 ? 6 : height > 200 ? 5 : 4);
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  const area: PlotArea = {
    width,
    height,
    x: (row) => LEFT + ((width - LEFT - RIGHT) * row) / (rows - 1),
    y: (value) => TOP + (height - TOP - BOTTOM) * (1 - (value - low) / (high - low)),
  };
  const parts = [
    ...ticks.map((tick) => tickLine(tick, area)),
    ...timeTicks(rows, timeLabelCount(data, rows, width)).map((row, i, all) =>
      timeLabel(data.label(row), row, i, all.length, area),
    ),
    ...data.dividers.map((row) => divider(row, area)),
    ...data.bands.map((band) => bandPath(band, area)),
    ...data.lines.map((line) => linePath(line, area)),
  ];
  const title = escapeHtml(data.title);
  return (
    `<svg class="chart ${kind}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">` +
    `<title>${title}</title>${parts.join('')}</svg>`
  );
}

/** Returns the range of all values of a chart. */
function valueRange({ lines, bands, fromZero }: ChartData): { low: number; high: number } {
  let low = fromZero ? 0 : Number.POSITIVE_INFINITY;
  let high = fromZero ? 0 : Number.NEGATIVE_INFINITY;
  for (const values of [
    ...lines.map((line) => line.values),
    ...bands.flatMap((band) => [band.lower, band.upper]),
  ]) {
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) continue;
      low = Math.min(low, values[i]);
      high = Math.max(high, values[i]);
    }
  }
  if (!(high >= low)) return { low: 0, high: 1 };
  return widenRange({ low, high });
}

/** Widens a range of (almost) a single value by 1, or by a billionth of a huge value, on both sides, so that axis ticks differ. */
export function widenRange({ low, high }: { low: number; high: number }): { low: number; high: number } {
  const minWidth = Math.max(Math.abs(low), Math.abs(high)) * 1e-9;
  if (high - low > minWidth) return { low, high };
  const margin = Math.max(1, minWidth);
  return { low: low - margin, high: high + margin };
}

/** Returns about `count` axis ticks that enclose the range. Their step is 1, 2 or 5 times a power of ten. */
export function niceTicks({ low, high }: { low: number; high: number }, count: number): number[] {
  const roughStep = (high - low) / Math.max(1, count - 1);
  const power = 10 ** Math.floor(Math.log10(roughStep));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= roughStep) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Formats a coordinate in pixels. */
const pixels = (value: number): string => value.toFixed(1);

function tickLine(tick: number, { width, y }: PlotArea): string {
  const tickY = pixels(y(tick));
  const label =
    Math.abs(tick) >= 1e6 || (tick !== 0 && Math.abs(tick) < 1e-3) ? tick.toExponential(1) : String(tick);
  return (
    `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${tickY}" y2="${tickY}"/>` +
    `<text x="${LEFT - 6}" y="${tickY}" dy="0.35em" text-anchor="end">${label}</text>`
  );
}

/** Returns the number of time labels that fit, 2 to 6, if a character is seven pixels wide. */
function timeLabelCount({ label }: ChartData, rows: number, width: number): number {
  const longest = Math.max(label(0).length, label(rows - 1).length) * 7 + 14;
  return Math.max(2, Math.min(6, Math.floor((width - LEFT - RIGHT) / longest)));
}

/** Returns about `count` evenly spaced rows, including the first and the last. */
function timeTicks(rows: number, count: number): number[] {
  const ticks = Math.min(count, rows);
  return [...new Set(Array.from({ length: ticks }, (_, i) => Math.round((i * (rows - 1)) / (ticks - 1))))];
}

function timeLabel(label: string, row: number, i: number, count: number, { x, height }: PlotArea): string {
  const anchor = i === 0 ? 'start' : i === count - 1 ? 'end' : 'middle';
  return `<text x="${pixels(x(row))}" y="${height - 6}" text-anchor="${anchor}">${escapeHtml(label)}</text>`;
}

function divider(row: number, { x, height }: PlotArea): string {
  const left = pixels(x(row));
  return `<line class="divider" x1="${left}" x2="${left}" y1="${TOP}" y2="${height - BOTTOM}"/>`;
}

function bandPath({ kind, from, lower, upper }: ChartBand, { x, y }: PlotArea): string {
  const known = Array.from({ length: lower.length }, (_, i) => i).filter((i) => Number.isFinite(lower[i]));
  if (known.length === 0) return '';
  const above = known.map((i) => `${pixels(x(from + i))},${pixels(y(upper[i]))}`);
  const below = known.toReversed().map((i) => `${pixels(x(from + i))},${pixels(y(lower[i]))}`);
  return `<polygon class="band ${kind}" points="${[...above, ...below].join(' ')}"/>`;
}

function linePath({ kind, from, values, dots }: ChartLine, { x, y }: PlotArea): string {
  let path = '';
  let command = 'M'; // M starts a new line, L continues it
  const points: string[] = [];
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      command = 'M';
      continue;
    }
    const [px, py] = [pixels(x(from + i)), pixels(y(values[i]))];
    path += `${command}${px} ${py}`;
    command = 'L';
    if (dots) points.push(`<circle class="dot ${kind}" cx="${px}" cy="${py}" r="2.5"/>`);
  }
  return `<path class="line ${kind}" d="${path}"/>${points.join('')}`;
}
