/** The losses by name: what `compile`, artifacts and the command line choose from. */
import { valueError } from '@unroll/core';
import { negativeBinomialNll, poisson } from './losses/counts.js';
import {
  binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
} from './losses/crossentropy.js';
import { mae, mse } from './losses/errors.js';
import { binaryFocalCrossentropy, categoricalFocalCrossentropy } from './losses/focal.js';
import { gaussianNll } from './losses/gaussian.js';
import type { Loss } from './losses/loss.js';
import { pinball } from './losses/quantile.js';
import { huber, logCosh } from './losses/robust.js';
import { studentTNll } from './losses/student-t.js';
import { resolve } from './registry.js';

export { negativeBinomialNll, poisson } from './losses/counts.js';
export {
  binaryCrossentropy,
  type CrossentropyOptions,
  categoricalCrossentropy,
  type SmoothedCrossentropyOptions,
  type SparseCrossentropyOptions,
  sparseCategoricalCrossentropy,
} from './losses/crossentropy.js';
export { customLoss } from './losses/custom.js';
export { mae, mse } from './losses/errors.js';
export {
  type BinaryFocalOptions,
  binaryFocalCrossentropy,
  type CategoricalFocalOptions,
  categoricalFocalCrossentropy,
} from './losses/focal.js';
export { type GaussianOptions, gaussianNll } from './losses/gaussian.js';
export type { Loss, LossOptions, Reduction } from './losses/loss.js';
export { type PinballOptions, pinball } from './losses/quantile.js';
export { type HuberOptions, huber, logCosh } from './losses/robust.js';
export type {
  LossInitializer,
  LossParameterMaker,
  LossParameterOptions,
} from './losses/parameters.js';
export { type ClassWeights, classWeighted } from './losses/row-factors.js';
export {
  type LossParameters,
  type SequenceBatch,
  type SequenceLossDefinition,
  sequenceLoss,
} from './losses/sequence.js';
export { studentTNll } from './losses/student-t.js';

const losses = {
  mse,
  mae,
  huber,
  logCosh,
  binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
  binaryFocalCrossentropy,
  categoricalFocalCrossentropy,
  poisson,
  pinball,
  gaussianNll,
  studentTNll,
  negativeBinomialNll,
};

export type LossName = keyof typeof losses;
/** A loss by its name, by its name and options, or itself. */
export type LossSpec = LossName | { name: LossName; readonly [option: string]: unknown } | Loss;

const own = new Map<string, (options: never) => Loss>();

/**
 * Makes a loss of your own known by name, so that a model that was trained with it can be loaded and trained on.
 * @param make takes the options of the loss's `config` and gives the loss again
 * @throws UnrollError `value` for the name of one of Unroll's losses
 */
export function registerLoss(name: string, make: (options: never) => Loss): void {
  if (Object.hasOwn(losses, name)) {
    throw valueError(`There is a loss "${name}" already: give your own another name.`, { name });
  }
  own.set(name, make);
}

/**
 * The loss that `spec` asks for.
 * @throws UnrollError `value` for an unknown name or option, with those there are
 */
export function resolveLoss(spec: LossSpec): Loss {
  const table = { ...losses, ...Object.fromEntries(own) };
  return resolve<Loss>('loss', table, spec, ' A loss of your own needs registerLoss() before.');
}
