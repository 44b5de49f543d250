/**
 * Exports the cells. Configs can refer to each cell class by its `className` (`LSTMCell`), and to the layer of the cell by
 * the same name without `Cell` (`LSTM`).
 */
export {
  AttentionDecoderCell,
  type AttentionDecoderCellOptions,
  type AttentionDecoderOptions,
  attentionDecoder,
} from './attention-decoder.js';
export {
  CoupledLstmCell,
  type CoupledLstmCellOptions,
  coupledLstm,
  coupledLstmCell,
} from './coupled.js';
export {
  type GaussianAttentionCellOptions,
  GaussianAttentionDecoderCell,
  type GaussianAttentionOptions,
  gaussianAttentionDecoder,
} from './gaussian-attention.js';
export {
  type CellFunction,
  type GeneralCellOptions,
  GeneralGruCell,
  type GeneralGruCellOptions,
  GeneralLstmCell,
  type GeneralLstmCellOptions,
  GeneralRnnCell,
  generalGru,
  generalLstm,
  generalRnn,
} from './general.js';
export { GruCell, type GruCellOptions, type GruOptions, type GruState, gru, gruCell } from './gru.js';
export {
  LayerNormLstmCell,
  type LayerNormLstmCellOptions,
  layerNormLstm,
  layerNormLstmCell,
} from './layer-norm-lstm.js';
export { LstmCell, type LstmCellOptions, type LstmOptions, type LstmState, lstm, lstmCell } from './lstm.js';
export type { MinCellOptions, MinOptions, MinState } from './min-cell.js';
export { MinGruCell, minGru, minGruCell } from './min-gru.js';
export { MinLstmCell, minLstm, minLstmCell } from './min-lstm.js';
export {
  PeepholeLstmCell,
  type PeepholeLstmCellOptions,
  peepholeLstm,
  peepholeLstmCell,
} from './peephole.js';
export {
  ProjectedLstmCell,
  type ProjectedLstmCellOptions,
  projectedLstm,
  projectedLstmCell,
} from './projected.js';
export {
  SimpleRnnCell,
  type SimpleRnnCellOptions,
  type SimpleRnnOptions,
  type SimpleRnnState,
  simpleRNN,
  simpleRNNCell,
} from './simple-rnn.js';
export { StackedCells, type StackedState, stackedCells } from './stacked.js';
export { ZoneoutCell, type ZoneoutRates, zoneoutCell } from './zoneout.js';
