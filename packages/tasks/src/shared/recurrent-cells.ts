/** The recurrent cells that every task can be trained with, by the names of the option `cell`. */
import { valueError } from '@unroll/core';
import { normalizeName } from '@unroll/core/internal';
import {
  type Cell,
  coupledLstm,
  coupledLstmCell,
  gru,
  gruCell,
  layerNormLstm,
  layerNormLstmCell,
  lstm,
  lstmCell,
  minGru,
  minGruCell,
  minLstm,
  minLstmCell,
  peepholeLstm,
  peepholeLstmCell,
  type Recurrent,
  type RecurrentOptions,
  simpleRNN,
  simpleRNNCell,
} from '@unroll/nn';

interface CellMakers {
  layer: (options: RecurrentOptions & { units: number; weightDrop?: number }) => Recurrent;
  cell: (options: { units: number }) => Cell;
}

const MAKERS = {
  rnn: { layer: simpleRNN, cell: simpleRNNCell },
  lstm: { layer: lstm, cell: lstmCell },
  gru: { layer: gru, cell: gruCell },
  minGRU: { layer: minGru, cell: minGruCell },
  minLSTM: { layer: minLstm, cell: minLstmCell },
  layerNormLSTM: { layer: layerNormLstm, cell: layerNormLstmCell },
  coupledLSTM: { layer: coupledLstm, cell: coupledLstmCell },
  peepholeLSTM: { layer: peepholeLstm, cell: peepholeLstmCell },
} satisfies Record<string, CellMakers>;

/**
 * `rnn`: a simple RNN with tanh; `lstm`; `gru`; `minGRU` and `minLSTM`: gates that depend on the inputs only (Feng et al. 2024);
 * `layerNormLSTM`: with layer normalisation (Ba et al. 2016); `coupledLSTM`: coupled input and forget gates (Greff et al.
 * 2017); `peepholeLSTM`: gates that read the state c (Gers & Schmidhuber 2000).
 */
export type RecurrentCellName = keyof typeof MAKERS;

export const CELL_NAMES = Object.keys(MAKERS) as RecurrentCellName[];

/** Returns the functions that create a cell and its layer. @throws UnrollError `value` for an unknown cell */
export function cellMakers(cell: RecurrentCellName): CellMakers {
  if (Object.hasOwn(MAKERS, cell)) return MAKERS[cell];
  throw valueError(`cell must be one of ${CELL_NAMES.join(', ')}, got "${cell}".`, { cell });
}

/** Returns whether the cell has recurrent weights; `weightDrop` applies to these. */
export const hasRecurrentWeights = (cell: RecurrentCellName): boolean =>
  cell !== 'minGRU' && cell !== 'minLSTM';

/** Finds a cell by its name in any case, with or without hyphens, such as `layer-norm-lstm`; undefined if there is none. */
export const cellNamed = (name: string): RecurrentCellName | undefined =>
  CELL_NAMES.find((cell) => normalizeName(cell) === normalizeName(name));
