/** The losses: `losses.mse()`, `losses.huber({ delta: 0.5 })`. */
export { negativeBinomialNll, poisson } from './counts.js';
export {
  binaryCrossentropy,
  type CrossentropyOptions,
  categoricalCrossentropy,
  type SmoothedCrossentropyOptions,
  type SparseCrossentropyOptions,
  sparseCategoricalCrossentropy,
} from './crossentropy.js';
export { type CtcLossOptions, ctc } from './ctc.js';
export { customLoss as custom } from './custom.js';
export { mae, mse } from './errors.js';
export {
  type BinaryFocalOptions,
  binaryFocalCrossentropy,
  type CategoricalFocalOptions,
  categoricalFocalCrossentropy,
} from './focal.js';
export { type GaussianOptions, gaussianNll } from './gaussian.js';
export { type PinballOptions, pinball } from './quantile.js';
export { type HuberOptions, huber, logCosh } from './robust.js';
export { type SampledSoftmaxOptions, sampledSoftmax, type VocabularyLayer } from './sampled-softmax.js';
export {
  type LossParameters,
  type SequenceBatch,
  type SequenceLossDefinition,
  sequenceLoss as sequence,
} from './sequence.js';
export { studentTNll } from './student-t.js';
