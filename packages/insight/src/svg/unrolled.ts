/** `unrolledFigure`: the network unrolled over time, with the values for one sequence. */
import { shapeError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { type DataArray, outputStates } from '../arrays.js';
import type { LayerTrace, Trace } from '../trace.js';
import { type Position, positionsOf } from './branches.js';
import { colorOf, heatMap, label, px, shortNumber, svg } from './draw.js';

export interface UnrolledFigureOptions {
  /** Index of the sequence. Default 0. */
  row?: number;
  /** Index of the first drawn step. Default: the drawn steps end with the last step. */
  from?: number;
  /** Number of steps; fewer are drawn if there are parallel branches. Default 8. */
  steps?: number;
  /** Texts of the inputs by step, such as words. Default: the first numbers of each input, if the trace contains the inputs. */
  inputs?: readonly string[];
  title?: string;
  /** Width in pixels. Default 760. */
  width?: number;
}

/** In pixels: width of layer names, top margin, gap between boxes, height of a box, and of a layer with its arrows. */
const [NAMES, TOP, GAP, BOX, LAYER] = [80, 44, 16, 66, 104];

/**
 * Draws a traced model unrolled over time as SVG: a column for each step, a row of boxes for each recurrent layer. Parallel
 * branches are drawn side by side, with fewer steps. A box shows the output h as coloured cells, the norm of h, and the mean of
 * each of the first four gates; arrows show how the state passes from step to step.
 * @throws UnrollError `shape` for a row or steps outside of the trace, `value` if the trace has no recurrent layer
 */
export function unrolledFigure(trace: Trace, options: UnrolledFigureOptions = {}): string {
  checkOptions('unrolledFigure', options, {
    ...{ row: 'nonNegativeInteger', from: 'nonNegativeInteger', steps: 'count', inputs: 'array' },
    ...{ title: 'string', width: 'number' },
  } as const);
  const [first] = trace.layers;
  if (!first) throw valueError('unrolledFigure: the trace has no recurrent layer.');
  const { row = 0, width = 760 } = options;
  const [batch, T] = statesOf(first).shape;
  if (row >= batch)
    throw shapeError(`unrolledFigure: row must be below ${batch}, the number of sequences, got ${row}.`);
  const layers = trace.layers.filter((layer) => statesOf(layer).shape[1] === T);
  const positions = positionsOf(layers);
  const maxSteps = Math.min(T, options.steps ?? 8);
  // Parallel branches share the width, so there is room for fewer steps.
  const narrowest = Math.min(...positions.map(({ left, right }) => right - left));
  const count = Math.min(maxSteps, Math.max(2, Math.floor(maxSteps * narrowest)));
  if (options.from !== undefined && options.from + count > T)
    throw shapeError(`unrolledFigure: from must be at most ${T - count}, got ${options.from}.`);
  const steps = { row, from: options.from ?? T - count, count, T };
  const levels = 1 + Math.max(...positions.map(({ level }) => level));
  const title = options.title ?? `Steps ${steps.from + 1} to ${steps.from + count} of ${T}`;
  const y = (level: number): number => TOP + 26 + (levels - 1 - level) * LAYER;
  const parts: string[] = [label(8, 20, title, 'title'), label(8, TOP + 14, 'output', 'soft')];
  const outputs = outputsOf(trace, layers);
  layers.forEach((layer, n) => {
    const { level } = positions[n];
    const columns = columnsOf(positions[n], width, count);
    parts.push(...layerRow(layer, steps, columns, y(level), level === 0));
    const output = outputs.get(layer);
    if (output) parts.push(...outputRow(output, layer, steps, columns));
    if (level === 0) parts.push(...inputRow(layer, steps, columns, y(-1), options.inputs));
  });
  return svg(width, TOP + levels * LAYER + 78, title, parts);
}

/** The steps that are drawn. */
interface Steps {
  /** Index of the sequence. */
  row: number;
  /** First step. */
  from: number;
  count: number;
  /** Number of steps of the trace. */
  T: number;
}

/** The columns of a layer: one per step, on the right of its names. */
interface Columns {
  /** Left edge of the names. */
  names: number;
  /** Left edge of the first column. */
  start: number;
  /** Distance from one column to the next. */
  pitch: number;
}

function columnsOf({ left, right }: Position, width: number, count: number): Columns {
  const names = 8 + left * (width - 16);
  const start = names + NAMES;
  return { names, start, pitch: ((right - left) * (width - 16) - NAMES) / count };
}

function layerRow(layer: LayerTrace, steps: Steps, columns: Columns, y: number, isLowest: boolean): string[] {
  const { names, start, pitch } = columns;
  const parts = layerNames(layer, names, y);
  for (let n = 0; n < steps.count; n++) {
    const area = { x: start + n * pitch, y, width: pitch - GAP };
    parts.push(box(layer, steps.row, steps.from + n, area));
    parts.push(arrows(layer, area, n < steps.count - 1, isLowest));
  }
  return parts;
}

function inputRow(
  layer: LayerTrace,
  { row, from, count }: Steps,
  { names, start, pitch }: Columns,
  y: number,
  texts: readonly string[] | undefined,
): string[] {
  const parts = [label(names, y + 6, 'input', 'soft'), label(names, y + 26, 'step', 'soft')];
  for (let n = 0; n < count; n++) {
    const center = start + n * pitch + (pitch - GAP) / 2;
    const text = texts?.[from + n] ?? inputText(layer, row, from + n);
    parts.push(label(center, y + 6, clip(text, pitch), 'num middle'));
    parts.push(label(center, y + 26, String(from + n + 1), 'soft num middle'));
  }
  return parts;
}

/**
 * Returns the output to draw above each top layer (a layer that no other layer reads). If there are as many outputs as top layers,
 * each of these layers has its own output. Otherwise, only the first output is drawn, above the first top layer.
 */
function outputsOf({ outputs }: Trace, layers: readonly LayerTrace[]): Map<LayerTrace, DataArray> {
  const read = new Set(layers.flatMap(({ from }) => from));
  const topLayers = layers.filter(({ layer }) => !read.has(layer));
  const perBranch = outputs.length === topLayers.length;
  return new Map(
    topLayers.flatMap((layer, n) => (perBranch || n === 0 ? [[layer, outputs[n]] as const] : [])),
  );
}

function outputRow(
  output: DataArray,
  { returnSequences }: LayerTrace,
  { row, from, count, T }: Steps,
  { start, pitch }: Columns,
): string[] {
  const perStep = returnSequences && output.shape.length >= 3 && output.shape[1] === T;
  return Array.from({ length: count }, (_, n) => {
    const center = start + n * pitch + (pitch - GAP) / 2;
    if (!perStep && from + n < T - 1) return '';
    const [outputIndex, rows] = perStep ? [row * T + from + n, output.shape[0] * T] : [row, output.shape[0]];
    const text = rowText(output, outputIndex, rows, pitch);
    return label(center, TOP + 14, text, 'num middle');
  });
}

function statesOf({ states }: LayerTrace): DataArray {
  return outputStates(states) ?? { shape: [0, 0, 0], values: new Float64Array() };
}

const clip = (text: string, width: number): string => {
  const maxCharacters = Math.max(3, Math.floor(width / 6));
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters - 1)}…` : text;
};

function layerNames({ layer, className, units }: LayerTrace, x: number, y: number): string[] {
  return [
    label(x, y + 18, clip(layer.slice(layer.lastIndexOf('/') + 1), NAMES)),
    label(x, y + 34, className, 'soft num'),
    label(x, y + 48, `${units} units`, 'soft num'),
  ];
}

/** Largest number of cells in the strip that shows h in a box. */
const MAX_CELLS = 24;

interface Area {
  x: number;
  y: number;
  width: number;
}

function box(layer: LayerTrace, row: number, t: number, { x, y, width }: Area): string {
  const { shape, values } = statesOf(layer);
  const [, T, H] = shape;
  const isMasked = layer.mask?.values[row * T + t] === 0;
  const h = Array.from({ length: H }, (_, u) => values[(row * T + t) * H + u]);
  const cells = Math.min(H, MAX_CELLS);
  const strip = Array.from({ length: cells }, (_, c) => {
    const part = h.slice(Math.floor((c * H) / cells), Math.floor(((c + 1) * H) / cells));
    return colorOf(part.reduce((sum, value) => sum + value, 0) / part.length, -1, 1);
  });
  const norm = Math.sqrt(h.reduce((sum, value) => sum + value * value, 0));
  const gates = Object.entries(layer.gates).filter(([, gate]) => gate.shape[2] > 0);
  const texts = gates
    .slice(0, 4)
    .map(([name, gate]) => `${name} ${meanAt(gate, row, t).toFixed(2).replace('0.', '.')}`);
  const parts = [
    `<rect class="box" x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${BOX}" rx="4"${isMasked ? ' opacity="0.4"' : ''}/>`,
    heatMap({ x: x + 4, y: y + 5, width: width - 8, height: 10 }, [strip]),
    label(x + width / 2, y + 28, isMasked ? 'masked' : `|h| ${shortNumber(norm)}`, 'num middle'),
  ];
  const pairs = [texts.slice(0, 2), texts.slice(2, 4)].filter((pair) => pair.length > 0);
  if (isMasked) return parts.join('');
  for (const [i, pair] of pairs.entries())
    parts.push(label(x + width / 2, y + 43 + 14 * i, clip(pair.join('  '), width + 30), 'soft num middle'));
  return parts.join('');
}

