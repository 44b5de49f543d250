/** The view of hidden states: their projection with trajectories, saturation, half-lives, weights, and ablation. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { contextOf } from '../charts/context.js';
import { formatNumber } from '../charts/format-number.js';
import { cellColors, colorTable, cssColor, ink, isDark } from '../charts/palette.js';
import type { ProjectionValues, SaturationValues } from '../engine/protocol.js';
import type { TensorInfo } from '../engine/tensors.js';
import { t } from '../i18n/index.js';
import { ask } from '../state/actions.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { currentSnapshot, Panel, Pickers, Waiting } from '../ui/panel.js';
import { AblationPanel } from './ablation.js';
import { Histogram, TensorTable } from './histograms.js';

export function StatesView() {
  const values = currentSnapshot()?.values;
  const name = cellName(store.cell.value);
  return (
    <>
      <Panel title={t('projectionTitle', { cell: name })} hint={t('projectionHint')} id="projection">
        <Pickers step />
        {values?.projection ? <Projection projection={values.projection} /> : <Waiting />}
      </Panel>
      <Panel title={t('saturationTitle', { cell: name })} hint={t('saturationHint')} id="saturation">
        {values?.saturation ? (
          values.saturation.map((layer) => <Saturation key={layer.layer} layer={layer} />)
        ) : (
          <Waiting />
        )}
      </Panel>
      <AblationPanel />
      <Panel title={t('weightsTitle', { cell: name })} id="weights" wide>
        <Weights />
      </Panel>
    </>
  );
}

const PROJECTION_HEIGHT = 340;

function Projection({ projection }: { projection: ProjectionValues }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = isDark.value;
  const { value: step } = store.step;
  useEffect(() => {
    if (canvas.current) drawProjection(canvas.current, projection, step, dark);
  });
  const [first, second] = projection.explained.map((share) => `${Math.round(100 * share)} %`);
  return (
    <>
      <canvas
        ref={canvas}
        class="heat"
        style={{ height: `${PROJECTION_HEIGHT}px` }}
        role="img"
        aria-label={t('explained', { first, second })}
      />
      <p class="readout">{t('explained', { first, second })}</p>
    </>
  );
}

/** Draws the points of all examples, coloured by step from dark to light, and the trajectory of the selected example. */
function drawProjection(
  canvas: HTMLCanvasElement,
  { points, steps }: ProjectionValues,
  step: number,
  dark: boolean,
): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(PROJECTION_HEIGHT * ratio)];
  Object.assign(canvas, { width, height });
  const context = contextOf(canvas);
  const { low, high } = boundsOf(points);
  const margin = 12 * ratio;
  const pixelOf = (n: number, axis: 0 | 1): number => {
    const share = (points[2 * n + axis] - low[axis]) / (high[axis] - low[axis] || 1);
    return axis === 0
      ? margin + share * (width - 2 * margin)
      : height - margin - share * (height - 2 * margin);
  };
  const table = colorTable('sequential', dark);
  const dot = (n: number, radius: number): void => {
    context.beginPath();
    context.arc(pixelOf(n, 0), pixelOf(n, 1), radius * ratio, 0, 2 * Math.PI);
    context.fill();
  };
  const count = points.length / 2;
  context.globalAlpha = 0.6;
  for (let n = 0; n < count; n++) {
    context.fillStyle = cssColor(table[Math.round((255 * (n % steps)) / Math.max(1, steps - 1))]);
    dot(n, 2.2);
  }
  context.globalAlpha = 1;
  Object.assign(context, { strokeStyle: cellColors.value[store.cell.value], lineWidth: 1.75 * ratio });
  context.beginPath();
  for (let n = 0; n < steps; n++) context.lineTo(pixelOf(n, 0), pixelOf(n, 1));
  context.stroke();
  context.fillStyle = ink.value.mark;
  dot(Math.min(step, steps - 1), 5);
}

function boundsOf(points: Float32Array): { low: [number, number]; high: [number, number] } {
  const low: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high: [number, number] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  points.forEach((value, n) => {
    const axis = (n % 2) as 0 | 1;
    low[axis] = Math.min(low[axis], value);
    high[axis] = Math.max(high[axis], value);
  });
  return { low, high };
}

function Saturation({ layer: { layer, units, gates, dead, halfLife } }: { layer: SaturationValues }) {
  return (
    <div class="saturation" data-layer={layer}>
      <b>{layer}</b>
      {Object.entries(gates).map(([name, { low, high }]) => (
        <div key={name} class="meter" data-gate={name}>
          <i>{name}</i>
          <span
            class="meter-bar"
            role="img"
            aria-label={t('saturationOf', { gate: name, low: percent(low), high: percent(high) })}
          >
            <span class="low" style={{ width: width(low) }} />
            <span class="high" style={{ width: width(high) }} />
          </span>
          <small>{t('saturationOf', { gate: name, low: percent(low), high: percent(high) })}</small>
        </div>
      ))}
      {Object.keys(gates).length === 0 && <p class="hint">{t('noGates')}</p>}
      <p class="readout">{t('deadUnits', { count: dead.length, total: units })}</p>
      {halfLife && <HalfLives values={halfLife} />}
    </div>
  );
}

const width = (share: number): string => `${Math.round(100 * share)}%`;
const percent = (share: number): string => `${Math.round(100 * share)} %`;
/** Upper ends of the bins of half-lives, in steps. */
const EDGES = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144];

function HalfLives({ values }: { values: Float32Array }) {
  const counts = new Array<number>(EDGES.length + 1).fill(0);
  for (const value of values) {
    const bin = EDGES.findIndex((edge) => value < edge);
    counts[bin < 0 ? EDGES.length : bin]++;
  }
  const sorted = [...values].sort((a, b) => a - b);
  return (
    <>
      <p class="readout">
        {t('halfLife', {
          median: formatNumber(sorted[Math.floor(sorted.length / 2)]),
          most: formatNumber(sorted[sorted.length - 1]),
        })}
      </p>
      <Histogram counts={counts} />
      <small>{t('halfLifeBins', { edges: EDGES.join(', ') })}</small>
    </>
  );
}

const weights = signal<{ key: string; tensors: readonly TensorInfo[] } | null>(null);

function Weights() {
  const { value: cell } = store.cell;
  const key = `${cell} ${currentSnapshot()?.update ?? 0}`;
  useEffect(() => {
    let stale = false;
    ask<TensorInfo[]>({ about: 'histograms', cell }).then(
      (tensors) => {
        if (!stale) weights.value = { key, tensors };
      },
      () => {},
    );
    return () => {
      stale = true;
    };
  }, [key]);
  return weights.value ? <TensorTable tensors={weights.value.tensors} /> : <Waiting />;
}
