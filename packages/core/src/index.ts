/** @unroll/core: tensors, ops with their gradients, backends and random streams. */
export { kernelsAt } from '@unroll/kernels';
export { stopGradient, valueAndGrad } from './autograd.js';
export type { ActivationName, Backend, FloatArray } from './backend.js';
export {
  logPartition,
  nBestPaths,
  type RankedTagPath,
  type TagPath,
  type TagScores,
  tagProbabilities,
  viterbi,
} from './crf-decoding.js';
export { type ErrorCode, formatShape, shapeError, UnrollError, valueError } from './errors.js';
export type { ForwardContext, MaskedSequence, Model, ModelState } from './model.js';
export { type CrfScores, crfLogLoss } from './ops/crf.js';
export { type CtcOptions, ctc } from './ops/ctc.js';
export * from './ops/elementwise.js';
export { type GruAttributes, type GruInputs, gruSequence } from './ops/gru.js';
export { layerNorm } from './ops/layer-norm.js';
export { negativeBinomialLogLoss, studentTLogLoss } from './ops/likelihood.js';
export { type LstmInputs, lstmSequence } from './ops/lstm.js';
export { linear, type MatmulOptions, matmul } from './ops/matmul.js';
export { pick, sparseCrossentropy } from './ops/pick.js';
export type { RecurrentAttributes, SequenceAttributes } from './ops/recurrent.js';
export { type Axes, max, mean, min, sum, sumSquares } from './ops/reduce.js';
export { type RnnInputs, rnnSequence } from './ops/rnn.js';
export { gather, logSoftmax, softmax } from './ops/rows.js';
export { type LinearScanAttributes, type LinearScanInputs, linearScan } from './ops/scan.js';
export * from './ops/shape.js';
export { topK } from './ops/top-k.js';
export { Parameter } from './parameter.js';
export { type PredictOptions, predict, predictAll } from './predict.js';
export { RandomStream, type StreamState } from './random.js';
export { referenceBackend } from './reference/backend.js';
export { currentBackend } from './runtime.js';
export { keep, scope } from './scope.js';
export { type BackendName, ready, setBackend, setThreads } from './select.js';
export type { Shape } from './shape.js';
export { asTensor, full, type NestedArray, ones, Tensor, type TensorLike, tensor, zeros } from './tensor.js';
