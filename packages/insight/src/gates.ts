/** What the gates of the built-in cells mean. Gates of custom cells are known only by their values. */
import type { Cell } from '@unroll/nn';
import type { DataArray } from './arrays.js';

/** The gate that decides how much of the state a cell keeps, by class name; `1 - x`: it decides how much is replaced. */
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

/** Returns true if the values of a gate are shares in [0, 1]. @param name may have the prefix of a stacked cell */
export function isShare(name: string, { values }: DataArray): boolean {
  const own = name.slice(name.lastIndexOf('.') + 1);
  if (CANDIDATES.includes(own)) return false;
  for (let i = 0; i < values.length; i++) if (!(values[i] >= 0 && values[i] <= 1)) return false;
  return true;
}

/** The gate of a cell that decides how much of the state it keeps. */
export interface KeepGate {
  name: string;
  /** True: the share that it keeps is 1 minus the gate. */
  inverted: boolean;
}

/** Returns the keep gate of a cell, also inside a zoneout; null: it has none that is known. */
export function keepGateNameOf(cell: Cell): KeepGate | null {
  const { className, cells = [] } = cell;
  if (cells.length === 1) return keepGateNameOf(cells[0]);
  if (className === 'GRUCell') return { name: 'z', inverted: cell.config.updateGate === 'candidate' };
  const rule = KEEP[className];
  return rule ? { name: rule.replace('1 - ', ''), inverted: rule.startsWith('1') } : null;
}

/** Returns the share of the state that a cell keeps at every step, [B, T, H]; null if it has no such gate. */
export function keptShare(
  keep: KeepGate | null,
  gates: Readonly<Record<string, DataArray>>,
): DataArray | null {
  const gate = keep && gates[keep.name];
  if (!gate) return null;
  if (!keep.inverted) return gate;
  return { shape: gate.shape, values: gate.values.map((value) => 1 - value) };
}
