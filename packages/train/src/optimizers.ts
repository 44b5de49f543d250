/** The optimizers by name: what `compile`, artifacts and the command line choose from. */
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
/** An optimizer by its name, by its name and options, or itself. */
export type OptimizerSpec =
  | OptimizerName
  | { name: OptimizerName; readonly [option: string]: unknown }
  | Optimizer;

/**
 * The optimizer that `spec` asks for.
 * @throws UnrollError `value` for an unknown name or option, with those there are
 */
export function resolveOptimizer(spec: OptimizerSpec): Optimizer {
  return resolve<Optimizer>('optimizer', optimizers, spec);
}