function meanAt({ shape, values }: DataArray, row: number, t: number): number {
  const [, T, H] = shape;
  let sum = 0;
  for (let u = 0; u < H; u++) sum += values[(row * T + t) * H + u];
  return sum / H;
}

/** Draws the arrow from the layer below and, if `carries`, the arrow that leads the state to the next step. */
function arrows({ reverse }: LayerTrace, { x, y, width }: Area, carries: boolean, isLowest: boolean): string {
  const center = px(x + width / 2);
  const bottom = y + BOX;
  const up = `<path class="arrow" d="M${center} ${px(y + LAYER - (isLowest ? 8 : 0))}V${px(bottom + 2)}m-3 5l3 -5l3 5"/>`;
  const middle = px(y + BOX / 2);
  const right = x + width;
  const forward = `<path class="arrow" d="M${px(right)} ${middle}h${GAP - 2}m-5 -3l5 3l-5 3"/>`;
  const backward = `<path class="arrow" d="M${px(right + GAP - 1)} ${middle}h${-(GAP - 3)}m5 -3l-5 3l5 3"/>`;
  return up + (carries ? (reverse ? backward : forward) : '');
}

function inputText({ x }: LayerTrace, row: number, t: number): string {
  if (!x) return '';
  const [, T, I] = x.shape;
  const values = Array.from({ length: Math.min(I, 3) }, (_, i) =>
    shortNumber(x.values[(row * T + t) * I + i]),
  );
  return values.join(' ') + (I > 3 ? ' …' : '');
}

/** Returns up to 3 numbers from the start of a row, as many as fit into the width. */
function rowText({ values }: DataArray, row: number, rows: number, width: number): string {
  const D = values.length / rows;
  const list = Array.from(values.slice(row * D, row * D + Math.min(D, 3)), shortNumber);
  const text = (count: number): string => list.slice(0, count).join(' ') + (D > count ? ' …' : '');
  let count = list.length;
  while (count > 1 && text(count).length > width / 6) count--;
  return text(count);
}
