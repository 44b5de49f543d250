/** Line charts as SVG for reports: no scripts, colours from CSS variables, lines distinguishable without colour. */

/** One line of a chart; NaN leaves a gap. x counts rows from 0 at the left end of the chart. */
export interface ChartLine {
  /** CSS class: `actual`, `forecast`, `other`. */
  kind: string;
  from: number;
  values: ArrayLike<number>;
  /** Draw a dot at every value. */
  dots?: boolean;
}

/** The area between two lines. */
export interface ChartBand {
  kind: string;
  from: number;
  lower: ArrayLike<number>;
  upper: ArrayLike<number>;
}

export interface ChartData {
  /** Description of the chart for screen readers. */
  title: string;
  lines: ChartLine[];
  bands: ChartBand[];
  /** The time at a row. */
  label: (row: number) => string;
  /** Rows before which a dividing line is drawn. */
  dividers: number[];
  /** Start the vertical axis at 0. */
  fromZero?: boolean;
}

const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;

/** Text for HTML and SVG. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (mark) => entities[mark]);
}

/** A sample of a line or band for a legend. */
export function sample(kind: string): string {
  const mark = kind.startsWith('band')
    ? `<rect class="band ${kind}" width="24" height="12"/>`
    : `<path class="line ${kind}" d="M0 6H24"/>`;
  return `<svg class="key" width="24" height="12" aria-hidden="true">${mark}</svg>`;
}

/** The chart in two widths; CSS shows the one that fits, so text stays readable on a phone. */
export function chart(data: ChartData): string {
  return drawn(data, 760, 300, 'wide') + drawn(data, 360, 260, 'narrow');
}

interface Frame {
  width: number;
  height: number;
  x: (row: number) => number;
  y: (value: number) => number;
}

function drawn(data: ChartData, width: number, height: number, kind: string): string {
  const rows = Math.max(2, ...data.lines.map(({ from, values }) => from + values.length));
  const ticks = niceTicks(extent(data), height > 280 ? 6 : 5);
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  const frame: Frame = {
    width,
    height,
    x: (row) => LEFT + ((width - LEFT - RIGHT) * row) / (rows - 1),
    y: (value) => TOP + (height - TOP - BOTTOM) * (1 - (value - low) / (high - low)),
  };
  const parts = [
    ...ticks.map((tick) => tickLine(tick, frame)),
    ...timeTicks(rows, roomForLabels(data, rows, width)).map((row, i, all) =>
      timeLabel(data.label(row), row, i, all.length, frame),
    ),
    ...data.dividers.map((row) => divider(row, frame)),
    ...data.bands.map((band) => bandPath(band, frame)),
    ...data.lines.map((line) => linePath(line, frame)),
  ];
  const title = escapeHtml(data.title);
  return (
    `<svg class="chart ${kind}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">` +
    `<title>${title}</title>${parts.join('')}</svg>`
  );
}

function extent({ lines, bands, fromZero }: ChartData): { low: number; high: number } {
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
  return widened({ low, high });
}

/** Widens a range so that ticks differ: at least 1 (or a billionth of the value) around a single value. */
export function widened({ low, high }: { low: number; high: number }): { low: number; high: number } {
  const least = Math.max(Math.abs(low), Math.abs(high)) * 1e-9;
  if (high - low > least) return { low, high };
  const room = Math.max(1, least);
  return { low: low - room, high: high + room };
}

/** Round numbers that enclose the range: steps of 1, 2 or 5 times a power of ten, about `count` of them. */
export function niceTicks({ low, high }: { low: number; high: number }, count: number): number[] {
  const rough = (high - low) / Math.max(1, count - 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

const at = (value: number): string => value.toFixed(1);

function tickLine(tick: number, { width, y }: Frame): string {
  const height = at(y(tick));
  const shown =
    Math.abs(tick) >= 1e6 || (tick !== 0 && Math.abs(tick) < 1e-3) ? tick.toExponential(1) : String(tick);
  return (
    `<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${height}" y2="${height}"/>` +
    `<text x="${LEFT - 6}" y="${height}" dy="0.35em" text-anchor="end">${shown}</text>`
  );
}

/** Number of time labels that fit: seven pixels a character, at most six labels, at least both ends. */
function roomForLabels({ label }: ChartData, rows: number, width: number): number {
  const longest = Math.max(label(0).length, label(rows - 1).length) * 7 + 14;
  return Math.max(2, Math.min(6, Math.floor((width - LEFT - RIGHT) / longest)));
}

function timeTicks(rows: number, count: number): number[] {
  const ticks = Math.min(count, rows);
  return [...new Set(Array.from({ length: ticks }, (_, i) => Math.round((i * (rows - 1)) / (ticks - 1))))];
}

function timeLabel(label: string, row: number, i: number, count: number, { x, height }: Frame): string {
  const anchor = i === 0 ? 'start' : i === count - 1 ? 'end' : 'middle';
  return `<text x="${at(x(row))}" y="${height - 6}" text-anchor="${anchor}">${escapeHtml(label)}</text>`;
}

function divider(row: number, { x, height }: Frame): string {
  const left = at(x(row));
  return `<line class="divider" x1="${left}" x2="${left}" y1="${TOP}" y2="${height - BOTTOM}"/>`;
}

function bandPath({ kind, from, lower, upper }: ChartBand, { x, y }: Frame): string {
  const known = Array.from({ length: lower.length }, (_, i) => i).filter((i) => Number.isFinite(lower[i]));
  if (known.length === 0) return '';
  const above = known.map((i) => `${at(x(from + i))},${at(y(upper[i]))}`);
  const below = known.toReversed().map((i) => `${at(x(from + i))},${at(y(lower[i]))}`);
  return `<polygon class="band ${kind}" points="${[...above, ...below].join(' ')}"/>`;
}

function linePath({ kind, from, values, dots }: ChartLine, { x, y }: Frame): string {
  let path = '';
  let pen = 'M';
  const points: string[] = [];
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      pen = 'M';
      continue;
    }
    const [px, py] = [at(x(from + i)), at(y(values[i]))];
    path += `${pen}${px} ${py}`;
    pen = 'L';
    if (dots) points.push(`<circle class="dot ${kind}" cx="${px}" cy="${py}" r="2.5"/>`);
  }
  return `<path class="line ${kind}" d="${path}"/>${points.join('')}`;
}
