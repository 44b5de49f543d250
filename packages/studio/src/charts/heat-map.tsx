/** A heat map of units by steps on a canvas, with a selected cell that the pointer and the arrow keys move. */
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/index.js';
import { contextOf } from './context.js';
import { type HeatValues, paintHeat } from './paint.js';
import { colorTable, ink, isDark, type Scale } from './palette.js';

export interface HeatMapProps extends HeatValues {
  label: string;
  scale: Scale;
  height: number;
  /** The selected step and unit, marked by frames; null: none. */
  step: number | null;
  unit: number | null;
  onPick(step: number, unit: number): void;
}

export function HeatMap(props: HeatMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const painted = useRef<Painted | null>(null);
  const dark = isDark.value;
  useEffect(() => {
    if (canvas.current) draw(canvas.current, props, dark, painted);
  });
  const isPressed = useRef(false);
  const cellAt = (event: PointerEvent) => positionOf(event, props);
  return (
    <canvas
      ref={canvas}
      class="heat"
      style={{ height: `${props.height}px` }}
      tabIndex={0}
      role="img"
      aria-label={`${props.label}. ${t('heatKeys')}`}
      onPointerDown={(event) => {
        const { step, unit } = cellAt(event);
        isPressed.current = true;
        (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
        props.onPick(step, unit);
      }}
      onPointerMove={(event) => {
        const { step, unit } = cellAt(event);
        if (!isPressed.current && event.pointerType === 'mouse') props.onPick(step, unit);
      }}
      onPointerUp={() => {
        isPressed.current = false;
      }}
      onKeyDown={(event) => moveByKey(event, props)}
    />
  );
}

function positionOf(event: PointerEvent, { steps, order }: HeatMapProps): { step: number; unit: number } {
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const clamp = (share: number, count: number): number =>
    Math.max(0, Math.min(count - 1, Math.floor(share * count)));
  return {
    step: clamp((event.clientX - box.left) / box.width, steps),
    unit: order[clamp((event.clientY - box.top) / box.height, order.length)],
  };
}

const MOVES: Readonly<Record<string, readonly [number, number]>> = {
  ...{ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] },
  ...{ PageUp: [-10, 0], PageDown: [10, 0] },
};

function moveByKey(event: KeyboardEvent, { steps, order, step, unit, onPick }: HeatMapProps): void {
  const move = MOVES[event.key];
  if (!move) return;
  event.preventDefault();
  const from = step ?? 0;
  const next = Math.max(0, Math.min(steps - 1, from + move[0]));
  const row = Math.max(0, Math.min(order.length - 1, Math.max(0, order.indexOf(unit ?? order[0])) + move[1]));
  onPick(next, order[row]);
}

/** The last painted image of the values, one pixel per value, and the data from which it was painted. */
interface Painted {
  canvas: HTMLCanvasElement;
  key: readonly unknown[];
}

/** Draws the heat map. The image of the values is painted again only if the values or their colours have changed. */
function draw(
  canvas: HTMLCanvasElement,
  props: HeatMapProps,
  dark: boolean,
  painted: { current: Painted | null },
): void {
  const { steps, order, values, low, high, threshold, scale, validSteps } = props;
  if (steps === 0 || order.length === 0) return;
  const start = performance.now();
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(props.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const key = [values, order, low, high, threshold, scale, dark, validSteps];
  const isPainted = painted.current?.key.every((value, n) => value === key[n]) ?? false;
  if (!isPainted) {
    const image = new ImageData(steps, order.length);
    const blank = colorTable('diverging', dark)[127];
    paintHeat(props, colorTable(scale, dark), blank, new Uint32Array(image.data.buffer));
    const pixels = painted.current?.canvas ?? document.createElement('canvas');
    Object.assign(pixels, { width: steps, height: order.length });
    contextOf(pixels).putImageData(image, 0, 0);
    painted.current = { canvas: pixels, key };
  }
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = false;
  if (painted.current) context.drawImage(painted.current.canvas, 0, 0, width, height);
  drawMarks(context, props, width, height);
  // For tools/studio-timing.mjs.
  if (!isPainted) canvas.dataset.ms = (performance.now() - start).toFixed(1);
}

function drawMarks(
  context: CanvasRenderingContext2D,
  props: HeatMapProps,
  width: number,
  height: number,
): void {
  const { steps, order, step, unit } = props;
  context.strokeStyle = ink.value.mark;
  context.lineWidth = devicePixelRatio || 1;
  if (step !== null) context.strokeRect((step / steps) * width, -2, width / steps, height + 4);
  const row = unit === null ? -1 : order.indexOf(unit);
  if (row >= 0) context.strokeRect(-2, (row / order.length) * height, width + 4, height / order.length);
}
