/**
 * Exports the layers, except those in ../cells (`lstm`, `gru`, ...). Configs can refer to each layer class by its
 * `className`.
 */
export { Activation as ActivationLayer, type ActivationOptions, activation } from './activation.js';
export { Bidirectional, type BidirectionalOptions, bidirectional, type MergeMode } from './bidirectional.js';
export { Crf, type CrfOptions, crf, type TagConstraints } from './crf.js';
export { Dense, type DenseOptions, dense } from './dense.js';
export { Dropout, type DropoutOptions, dropout } from './dropout.js';
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
export { TimeDistributed, timeDistributed } from './time-distributed.js';
