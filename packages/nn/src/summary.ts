/** Formats the summary of a model as a table 80 characters wide. */
import type { Shape } from '@unroll/core';
import type { Layer } from './layer.js';
import type { Network } from './network.js';

export interface SummaryRow {
  layer: Layer;
  /** Shapes of the outputs; null if they are unknown. */
  shapes: readonly Shape[] | null;
  /**
   * Names of the layers that compute the inputs of this layer. Empty in a sequential model, where the input of each layer
   * is the output of the previous one.
   */
  from: readonly string[];
}

const WIDTH = 80;
const formatCount = (value: number): string => value.toLocaleString('en-US');

/** Returns the summary of a model. */
export function summaryTable(model: Network): string {
  if (!model.built && model.inputShapes) model.build(model.inputShapes);
  const rows = model.summaryRows();
  const hasFromColumn = rows.some((row) => row.from.length > 0);
  const widths = hasFromColumn ? [26, 20, 11, 23] : [37, 29, 14];
  const titles = ['Layer (type)', 'Output shape', 'Parameters', 'From'];
  const formatRow = (cells: readonly string[]): string =>
    widths
      .map((width, i) => (i === 2 ? `${cells[i].padStart(width - 1)} ` : fit(cells[i] ?? '', width)))
      .join('')
      .trimEnd();
  const listed = new Set<Layer>();
  const body = rows.map(({ layer, shapes, from }) => {
    const isShared = listed.has(layer);
    listed.add(layer);
    const parameters = isShared ? 'shared' : layer.built ? formatCount(layer.countParams()) : '?';
    return formatRow([
      `${layer.name} (${layer.className})`,
      formatShapes(shapes),
      parameters,
      from.join(', '),
    ]);
  });
  return [
    `${model.label} (${model.className})`,
    '─'.repeat(WIDTH),
    formatRow(titles),
    '─'.repeat(WIDTH),
    ...body,
    '─'.repeat(WIDTH),
    totals(model),
  ].join('\n');
}

/** Returns the rows of a sequential model. */
export function sequentialRows({ layers, inputShapes }: Network): SummaryRow[] {
  let shapes = inputShapes;
  return layers.map((layer) => {
    shapes = shapes && layer.outputShapes(shapes);
    return { layer, shapes, from: [] };
  });
}

function totals(model: Layer): string {
  if (!model.built) return 'Not built yet: parameters are created when the shape of the input is known.';
  const trainable = model.parameters
    .filter((parameter) => parameter.trainable)
    .reduce((sum, parameter) => sum + parameter.size, 0);
  const total = model.countParams();
  const bytes = total * 4;
  const size = bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `Parameters: ${formatCount(total)} (${size}); trainable ${formatCount(trainable)}, not trainable ${formatCount(total - trainable)}`;
}

/** Formats the first shape, and the number of further shapes. */
function formatShapes(shapes: readonly Shape[] | null): string {
  if (shapes === null) return '?';
  const [first, ...more] = shapes;
  const text = `[${first.map((extent) => (extent === -1 ? '·' : extent)).join(', ')}]`;
  return more.length > 0 ? `${text} +${more.length}` : text;
}

/** Truncates or pads text to the width. The result ends with a space. */
function fit(text: string, width: number): string {
  return text.length < width ? text.padEnd(width) : `${text.slice(0, width - 2)}… `;
}
