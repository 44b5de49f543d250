/** `lagFigure`: curves by lag, such as gradient norms, on a logarithmic axis. */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { GradientFlow } from '../gradients.js';
import { LINE_STYLES, label, px, svg } from './draw.js';

/** A curve: value k belongs to lag k. NaN and values that are not positive leave a gap. */
export interface LagCurve {
  label: string;
  values: ArrayLike<number>;
  /** Lower values of a band. Default: no band. */
  lower?: ArrayLike<number>;
  /** Upper values of the band. */
  upper?: ArrayLike<number>;
}

export interface LagFigureOptions {
  title?: string;
  /** What the vertical axis shows. Default: `gradient, relative to lag 0`. */
  yLabel?: string;
  /** Smaller values are not drawn. Default 1e-12. */
  floor?: number;
  /** A horizontal line with a label, such as the clipping threshold. */
  line?: { value: number; label: string };
  /** Width in pixels. Default 760. */
  width?: number;
  /** Height in pixels, without the legend. Default 380. */
  height?: number;
}

/**
 * Returns a curve for each state of each layer, relative to lag 0: the median, or the mean if 0.5 is not among the levels. With
 * three or more levels, a band goes from the first to the last quantile.
 */
export function lagCurves({ layers, levels }: GradientFlow): LagCurve[] {
  return layers.flatMap(({ layer, states }) =>
    Object.entries(states).map(([state, { relative }]): LagCurve => {
      const K = relative.mean.length;
      const row = (index: number): Float64Array =>
        Float64Array.from(relative.quantiles.values.subarray(index * K, (index + 1) * K));
      const middle = levels.indexOf(0.5);
      const values = middle >= 0 ? row(middle) : relative.mean;
      const name = `${layer}, d / d ${state}`;
      return levels.length >= 3
        ? { label: name, values, lower: row(0), upper: row(levels.length - 1) }
        : { label: name, values };
    }),
  );
}

const [LEFT, RIGHT, TOP, BOTTOM] = [62, 14, 34, 40];

interface Frame {
  width: number;
  height: number;
  lags: number;
  /** Powers of ten at the ends of the vertical axis. */
  low: number;
  high: number;
}

/**
 * Draws curves by lag on a logarithmic axis as SVG.
 * @throws UnrollError `value` if there are no curves
 */
export function lagFigure(curves: readonly LagCurve[], options: LagFigureOptions = {}): string {
  checkOptions('lagFigure', options, {
    ...{ title: 'string', yLabel: 'string', floor: 'number', line: true, width: 'number', height: 'number' },
  } as const);
  if (curves.length === 0) throw valueError('lagFigure: curves must have at least one curve, got none.');
  const {
    title = 'Gradient by lag',
    yLabel = 'gradient, relative to lag 0',
    floor = 1e-12,
    width = 760,
  } = options;
  const legendRows = Math.ceil(curves.length / 2);
  const height = (options.height ?? 380) + legendRows * 16;
  const lags = Math.max(2, ...curves.map(({ values }) => values.length));
  const all = curves
    .flatMap(({ values }) => Array.from(values))
    .filter((value) => value > floor && Number.isFinite(value));
  if (options.line) all.push(options.line.value);
  const low = Math.floor(Math.log10(Math.min(...all, 1)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...all, floor))));
  const frame = { width, height: height - legendRows * 16, lags, low, high };
  return svg(width, height, title, [
    label(LEFT, 20, title, 'title'),
    ...axes(frame, yLabel),
    ...(options.line ? drawHorizontalLine(frame, options.line) : []),
    ...curves.flatMap((curve, i) => drawCurve(frame, curve, i, floor)),
    ...curves.map((curve, i) => legend(frame, curve.label, i)),
  ]);
}

const xOf = ({ width, lags }: Frame, lag: number): number =>
  LEFT + ((width - LEFT - RIGHT) * lag) / (lags - 1);
const yOf = ({ height, low, high }: Frame, value: number): number =>
  TOP + (height - TOP - BOTTOM) * (1 - (Math.log10(value) - low) / (high - low));

function axes(frame: Frame, yLabel: string): string[] {
  const { width, height, lags, low, high } = frame;
  const stride = Math.max(1, Math.ceil((high - low) / 8));
  const parts: string[] = [];
  for (let power = low; power <= high; power += stride) {
    const y = yOf(frame, 10 ** power);
    parts.push(
      `<path class="rule" d="M${LEFT} ${px(y)}H${width - RIGHT}"/>`,
      label(LEFT - 6, y + 4, powerText(power), 'soft num end'),
    );
  }
  const step =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((distance) => (lags - 1) / distance <= 10) ?? 2000;
  for (let lag = 0; lag < lags; lag += step)
    parts.push(label(xOf(frame, lag), height - BOTTOM + 15, String(lag), 'soft num middle'));
  parts.push(
    label(width - RIGHT, height - BOTTOM + 30, 'lag (steps back)', 'soft num end'),
    label(LEFT, height - BOTTOM + 30, yLabel, 'soft num'),
  );
  return parts;
}

const powerText = (power: number): string => (power >= -2 && power <= 2 ? String(10 ** power) : `1e${power}`);

function drawHorizontalLine(
  frame: Frame,
  { value, label: text }: { value: number; label: string },
): string[] {
  const y = yOf(frame, value);
  return [
    `<path class="arrow" stroke-dasharray="1 3" d="M${LEFT} ${px(y)}H${frame.width - RIGHT}"/>`,
    label(frame.width - RIGHT, y - 4, text, 'soft num end'),
  ];
}

function drawCurve(frame: Frame, { values, lower, upper }: LagCurve, index: number, floor: number): string[] {
  const parts: string[] = [];
  const visible = (value: number): boolean => value >= floor && Number.isFinite(value);
  if (lower && upper) {
    const lags = Array.from({ length: values.length }, (_, k) => k).filter(
      (k) => visible(upper[k]) && lower[k] >= 0,
    );
    const points = (list: readonly number[], edge: ArrayLike<number>): string[] =>
      list.map((k) => `${px(xOf(frame, k))} ${px(yOf(frame, Math.max(edge[k], floor, 10 ** frame.low)))}`);
    const outline = [...points(lags, upper), ...points(lags.toReversed(), lower)];
    if (lags.length > 1)
      parts.push(
        `<path class="l${index % LINE_STYLES}" style="fill:var(--l${index % LINE_STYLES});stroke:none" fill-opacity="0.15" d="M${outline.join('L')}Z"/>`,
      );
  }
  let path = '';
  let isGap = true;
  for (let k = 0; k < values.length; k++) {
    if (!visible(values[k])) {
      isGap = true;
      continue;
    }
    path += `${isGap ? 'M' : 'L'}${px(xOf(frame, k))} ${px(yOf(frame, values[k]))}`;
    isGap = false;
  }
  if (path) parts.push(`<path class="line l${index % LINE_STYLES}" d="${path}"/>`);
  return parts;
}

function legend({ width, height }: Frame, text: string, index: number): string {
  const x = LEFT + (index % 2) * ((width - LEFT) / 2);
  const y = height + 4 + Math.floor(index / 2) * 16;
  return `<path class="line l${index % LINE_STYLES}" d="M${px(x)} ${px(y - 4)}h26"/>${label(x + 32, y, text)}`;
}
