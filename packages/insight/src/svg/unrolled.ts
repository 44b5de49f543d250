/** `unrolledFigure`: the network unrolled over time, with the numbers of one sequence in it. */
import { shapeError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { DataArray } from '../arrays.js';
import type { LayerTrace, Trace } from '../trace.js';
import { colorOf, heatMap, label, px, shortNumber, svg } from './draw.js';

export interface UnrolledFigureOptions {
  /** Index of the sequence. Default 0. */
  row?: number;
  /** First step. Default: so that the last step is drawn. */
  from?: number;
  /** Number of steps. Default 8. */
  steps?: number;
  /** Texts of the inputs by step, such as words. Default: the numbers of the input, if the trace has them. */
  inputs?: readonly string[];
  title?: string;
  /** Width in pixels. Default 760. */
  width?: number;
}

const [LEFT, TOP, GAP, BOX, LAYER] = [88, 44, 16, 66, 104];

/**
 * Draws a traced model unrolled over time as SVG: a column for each step, a row of boxes for each recurrent layer. A box has the
 * output h as coloured cells, its norm, and the mean of each gate; arrows carry the state to the next step.
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
  const count = Math.min(T, options.steps ?? 8);
  const from = options.from ?? T - count;
  if (from + count > T) throw shapeError(`unrolledFigure: from must be at most ${T - count}, got ${from}.`);
  const layers = trace.layers.filter((layer) => statesOf(layer).shape[1] === T);
  const height = TOP + layers.length * LAYER + 78;
  const columnWidth = (width - LEFT - 8) / count;
  const title = options.title ?? `Steps ${from + 1} to ${from + count} of ${T}`;
  const x = (n: number): number => LEFT + n * columnWidth;
  const yOf = (l: number): number => TOP + 26 + (layers.length - 1 - l) * LAYER;
  const parts: string[] = [label(8, 20, title, 'title'), label(8, TOP + 14, 'output', 'soft')];
  layers.forEach((layer, l) => {
    parts.push(...layerNames(layer, yOf(l)));
    for (let n = 0; n < count; n++) {
      const area = { x: x(n), y: yOf(l), width: columnWidth - GAP };
      parts.push(box(layer, row, from + n, area), arrows(layer, area, n < count - 1, l));
    }
  });
  const bottom = TOP + 26 + layers.length * LAYER;
  parts.push(label(8, bottom + 6, 'input', 'soft'), label(8, bottom + 26, 'step', 'soft'));
  for (let n = 0; n < count; n++) {
    const center = x(n) + (columnWidth - GAP) / 2;
    const texts = [options.inputs?.[from + n] ?? inputText(first, row, from + n), String(from + n + 1)];
    parts.push(
      label(center, bottom + 6, clip(texts[0], columnWidth), 'num middle'),
      label(center, bottom + 26, texts[1], 'soft num middle'),
    );
    parts.push(label(center, TOP + 14, clip(outputText(trace, row, from + n, T), columnWidth), 'num middle'));
  }
  return svg(width, height, title, parts);
}

/** Returns the first state of a layer: the output h of built-in cells. */
function statesOf({ states }: LayerTrace): DataArray {
  return states.h ?? Object.values(states).at(-1) ?? { shape: [0, 0, 0], values: new Float64Array() };
}

const clip = (text: string, width: number): string => {
  const most = Math.max(3, Math.floor(width / 6));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
};

function layerNames({ layer, className, units }: LayerTrace, y: number): string[] {
  return [
    label(8, y + 18, clip(layer.slice(layer.lastIndexOf('/') + 1), LEFT)),
    label(8, y + 34, className, 'soft num'),
    label(8, y + 48, `${units} units`, 'soft num'),
  ];
}

/** Most cells of the strip of h in a box. */
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

/** Draws the arrow from the layer below and, if `carries`, the one that carries the state to the next step. */
function arrows({ reverse }: LayerTrace, { x, y, width }: Area, carries: boolean, l: number): string {
  const center = px(x + width / 2);
  const bottom = y + BOX;
  const up = `<path class="arrow" d="M${center} ${px(y + LAYER - (l === 0 ? 8 : 0))}V${px(bottom + 2)}m-3 5l3 -5l3 5"/>`;
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

function outputText({ outputs: [output] }: Trace, row: number, t: number, T: number): string {
  if (!output) return '';
  const { shape, values } = output;
  const hasTime = shape.length >= 3 && shape[1] === T;
  if (!hasTime && t < T - 1) return '';
  const D = hasTime ? values.length / (shape[0] * T) : values.length / shape[0];
  const start = hasTime ? (row * T + t) * D : row * D;
  const list = Array.from(values.slice(start, start + Math.min(D, 3)), shortNumber);
  return list.join(' ') + (D > 3 ? ' …' : '');
}
