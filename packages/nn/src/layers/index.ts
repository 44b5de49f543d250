/**
 * Exports the layers, except those in ../cells (`lstm`, `gru`, ...). Configs can refer to each layer class by its
 * `className`.
 */
export { Activation as ActivationLayer, type ActivationOptions, activation } from './activation.js';
export {
  ActivationRegularization,
  type ActivationRegularizationOptions,
  activationRegularization,
} from './activation-regularization.js';
export {
  AdditiveAttention,
  type AdditiveAttentionOptions,
  Attention,
  AttentionLayer,
  type AttentionOptions,
  additiveAttention,
  attention,
  type ScoreMode,
} from './attention.js';
export { Bidirectional, type BidirectionalOptions, bidirectional, type MergeMode } from './bidirectional.js';
export { Conv1D, type Conv1DOptions, conv1d } from './convolution.js';
export { Conv2D, type Conv2DOptions, conv2d } from './convolution-2d.js';
export { Crf, type CrfOptions, crf, type TagConstraints } from './crf.js';
export { Dense, type DenseOptions, dense } from './dense.js';
export {
  Dropout,
  type DropoutOptions,
  dropout,
  SpatialDropout1D,
  type SpatialDropout1DOptions,
  spatialDropout1d,
  WordDropout,
  type WordDropoutOptions,
  wordDropout,
} from './dropout.js';
export { Embedding, type EmbeddingOptions, embedding } from './embedding.js';
export { InputLayer, type InputOptions, input } from './input.js';
export { Masking, type MaskingOptions, masking } from './masking.js';
export {
  Add,
  addLayer,
  Concatenate,
  type ConcatenateOptions,
  concatenate,
  Multiply,
  multiply,
} from './merging.js';
export {
  BatchNormalization,
  type BatchNormalizationOptions,
  batchNormalization,
  LayerNormalization,
  type LayerNormalizationOptions,
  layerNormalization,
} from './normalization.js';
export { OutputEmbedding, type OutputEmbeddingOptions, outputEmbedding } from './output-embedding.js';
export {
  AveragePooling1D,
  averagePooling1d,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  type GlobalPooling1DOptions,
  globalAveragePooling1d,
  globalMaxPooling1d,
  MaxPooling1D,
  maxPooling1d,
  type Pooling1DOptions,
} from './pooling.js';
export {
  AveragePooling2D,
  averagePooling2d,
  MaxPooling2D,
  maxPooling2d,
  type Pooling2DOptions,
} from './pooling-2d.js';
export { Recurrent, type RecurrentOptions, recurrent } from './recurrent.js';
export {
  Flatten,
  flatten,
  Permute,
  type PermuteOptions,
  permuteLayer,
  RepeatVector,
  type RepeatVectorOptions,
  Reshape,
  type ReshapeOptions,
  repeatVector,
  reshapeLayer,
} from './reshaping.js';
export { Residual, residual } from './residual.js';
export { TensorOperation, type TensorOperationOptions, tensorOperation } from './tensor-operation.js';
export { TimeDistributed, timeDistributed } from './time-distributed.js';
export type { WindowPadding } from './windows.js';
export type { Padding2D, Pair } from './windows-2d.js';
