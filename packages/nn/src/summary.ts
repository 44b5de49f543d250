/** The summary of a model: a table of 80 columns. */
import type { Shape } from '@unroll/core';
import type { Layer } from './layer.js';
import type { Network } from './network.js';

export interface SummaryRow {
  layer: Layer;
  /** Shapes of the outputs; null: unknown. */
  shapes: readonly Shape[] | null;
  /** Names of the layers whose outputs this one takes; empty: the previous layer. */
  from: readonly string[];
}

const WIDTH = 80;
const count = (value: number): string => value.toLocaleString('en-US');

export function summaryTable(model: Network): string {
  if (!model.built && model.inputShapes) model.build(model.inputShapes);
  const rows = model.summaryRows();
  const joined = rows.some((row) => row.from.length > 0);
  const widths = joined ? [26, 20, 11, 23] : [37, 29, 14];
  const titles = ['Layer (type)', 'Output shape', 'Parameters', 'From'];
  const line = (cells: readonly string[]): string =>
    widths
      .map((width, i) => (i === 2 ? `${cells[i].padStart(width - 1)} ` : fit(cells[i] ?? '', width)))
      .join('')
      .trimEnd();
  const seen = new Set<Layer>();
  const body = rows.map(({ layer, shapes, from }) => {
    const again = seen.has(layer);
    seen.add(layer);
    const parameters = again ? 'shared' : layer.built ? count(layer.countParams()) : '?';
    return line([`${layer.name} (${layer.className})`, shapesText(shapes), parameters, from.join(', ')]);
  });
  return [
    `${model.label} (${model.className})`,
    '─'.repeat(WIDTH),
    line(titles),
    '─'.repeat(WIDTH),
    ...body,
    '─'.repeat(WIDTH),
    totals(model),
  ].join('\n');
}

/** The layers of a model in their order. */
export function rowsInOrder({ layers, inputShapes }: Network): SummaryRow[] {
  let shapes = inputShapes;
  return layers.map((layer) => {
    shapes = shapes && layer.outputShapes(shapes);
    return { layer, shapes, from: [] };
  });
}

function totals(model: Layer): string {
  if (!model.built) return 'Not built yet: parameters are created when the shape of the input is known.';
  const trained = model.parameters.filter((parameter) => parameter.trainable);
  const trainable = trained.reduce((total, parameter) => total + parameter.size, 0);
  const total = model.countParams();
  const bytes = total * 4;
  const size = bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `Parameters: ${count(total)} (${size}); trainable ${count(trainable)}, not trainable ${count(total - trainable)}`;
}

function shapesText(shapes: readonly Shape[] | null): string {
  if (shapes === null) return '?';
  const [first, ...more] = shapes;
  const text = `[${first.map((extent) => (extent === -1 ? '·' : extent)).join(', ')}]`;
  return more.length > 0 ? `${text} +${more.length}` : text;
}

/** Truncates or pads text to the width, with a space at the end. */
function fit(text: string, width: number): string {
  return text.length < width ? text.padEnd(width) : `${text.slice(0, width - 2)}… `;
}
