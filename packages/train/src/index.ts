/**
 * @unroll/train: losses, optimizers and the training loop, for any object of the type `Model` of @unroll/core (a
 * structural type: no base class is needed).
 */

export { type PredictOptions, predict } from '@unroll/core';
export type { Batches, Examples, InputStep, PrepareInputs, TensorList } from './batches.js';
export type {
  Callback,
  CallbackState,
  JsonValue,
  RunControl,
  SavedTensor,
} from './callbacks/callback.js';
export { type CheckpointOptions, type CheckpointStore, checkpointsTo } from './callbacks/checkpoints.js';
export { type EarlyStoppingOptions, earlyStopping } from './callbacks/early-stopping.js';
export { type MonitorOptions, monitored } from './callbacks/monitor.js';
export { type ProgressOptions, type ProgressStream, progress } from './callbacks/progress.js';
export { type ReduceOnPlateauOptions, reduceOnPlateau } from './callbacks/reduce-on-plateau.js';
export { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint.js';
export type { Clip } from './clip.js';
export { type Environment, environmentOf } from './environment.js';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.js';
export * from './events.js';
export { fingerprintOf } from './fingerprint.js';
export { type FitExtras, type FitOptions, fit } from './fit.js';
export type { History } from './history.js';
export {
  type FindLearningRateOptions,
  findLearningRate,
  type LearningRateCurve,
  type RangeTestOptions,
  type RatePoint,
} from './learning-rate-finder.js';
export * as losses from './losses/index.js';
export type { Loss, LossOptions, Reduction } from './losses/loss.js';
export type { LossInitializer, LossParameterMaker, LossParameterOptions } from './losses/parameters.js';
export type { ClassWeights } from './losses/row-factors.js';
export type { SampledSoftmaxOptions, VocabularyLayer } from './losses/sampled-softmax.js';
export type { LossParameters, SequenceBatch, SequenceLossDefinition } from './losses/sequence.js';
export { type LossName, type LossSpec, registerLoss, resolveLoss } from './losses.js';
export * as metrics from './metrics/index.js';
export type { Metric, MetricState } from './metrics/metric.js';
export { type MetricName, type MetricSpec, resolveMetric } from './metrics.js';
export type { ObjectiveOptions, PerOutput } from './objective.js';
export { type AverageOptions, WeightAverage } from './optimizers/average.js';
export * from './optimizers.js';
export { Plateau, type PlateauOptions, type PlateauState } from './plateau.js';
export * from './schedules.js';
export type { RunSnapshot } from './snapshot.js';
export { type GradientHook, type Gradients, OptimizerMemory, type OptimizerState } from './step.js';
export { type Run, type RunOptions, type TrainingData, type TrainOptions, train } from './train.js';
export type { TruncateOptions } from './truncate.js';
