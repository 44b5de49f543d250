/** The meaning of the gates of the built-in cells. For custom cells, only the values of the gates are known. */
import { type Cell, StackedCells } from '@unroll/nn';
import type { DataArray } from './arrays.js';

/** The gate that gives the share of the state that a cell keeps, by class name; `1 - z`: the share is 1 minus the gate. */
const KEEP: Readonly<Record<string, string>> = {
  LSTMCell: 'f',
  PeepholeLSTMCell: 'f',
  CoupledLSTMCell: 'f',
  LayerNormLSTMCell: 'f',
  ProjectedLSTMCell: 'f',
  MinLSTMCell: 'f',
  MinGRUCell: '1 - z',
};

/** The candidates, which are not in [0, 1]. */
const CANDIDATES = ['g', 'n'];

/**
 * Returns true for gates with values from 0 (shut) to 1 (open), as opposed to candidates.
 * @param name the name of the gate, with the prefix of a stack if there is one: `0.i`
 */
export function isBetween0And1(name: string, { values }: DataArray): boolean {
  const gate = name.slice(name.lastIndexOf('.') + 1);
  if (CANDIDATES.includes(gate)) return false;
  for (let i = 0; i < values.length; i++) if (!(values[i] >= 0 && values[i] <= 1)) return false;
  return true;
}

/** The gate that gives the share of the state that a cell keeps. */
export interface KeepGate {
  name: string;
  /** True: the share is 1 minus the gate. */
  inverted: boolean;
}

/** Returns the prefix of the gates of inner cell `n`: `0.` in a stack, none in a cell that wraps one cell, such as zoneout. */
export const innerPrefix = (cell: Cell, n: number): string =>
  cell.className === StackedCells.className || (cell.cells?.length ?? 0) > 1 ? `${n}.` : '';

/** Returns the keep gate of a cell, also of a cell with zoneout and of a stack of one cell; null: none or unknown. */
export function keepGateOf(cell: Cell): KeepGate | null {
  const { className, cells = [] } = cell;
  if (cells.length === 1) {
    const keep = keepGateOf(cells[0]);
    return keep && { ...keep, name: innerPrefix(cell, 0) + keep.name };
  }
  if (className === 'GRUCell') return { name: 'z', inverted: cell.config.updateGate === 'candidate' };
  const rule = KEEP[className];
  return rule ? { name: rule.replace('1 - ', ''), inverted: rule.startsWith('1') } : null;
}

/** Returns the share of the state that a cell keeps at every step, [B, T, H]; null if there is no keep gate. */
export function keptShare(
  keep: KeepGate | null,
  gates: Readonly<Record<string, DataArray>>,
): DataArray | null {
  const gate = keep && gates[keep.name];
  if (!gate) return null;
  if (!keep.inverted) return gate;
  return { shape: gate.shape, values: gate.values.map((value) => 1 - value) };
}
