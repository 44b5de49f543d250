/** The layout of the weights of the built-in cells. */
import type { Cell } from '@unroll/nn';

/** The gates in the order of the columns of the weights, by class name. A simple RNN has no gates, but one recurrent matrix U. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  SimpleRNNCell: ['U'],
  LSTMCell: ['i', 'f', 'g', 'o'],
  GRUCell: ['z', 'r', 'n'],
  PeepholeLSTMCell: ['i', 'f', 'g', 'o'],
  LayerNormLSTMCell: ['i', 'f', 'g', 'o'],
  ProjectedLSTMCell: ['i', 'f', 'g', 'o'],
  CoupledLSTMCell: ['f', 'g', 'o'],
  MinGRUCell: ['z', 'n'],
};

/** Returns the gates of a cell in the order of the columns of its weights; null if the order is unknown. */
export function gateOrder(cell: Cell): readonly string[] | null {
  return ORDER[cell.className] ?? null;
}

/** Returns the names of the `count` gates of a cell; if the names are unknown, `U0`, `U1`, ..., or `U` for a single gate. */
export function gateNamesOf(cell: Cell, count: number): readonly string[] {
  const names = gateOrder(cell);
  if (names?.length === count) return names;
  return Array.from({ length: count }, (_, n) => (count === 1 ? 'U' : `U${n}`));
}
