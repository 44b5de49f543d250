/** The cells. A class here with a static `className` is known to configs, and so is the layer over it. */
export { GruCell, type GruCellOptions, type GruOptions, gru, gruCell } from './gru.js';
export { LstmCell, type LstmCellOptions, type LstmOptions, lstm, lstmCell } from './lstm.js';
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
  simpleRNN,
  simpleRNNCell,
} from './simple-rnn.js';
export { StackedCells, stackedCells } from './stacked.js';
