/** @unroll/train: losses, optimizers and the training loop, for any model of the structural type of @unroll/core. */

export { type PredictOptions, predict } from '@unroll/core';
export type { Examples } from './batches.js';
export { type Loss, mse } from './losses.js';
export { type AdamOptions, adam, type Optimizer } from './optimizers.js';
export type { Clip } from './step.js';
export {
  type EndEvent,
  type EpochEvent,
  fit,
  type History,
  type StepEvent,
  type TrainEvent,
  type TrainOptions,
  train,
} from './train.js';
