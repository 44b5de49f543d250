/** `gateFigure`: the gates and states of one layer as heat maps, units by time. */
import { shapeError, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import type { DataArray } from '../arrays.js';
import { isBetween0And1 } from '../gates.js';
import type { LayerTrace } from '../trace.js';
import { colorKey, colorOf, heatMap, label, svg } from './draw.js';

export interface GateFigureOptions {
  /** Index of the sequence. Default 0. */
  row?: number;
  /** Gates and states to draw, in this order. Default: all gates, then all states. */
  series?: readonly string[];
  /**
   * Order of the units from the top: a list of units, `index`, or `activity` (sorted by the mean of the first series, largest
   * at the top). Default `activity`.
   */
  order?: readonly number[] | 'index' | 'activity';
  /** Default: layer, cell, number of units and number of steps. */
  title?: string;
  /** Width in pixels. Default 760. */
  width?: number;
}

/** Largest numbers of columns and rows of a heat map. If there are more steps or units, neighbours are averaged. */
const [MAX_COLUMNS, MAX_ROWS] = [240, 64];
const [LEFT, TOP, GAP] = [34, 50, 34];

/**
 * Draws the gates and states of a traced layer for one sequence as SVG: one heat map for each, with units as rows and steps as
 * columns. Masked steps are empty. Blue means shut or negative, orange means open or positive.
 * @throws UnrollError `value` for an unknown or no series and an invalid order, `shape` for a row outside of the batch
 */
export function gateFigure(layer: LayerTrace, options: GateFigureOptions = {}): string {
  checkOptions('gateFigure', options, {
    ...{ row: 'nonNegativeInteger', series: 'array', order: true, title: 'string', width: 'number' },
  } as const);
  const { row = 0, width = 760, order = 'activity' } = options;
  const all: Record<string, DataArray> = { ...layer.gates, ...layer.states };
  const names = options.series ?? Object.keys(all);
  const unknown = names.find((name) => !Object.hasOwn(all, name));
  if (unknown !== undefined)
    throw valueError(
      `gateFigure: there is no series ${formatValue(unknown)}. Choose from ${Object.keys(all).join(', ')}.`,
    );
  if (names.length === 0)
    throw valueError(`gateFigure: series must not be empty. Choose from ${Object.keys(all).join(', ')}.`);
  const batch = all[names[0]].shape[0];
  if (row >= batch)
    throw shapeError(`gateFigure: row must be below ${batch}, the number of sequences, got ${row}.`);
  const T = all[names[0]].shape[1];
  const units = all[names[0]].shape[2];
  const sorted = orderOf(order, all[names[0]], row);
  const columns = 2;
  const panelWidth = (width - LEFT - GAP * (columns - 1) - 8) / columns;
  const panelHeight = Math.max(48, Math.min(180, Math.min(units, MAX_ROWS) * 6));
  const parts = names.map((name, i) => {
    const x = LEFT + (i % columns) * (panelWidth + GAP);
    const y = TOP + Math.floor(i / columns) * (panelHeight + GAP);
    return panel(name, all[name], { x, y, width: panelWidth, height: panelHeight }, { row, sorted, layer });
  });
  const height = TOP + Math.ceil(names.length / columns) * (panelHeight + GAP) + 30;
  const title = options.title ?? `${layer.layer}: ${layer.cell}, ${layer.units} units, ${T} steps`;
  return svg(width, height, title, [
    label(LEFT, 20, title, 'title'),
    ...parts,
    colorKey(LEFT, height - 30, 'shut, -', '', 'open, +'),
  ]);
}

/** Returns the indices of the units in the order in which they are drawn. */
function orderOf(
  order: NonNullable<GateFigureOptions['order']>,
  { shape, values }: DataArray,
  row: number,
): number[] {
  const [, T, H] = shape;
  const units = Array.from({ length: H }, (_, u) => u);
  if (order === 'index') return units;
  if (order !== 'activity') {
    if (Array.isArray(order) && order.every((unit) => units.includes(unit))) return [...order];
    throw valueError(
      `gateFigure: order must be "index", "activity" or a list of units below ${H}, got ${formatValue(order)}.`,
    );
  }
  const means = units.map((u) => {
    let sum = 0;
    for (let t = 0; t < T; t++) sum += values[(row * T + t) * H + u];
    return sum / T;
  });
  return units.sort((a, b) => means[b] - means[a]);
}

function panel(
  name: string,
  array: DataArray,
  area: { x: number; y: number; width: number; height: number },
  { row, sorted, layer }: { row: number; sorted: readonly number[]; layer: LayerTrace },
): string {
  const [, T, H] = array.shape;
  // An array of another width, such as the state h of a projected LSTM, is drawn in index order.
  const unitOrder = H === sorted.length ? sorted : Array.from({ length: H }, (_, u) => u);
  const [low, high] = rangeOf(name, array, row);
  const isValid = (t: number): boolean => layer.mask === null || layer.mask.values[row * T + t] !== 0;
  const [rows, columns] = [Math.min(unitOrder.length, MAX_ROWS), Math.min(T, MAX_COLUMNS)];
  const grid = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => {
      let [sum, count] = [0, 0];
      for (let t = binStart(c, columns, T); t < binStart(c + 1, columns, T); t++) {
        if (!isValid(t)) continue;
        for (let u = binStart(r, rows, unitOrder.length); u < binStart(r + 1, rows, unitOrder.length); u++) {
          sum += array.values[(row * T + t) * H + unitOrder[u]];
          count++;
        }
      }
      return count === 0 ? -1 : colorOf(sum / count, low, high);
    }),
  );
  const { x, y, width, height } = area;
  const range = `${Number(low.toPrecision(2))} to ${Number(high.toPrecision(2))}`;
  return [
    label(x, y - 6, name),
    label(x + width, y - 6, range, 'soft num end'),
    heatMap(area, grid),
    `<rect class="rule" x="${x}" y="${y}" width="${width.toFixed(1)}" height="${height}"/>`,
    label(x, y + height + 13, '1', 'soft num'),
    label(x + width, y + height + 13, `step ${T}`, 'soft num end'),
  ].join('');
}

const binStart = (index: number, count: number, total: number): number => Math.floor((index * total) / count);

/** Returns the range of the colours: 0 to 1 for a gate, otherwise symmetric around 0. */
function rangeOf(name: string, array: DataArray, row: number): [number, number] {
  if (!/(^|\.)[hcsy]$/.test(name) && isBetween0And1(name, array)) return [0, 1];
  const size = array.values.length / array.shape[0];
  let largest = 0;
  for (let i = row * size; i < (row + 1) * size; i++) largest = Math.max(largest, Math.abs(array.values[i]));
  const limit = Math.max(largest, 1);
  return [-limit, limit];
}
