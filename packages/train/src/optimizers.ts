/** Resolves optimizers by name, for `compile`, artifacts and the command line. */
import { type AdamOptions, adam, adamw, type NadamOptions, nadam } from './optimizers/adam.js';
import type { Optimizer } from './optimizers/optimizer.js';
import { type AdagradOptions, adagrad, type RmspropOptions, rmsprop } from './optimizers/rmsprop.js';
import { type SgdOptions, sgd } from './optimizers/sgd.js';
import { resolve } from './registry.js';

export type {
  Optimizer,
  OptimizerOptions,
  ParameterSlice,
  Rows,
  UpdateCall,
} from './optimizers/optimizer.js';
export {
  type AdagradOptions,
  type AdamOptions,
  adagrad,
  adam,
  adamw,
  type NadamOptions,
  nadam,
  type RmspropOptions,
  rmsprop,
  type SgdOptions,
  sgd,
};

const optimizers = { sgd, rmsprop, adagrad, adam, adamw, nadam };

export type OptimizerName = keyof typeof optimizers;
/** An optimizer: a name, a name with options, or an optimizer object. */
export type OptimizerSpec =
  | OptimizerName
  | { name: OptimizerName; readonly [option: string]: unknown }
  | Optimizer;

/**
 * Resolves `spec` to an optimizer.
 * @throws UnrollError `value` for an unknown name or option; the message lists the valid ones
 */
export function resolveOptimizer(spec: OptimizerSpec): Optimizer {
  return resolve<Optimizer>('optimizer', optimizers, spec);
}
