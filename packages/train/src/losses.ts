/** The losses by name: what `compile`, artifacts and the command line choose from. */
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
export { type ClassWeights, classWeighted } from './losses/row-factors.js';
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

/**
 * The loss that `spec` asks for.
 * @throws UnrollError `value` for an unknown name or option, with those there are
 */
export function resolveLoss(spec: LossSpec): Loss {
  return resolve<Loss>('loss', losses, spec);
}
