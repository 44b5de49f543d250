/** A chart of live curves, drawn by uPlot. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { t } from '../i18n/index.js';
import { download } from '../ui/download.js';
import { formatNumber } from './format-number.js';
import { ink, isDark } from './palette.js';

export interface Line {
  name: string;
  color: string;
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  dash?: readonly number[];
  width?: number;
  /** Points instead of a line. */
  points?: boolean;
}

export interface LineChartProps {
  label: string;
  lines: readonly Line[];
  xLabel: string;
  yLabel: string;
  height: number;
  log?: boolean;
  /** Fixed range of y. Default: the range of the values. */
  range?: readonly [number, number];
  /** Format of the values on the axis and in the legend. */
  format?: (value: number) => string;
}

export function LineChart(props: LineChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  // The series of a uPlot chart are fixed, so a change of this key creates a new chart.
  const key = JSON.stringify([
    props.lines.map(({ name, color }) => [name, color]),
    props.log,
    props.yLabel,
    isDark.value,
  ]);
  useEffect(() => {
    if (!container.current) return;
    const chart = new uPlot(
      optionsOf(props, container.current.clientWidth),
      dataOf(props),
      container.current,
    );
    plot.current = chart;
    const observer = new ResizeObserver(([{ contentRect }]) => {
      chart.setSize({ width: Math.max(160, contentRect.width), height: props.height });
    });
    observer.observe(container.current);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [key, props.height]);
  useEffect(() => plot.current?.setData(dataOf(props)));
  const save = async (): Promise<void> => {
    const { lineSvg } = await import('./line-svg.js');
    download(`${props.label}.svg`, lineSvg(props), 'image/svg+xml');
  };
  return (
    <div class="chart-frame">
      <div ref={container} class="chart" role="img" aria-label={`${props.label}. ${summaryOf(props)}`} />
      <button
        type="button"
        class="save-figure"
        aria-label={t('saveFigure', { name: props.label })}
        onClick={() => void save()}
      >
        SVG
      </button>
    </div>
  );
}

/** Returns the latest value of each line, for screen readers. */
const summaryOf = ({ lines }: LineChartProps): string =>
  lines
    .map(({ name, y }) => {
      // The end of a curve can be NaN: a curve over lags has values only up to the longest sequence.
      const last = Array.from(y).findLast(Number.isFinite);
      return last === undefined ? name : `${name} ${formatNumber(last)}`;
    })
    .join(', ');

/** Limits of the values on a logarithmic axis. A gradient through a hundred steps can be smaller than 1e-40. */
const [SMALLEST, LARGEST] = [1e-15, 1e15];

function dataOf({ lines, log }: LineChartProps): uPlot.AlignedData {
  if (lines.length === 0) return [[], []];
  // A logarithmic axis cannot show 0, and uPlot computes no ticks for very small values, such as 1e-30.
  const positive = (y: ArrayLike<number>) =>
    log ? Array.from(y, (value) => (value > SMALLEST && value < LARGEST ? value : null)) : Array.from(y);
  return uPlot.join(lines.map(({ x, y }) => [Array.from(x), positive(y)] as uPlot.AlignedData));
}

/** Whole numbers as distances between ticks. */
const WHOLE = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((power) => [power, 2 * power, 5 * power]);

function optionsOf(props: LineChartProps, width: number): uPlot.Options {
  const { text, grid } = ink.value;
  const format = props.format ?? formatNumber;
  const axis = {
    stroke: text,
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid },
    font: '12px system-ui',
  };
  const labelled = { labelFont: '12px system-ui', labelSize: 18 };
  return {
    width: Math.max(160, width),
    height: props.height,
    scales: {
      x: { time: false },
      y: {
        ...(props.log && { distr: 3 }),
        ...(props.range && { range: [...props.range] as [number, number] }),
      },
    },
    axes: [
      {
        ...{ ...axis, ...labelled, label: props.xLabel, size: 34 },
        // Updates, steps and lags are whole numbers.
        ...(props.lines.every(({ points }) => !points) && { incrs: WHOLE }),
      },
      {
        ...{ ...axis, ...labelled, label: props.yLabel },
        size: (_, texts) => Math.max(54, 16 + 7 * Math.max(0, ...(texts ?? []).map(({ length }) => length))),
        values: (_, splits) => splits.map((value) => (value === null ? '' : format(value))),
      },
    ],
    series: [
      { label: props.xLabel, value: (_, value) => (value === null ? '' : formatNumber(value)) },
      ...props.lines.map(({ name, color, dash, width: thickness = 1.75, points }) => ({
        ...{ label: name, stroke: color, width: points ? 0 : thickness, spanGaps: true },
        ...(dash && { dash: [...dash] }),
        points: points ? { show: true, size: 5, fill: color, stroke: color } : { show: false },
        value: (_: uPlot, value: number | null) => (value === null ? '' : format(value)),
      })),
    ],
    cursor: { drag: { x: true, y: false } },
    legend: { live: true },
  };
}
