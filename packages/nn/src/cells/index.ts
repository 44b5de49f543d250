/** Exports the cells. Configs can refer to each cell class by its `className`, and to its layer (LSTMCell: `LSTM`). */
export {
  AttentionDecoderCell,
  type AttentionDecoderCellOptions,
  type AttentionDecoderOptions,
  attentionDecoder,
} from './attention-decoder.js';
export { GruCell, type GruCellOptions, type GruOptions, type GruState, gru, gruCell } from './gru.js';
export { LstmCell, type LstmCellOptions, type LstmOptions, type LstmState, lstm, lstmCell } from './lstm.js';
export {
  PeepholeLstmCell,
  type PeepholeLstmCellOptions,
  peepholeLstm,
  peepholeLstmCell,
} from './peephole.js';
export {
  SimpleRnnCell,
  type SimpleRnnCellOptions,
  type SimpleRnnOptions,
  type SimpleRnnState,
  simpleRNN,
  simpleRNNCell,
} from './simple-rnn.js';
export { StackedCells, type StackedState, stackedCells } from './stacked.js';
