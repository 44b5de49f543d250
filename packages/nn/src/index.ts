/** @unroll/nn: cells, layers and models. Forward only; @unroll/train trains them. */
export type { Activation } from './activations.js';
export type { Cell, CellState, ParameterMaker, SequenceContext, StepContext } from './cells/cell.js';
export { LstmCell, type LstmCellOptions } from './cells/lstm.js';
export type { Initializer } from './initializers.js';
export { Layer, type LayerConfig, type LayerOptions } from './layer.js';
export { type Dense, type DenseOptions, dense } from './layers/dense.js';
export { type LstmOptions, lstm } from './layers/lstm.js';
export { Recurrent, type RecurrentOptions } from './layers/recurrent.js';
export { Sequential, type SequentialOptions, sequential, type WeightArray } from './sequential.js';
