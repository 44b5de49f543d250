/** @unroll/nn: cells, layers and models. Forward pass only; @unroll/train trains them. */
export type { Activation, ActivationFunction } from './activations.js';
export { type Builder, builder, type ModelPart } from './builder.js';
export type {
  Cell,
  CellClass,
  CellConstants,
  CellMasks,
  CellState,
  NamedTensors,
  ParameterMaker,
  ParameterOptions,
  SequenceContext,
  SequenceResult,
  StepContext,
  StepResult,
} from './cells/cell.js';
export * from './cells/index.js';
export { type CellOptions, type GatedCellOptions, MatrixCell } from './cells/matrix-cell.js';
export { MinCell } from './cells/min-cell.js';
/** @internal For @unroll/insight. */
export { runSteps, type Stepper } from './cells/run.js';
export {
  type Constraint,
  type ConstraintConfig,
  type MaxNormOptions,
  type MinMaxNormOptions,
  maxNorm,
  minMaxNorm,
  nonNeg,
  unitNorm,
} from './constraints.js';
export { decodeTags, nBestTags, tagMarginals } from './crf-decoding.js';
export {
  type CtcBeamOptions,
  type CtcDecoder,
  type CtcDecoderOptions,
  type CtcGreedyOptions,
  type CtcPath,
  ctcBeamSearch,
  ctcDecoder,
  ctcGreedy,
} from './decoding/ctc.js';
export * from './decoding/index.js';
export type { CtcHypothesis, CtcPrefixScore } from './decoding/prefix-beam.js';
export { cellFromConfig, layerFromConfig, modelFromConfig } from './from-config.js';
export { Functional, type FunctionalOptions, model } from './functional.js';
export { type ApplyOptions, SymbolicTensor } from './graph.js';
export {
  type ChronoOptions,
  chronoInitializer,
  constant,
  type GainOptions,
  type Initializer,
  type InitializerConfig,
  type InitializerFunction,
  identityMatrix,
  type NormalOptions,
  orthogonal,
  randomNormal,
  randomUniform,
  truncatedNormal,
  type UniformOptions,
  type VarianceScalingOptions,
  varianceScaling,
} from './initializers.js';
export { Layer, type LayerConfig, type LayerOptions } from './layer.js';
export * from './layers/index.js';
export { lengthMask } from './masks.js';
export type { Memory, MemoryJson } from './memory.js';
export { Network, type NetworkOptions } from './network.js';
export { registerActivation } from './register-activation.js';
export { type BuildTools, type LayerClass, registerCell, registerLayer } from './registry.js';
export {
  l1,
  l1l2,
  l2,
  orthogonalPenalty,
  type Regularizer,
  type RegularizerConfig,
} from './regularizers.js';
export { Sequential, type SequentialOptions, sequential } from './sequential.js';
export { Stream, type StreamInput, type StreamOptions, type StreamState } from './stream.js';
export type { SummaryRow } from './summary.js';
export { roundWeights, type WeightArray, type WeightSource } from './weights.js';
