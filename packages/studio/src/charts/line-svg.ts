/** Line charts as SVG, for papers and slides. The SVG is self-contained: it loads no fonts or other files. */

import { formatNumber } from './format-number.js';
import type { LineChartProps } from './line-chart.js';

const [WIDTH, HEIGHT] = [720, 400];
const MARGIN = { left: 70, right: 16, top: 34, bottom: 46 };

export const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** A linear or logarithmic axis: its mapping from values to pixels, and its ticks. */
interface Axis {
  toPixel(value: number): number;
  ticks: number[];
}

export function lineSvg(props: LineChartProps): string {
  const { lines, log = false, range } = props;
  const usable = (value: number): boolean => Number.isFinite(value) && (!log || value > 0);
  const xs = lines.flatMap(({ x }) => Array.from(x));
  const ys = range ? [...range] : lines.flatMap(({ y }) => Array.from(y).filter(usable));
  const x = axisOf(xs, MARGIN.left, WIDTH - MARGIN.right, false);
  const y = axisOf(ys, HEIGHT - MARGIN.bottom, MARGIN.top, log);
  const paths = lines.map((line) => pathOf(line, x, y, usable));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<title>${escapeXml(props.label)}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${gridOf(x, y)}
<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeXml(props.xLabel)}</text>
<text transform="translate(14 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escapeXml(props.yLabel)}</text>
${paths.join('\n')}
${legendOf(lines)}
</svg>`;
}

function axisOf(values: readonly number[], from: number, to: number, log: boolean): Axis {
  const scale = (value: number): number => (log ? Math.log10(value) : value);
  let low = Math.min(...bounds(values).map(scale));
  let high = Math.max(...bounds(values).map(scale));
  if (!(high > low)) [low, high] = [low - 1 || 0, low + 1 || 1];
  const toPixel = (value: number): number =>
    Number((from + ((scale(value) - low) / (high - low)) * (to - from)).toFixed(1));
  return { toPixel, ticks: log ? powers(low, high) : steps(low, high) };
}

/** Returns the smallest and the largest value. (`Math.min(...values)` fails for very many values.) */
function bounds(values: readonly number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

/** Returns powers of ten as the ticks of a logarithmic axis from 10^low to 10^high. */
function powers(low: number, high: number): number[] {
  const stride = Math.max(1, Math.ceil((high - low) / 8));
  const first = Math.ceil(low / stride) * stride;
  return Array.from(
    { length: Math.max(0, Math.floor((high - first) / stride) + 1) },
    (_, n) => 10 ** (first + n * stride),
  );
}

/** Returns evenly spaced round numbers as the ticks of a linear axis. */
function steps(low: number, high: number): number[] {
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, n) =>
    Number((first + n * step).toPrecision(12)),
  );
}

function gridOf(x: Axis, y: Axis): string {
  const bottom = HEIGHT - MARGIN.bottom;
  const vertical = x.ticks.map(
    (tick) =>
      `<path d="M${x.toPixel(tick)} ${MARGIN.top}V${bottom}" stroke="#ddd"/><text x="${x.toPixel(tick)}" y="${bottom + 16}" text-anchor="middle">${formatNumber(tick)}</text>`,
  );
  const horizontal = y.ticks.map(
    (tick) =>
      `<path d="M${MARGIN.left} ${y.toPixel(tick)}H${WIDTH - MARGIN.right}" stroke="#ddd"/><text x="${MARGIN.left - 6}" y="${y.toPixel(tick) + 4}" text-anchor="end">${formatNumber(tick)}</text>`,
  );
  return [...vertical, ...horizontal].join('\n');
}

function pathOf(
  { x: xs, y: ys, color, dash, width = 1.75, points }: LineChartProps['lines'][number],
  x: Axis,
  y: Axis,
  usable: (value: number) => boolean,
): string {
  const dots = Array.from(xs, (value, n) => ({ x: x.toPixel(value), y: ys[n] })).filter((dot) =>
    usable(dot.y),
  );
  if (points)
    return dots
      .map((dot) => `<circle cx="${dot.x}" cy="${y.toPixel(dot.y)}" r="2.5" fill="${color}"/>`)
      .join('');
  const path = dots.map((dot, n) => `${n === 0 ? 'M' : 'L'}${dot.x} ${y.toPixel(dot.y)}`).join('');
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="${width}"${dash ? ` stroke-dasharray="${dash.join(' ')}"` : ''}/>`;
}

function legendOf(lines: LineChartProps['lines']): string {
  let left = MARGIN.left;
  return lines
    .map(({ name, color, dash }) => {
      const entry = `<path d="M${left} 16h18" stroke="${color}" stroke-width="2"${dash ? ` stroke-dasharray="${dash.join(' ')}"` : ''}/><text x="${left + 23}" y="20">${escapeXml(name)}</text>`;
      left += 40 + 6.6 * name.length;
      return entry;
    })
    .join('\n');
}
