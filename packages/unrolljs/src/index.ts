/**
 * Unroll: recurrent networks for TypeScript.
 *
 *     import { dense, lstm, sequential } from 'unrolljs';
 *
 *     const model = sequential([lstm({ units: 50, activation: 'relu' }), dense({ units: 1 })]);
 *     model.compile({ optimizer: 'adam', loss: 'mse' });
 *     await model.fit(x, y, { epochs: 200 });
 *     const forecast = await model.predict(x);
 *
 * Every public name stands in a list here, so that none is public by accident (test/names.test.ts).
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject

// Models: made, trained, saved and loaded
export type {
  Functional,
  FunctionalOptions,
  Network,
  NetworkOptions,
  Sequential,
  SequentialOptions,
  Stream,
  StreamInput,
  StreamOptions,
  StreamState,
  WeightArray,
} from '@unroll/nn';
export { roundWeights } from '@unroll/nn';
export type {
  ExampleBatches,
  ExampleOptions,
  ExamplePair,
  ExampleSet,
  ValidationData,
} from './examples.js';
export type { ArtifactSource } from './load.js';
export { load, model, sequential } from './models.js';
export type { PredictOptions, Runnable } from './runnable.js';
export {
  type CompileOptions,
  type EvaluateOptions,
  type FitOptions,
  type Trainable,
  trainable,
} from './trainable.js';
export type { ModelValues, NestedNumbers, NumberArray, Values } from './values.js';

// Saved models as files
export {
  type Artifact,
  type ArtifactExtras,
  type ArtifactFiles,
  fromArtifact,
  fromZip,
  toArtifact,
  toZip,
} from '@unroll/formats';

// Layers
export {
  type Activation,
  type ActivationFunction,
  type ActivationOptions,
  type ApplyOptions,
  activation,
  addLayer,
  type BatchNormalizationOptions,
  type BidirectionalOptions,
  batchNormalization,
  bidirectional,
  type ConcatenateOptions,
  concatenate,
  type DenseOptions,
  type DropoutOptions,
  dense,
  dropout,
  type EmbeddingOptions,
  embedding,
  flatten,
  type GruOptions,
  gru,
  type InputOptions,
  input,
  type LayerNormalizationOptions,
  type LstmOptions,
  layerNormalization,
  lstm,
  type MaskingOptions,
  type MergeMode,
  masking,
  multiply,
  type PermuteOptions,
  peepholeLstm,
  permuteLayer,
  type Recurrent,
  type RecurrentOptions,
  type RepeatVectorOptions,
  type ReshapeOptions,
  recurrent,
  repeatVector,
  reshapeLayer,
  type SimpleRnnOptions,
  type SymbolicTensor,
  simpleRNN,
  timeDistributed,
} from '@unroll/nn';

// Cells
export {
  type Cell,
  type CellConstants,
  type CellMasks,
  type CellOptions,
  type CellState,
  type GatedCellOptions,
  type GruCellOptions,
  gruCell,
  type LstmCellOptions,
  lstmCell,
  type NamedTensors,
  type PeepholeLstmCellOptions,
  peepholeLstmCell,
  type SequenceContext,
  type SequenceResult,
  type SimpleRnnCellOptions,
  type StepContext,
  type StepResult,
  simpleRNNCell,
  stackedCells,
} from '@unroll/nn';

// Layers, cells and activations of your own
export { type Flow, type ForwardContext, type Model, Parameter } from '@unroll/core';
export {
  type BuildTools,
  type CellClass,
  Layer,
  type LayerClass,
  type LayerConfig,
  type LayerOptions,
  MatrixCell,
  type Memory,
  type MemoryJson,
  type ParameterMaker,
  type ParameterOptions,
  registerActivation,
  registerCell,
  registerLayer,
  type WeightSource,
} from '@unroll/nn';

// Weights: how they begin, what they cost and where they are held
export {
  type ChronoOptions,
  type Constraint,
  type ConstraintConfig,
  chronoInitializer,
  constant,
  type GainOptions,
  type Initializer,
  type InitializerConfig,
  type InitializerFunction,
  identityMatrix,
  l1,
  l1l2,
  l2,
  type MaxNormOptions,
  type MinMaxNormOptions,
  maxNorm,
  minMaxNorm,
  type NormalOptions,
  nonNeg,
  orthogonal,
  orthogonalPenalty,
  type Regularizer,
  type RegularizerConfig,
  randomNormal,
  randomUniform,
  truncatedNormal,
  type UniformOptions,
  unitNorm,
  type VarianceScalingOptions,
  varianceScaling,
} from '@unroll/nn';

// Losses and metrics: losses.mse(), metrics.accuracy()
export {
  type ClassWeights,
  type Evaluation,
  type Loss,
  type LossName,
  type LossInitializer,
  type LossOptions,
  type LossParameterMaker,
  type LossParameterOptions,
  type LossParameters,
  type LossSpec,
  losses,
  type Metric,
  type MetricName,
  type MetricSpec,
  type MetricState,
  metrics,
  type PerOutput,
  type Reduction,
  registerLoss,
  type SequenceBatch,
  type SequenceLossDefinition,
} from '@unroll/train';

// Optimizers and learning-rate schedules
export {
  type AverageOptions,
  adagrad,
  adam,
  adamw,
  type Clip,
  type CosineOptions,
  cosineDecay,
  cosineDecayRestarts,
  type DecayOptions,
  exponentialDecay,
  type FindLearningRateOptions,
  findLearningRate,
  inverseTimeDecay,
  type LearningRate,
  type LearningRateCurve,
  nadam,
  type OneCycleOptions,
  type Optimizer,
  type OptimizerName,
  type OptimizerOptions,
  type OptimizerSpec,
  oneCycle,
  type PiecewiseOptions,
  type PolynomialOptions,
  piecewiseConstantDecay,
  polynomialDecay,
  type RangeTestOptions,
  type RatePoint,
  type RestartOptions,
  rmsprop,
  type Schedule,
  type ScheduleConfig,
  type ScheduleName,
  type StepDecayOptions,
  sgd,
  stepDecay,
} from '@unroll/train';

// Callbacks; those that write files are in unrolljs/node
export {
  type Callback,
  type CallbackState,
  type Checkpoint,
  type CheckpointOptions,
  type CheckpointStore,
  checkpointsTo,
  decodeCheckpoint,
  type EarlyStoppingOptions,
  earlyStopping,
  type JsonValue,
  type MonitorOptions,
  type ProgressOptions,
  type ProgressStream,
  progress,
  type ReduceOnPlateauOptions,
  type RunControl,
  reduceOnPlateau,
  type SavedTensor,
} from '@unroll/train';

// Training as a stream of events
export {
  type Batches,
  type EndEvent,
  type EndReason,
  type EpochEvent,
  type Examples,
  type Figures,
  type GradientHook,
  type Gradients,
  type History,
  OptimizerMemory,
  type Run,
  type RunOptions,
  type RunSnapshot,
  type StepEvent,
  type TensorList,
  type TrainEvent,
  type TrainingData,
  type TrainOptions,
  train,
  type WarningCode,
  type WarningEvent,
} from '@unroll/train';

// Data: sequences of different lengths, windows of a series, scalers
export {
  type BucketOptions,
  bucketByLength,
  type LengthSummary,
  LogScaler,
  MinMaxScaler,
  type Padded,
  type PadOptions,
  padSequences,
  RobustScaler,
  type Scaler,
  type ScalerConfig,
  type Sequence,
  StandardScaler,
  scalerFromConfig,
  slidingWindows,
  summarizeLengths,
  type WindowOptions,
  type Windows,
} from '@unroll/data';
export { lengthMask } from '@unroll/nn';

// Tensors and random numbers
export {
  type FloatArray,
  full,
  type NestedArray,
  ones,
  RandomStream,
  type Shape,
  Tensor,
  type TensorLike,
  tensor,
  zeros,
} from '@unroll/core';

// Operations on tensors, and their gradients
export {
  type Axes,
  abs,
  add,
  broadcastTo,
  concat,
  div,
  equal,
  erf,
  exp,
  floor,
  gather,
  greater,
  greaterEqual,
  hardSigmoid,
  keep,
  linear,
  log,
  log1p,
  logSoftmax,
  type MatmulOptions,
  matmul,
  max,
  maximum,
  mean,
  min,
  minimum,
  mul,
  neg,
  pad,
  permute,
  pick,
  pow,
  reciprocal,
  relu,
  reshape,
  reverse,
  scope,
  sigmoid,
  sign,
  slice,
  softmax,
  softplus,
  sqrt,
  square,
  stack,
  stopGradient,
  sub,
  sum,
  sumSquares,
  tanh,
  transpose,
  valueAndGrad,
} from '@unroll/core';

// What computes, and errors
export {
  type Backend,
  type BackendName,
  type ErrorCode,
  kernelsAt,
  ready,
  setBackend,
  setThreads,
  UnrollError,
} from '@unroll/core';
