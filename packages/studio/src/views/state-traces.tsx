/** Traces of a state over time, with the brush of LSTMVis: a range of steps selects the units that are active in the whole range. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { contextOf } from '../charts/context.js';
import { formatNumber } from '../charts/format-number.js';
import { cellColors, ink } from '../charts/palette.js';
import type { LayerValues } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';
import { activeUnits } from './order.js';

/** The brushed range of steps; null: none. */
export const brush = signal<readonly [number, number] | null>(null);
/** Smallest absolute value of an active unit. */
const level = signal(0.3);
/** True: the units may also be active just before and after the range. */
const loose = signal(true);
const state = signal('');

export function StateTraces({ layer }: { layer: LayerValues }) {
  const names = Object.keys(layer.states);
  const name = names.includes(state.value)
    ? state.value
    : (names.find((option) => option === 'c') ?? names[0]);
  const values = layer.states[name];
  const steps = values.length / layer.units;
  const range = brush.value && ([Math.min(...brush.value), Math.max(...brush.value)] as const);
  const found = range ? activeUnits(values, steps, layer.units, range, level.value, loose.value) : [];
  return (
    <>
      <TraceOptions names={names} name={name} />
      <Traces {...{ values, steps, found, name }} units={layer.units} level={level.value} />
      <p class="readout" id="brushed" aria-live="polite">
        {range
          ? t('activeUnits', {
              from: range[0] + 1,
              to: range[1] + 1,
              count: found.length,
              total: layer.units,
            })
          : t('brushHint')}
      </p>
      <div class="chips">
        {found.slice(0, 40).map((unit) => (
          <button
            key={unit}
            type="button"
            aria-pressed={store.unit.value === unit}
            onClick={() => (store.unit.value = unit)}
          >
            {unit + 1}
          </button>
        ))}
      </div>
    </>
  );
}

function TraceOptions({ names, name }: { names: readonly string[]; name: string }) {
  return (
    <div class="options">
      <label>
        {t('state')}
        <select id="state" value={name} onChange={(event) => (state.value = event.currentTarget.value)}>
          {names.map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      </label>
      <label>
        {t('activeAbove')} <b class="value">{formatNumber(level.value)}</b>
        <input
          type="range"
          id="on-level"
          min={0}
          max={1}
          step={0.01}
          value={level.value}
          onInput={(event) => (level.value = Number(event.currentTarget.value))}
        />
      </label>
      <label>
        <input
          type="checkbox"
          id="on-exact"
          checked={!loose.value}
          onChange={() => (loose.value = !loose.value)}
        />
        {t('onlyInRange')}
      </label>
    </div>
  );
}

interface TracesProps {
  values: Float32Array;
  steps: number;
  units: number;
  name: string;
  found: readonly number[];
  level: number;
}

const HEIGHT = 190;

function Traces(props: TracesProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dragging = useRef(false);
  const { steps } = props;
  useEffect(() => {
    if (canvas.current) drawTraces(canvas.current, props);
  });
  const stepAt = (event: PointerEvent): number => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return Math.max(0, Math.min(steps - 1, Math.floor(((event.clientX - box.left) / box.width) * steps)));
  };
  const key = (event: KeyboardEvent): void => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === 'Escape') brush.value = null;
    if (!move) return;
    event.preventDefault();
    const [from, to] = brush.value ?? [store.step.value, store.step.value];
    const next = Math.max(0, Math.min(steps - 1, (event.shiftKey ? to : from) + move));
    brush.value = event.shiftKey ? [from, next] : [next, next];
  };
  return (
    <canvas
      ref={canvas}
      id="state-traces"
      class="heat"
      style={{ height: `${HEIGHT}px` }}
      tabIndex={0}
      role="img"
      aria-label={`${t('tracesTitle')} ${props.name}. ${t('brushHint')}`}
      onPointerDown={(event) => {
        dragging.current = true;
        (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
        brush.value = [stepAt(event), stepAt(event)];
      }}
      onPointerMove={(event) => {
        if (dragging.current && brush.value) brush.value = [brush.value[0], stepAt(event)];
      }}
      onPointerUp={() => {
        dragging.current = false;
      }}
      onKeyDown={key}
    />
  );
}

function drawTraces(
  canvas: HTMLCanvasElement,
  { values, steps, units, found, level: threshold }: TracesProps,
): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(HEIGHT * ratio)];
  Object.assign(canvas, { width, height });
  const context = contextOf(canvas);
  const { text, faint, grid, panel } = ink.value;
  const limit =
    values.reduce((most, value) => Math.max(most, Math.abs(value)), Math.max(threshold, 0.05)) * 1.05;
  const y = (value: number): number => height / 2 - (value / limit) * (height / 2);
  context.fillStyle = panel;
  context.fillRect(0, 0, width, height);
  if (brush.value) {
    const [from, to] = [Math.min(...brush.value), Math.max(...brush.value) + 1];
    context.fillStyle = grid;
    context.fillRect((from / steps) * width, 0, ((to - from) / steps) * width, height);
  }
  const trace = (unit: number, color: string, thickness: number, alpha: number): void => {
    Object.assign(context, { strokeStyle: color, lineWidth: thickness * ratio, globalAlpha: alpha });
    context.beginPath();
    for (let t = 0; t < steps; t++) context.lineTo(((t + 0.5) / steps) * width, y(values[t * units + unit]));
    context.stroke();
    context.globalAlpha = 1;
  };
  const selected = new Set(found);
  for (let unit = 0; unit < units; unit++)
    if (!selected.has(unit)) trace(unit, faint, 0.75, found.length > 0 ? 0.2 : 0.5);
  for (const unit of found) trace(unit, cellColors.value[store.cell.value], 1.5, 0.9);
  if (store.unit.value !== null && store.unit.value < units) trace(store.unit.value, text, 2.5, 1);
  Object.assign(context, { strokeStyle: text, lineWidth: ratio });
  context.setLineDash([3 * ratio, 4 * ratio]);
  for (const value of [threshold, -threshold, 0]) {
    context.globalAlpha = value === 0 ? 0.4 : 0.7;
    context.beginPath();
    context.moveTo(0, y(value));
    context.lineTo(width, y(value));
    context.stroke();
  }
  context.globalAlpha = 1;
}
