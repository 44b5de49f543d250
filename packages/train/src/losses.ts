/** The losses by name: what `compile`, artifacts and the command line choose from. */
import * as losses from './losses/index.js';
import type { Loss } from './losses/loss.js';
import { resolve } from './registry.js';

const named = {
  mse: losses.mse,
  mae: losses.mae,
  huber: losses.huber,
  logCosh: losses.logCosh,
  binaryCrossentropy: losses.binaryCrossentropy,
  categoricalCrossentropy: losses.categoricalCrossentropy,
  sparseCategoricalCrossentropy: losses.sparseCategoricalCrossentropy,
  binaryFocalCrossentropy: losses.binaryFocalCrossentropy,
  categoricalFocalCrossentropy: losses.categoricalFocalCrossentropy,
  poisson: losses.poisson,
  pinball: losses.pinball,
  gaussianNll: losses.gaussianNll,
  studentTNll: losses.studentTNll,
  negativeBinomialNll: losses.negativeBinomialNll,
};

export type LossName = keyof typeof named;
/** A loss by its name, by its name and options, or itself. */
export type LossSpec = LossName | { name: LossName; readonly [option: string]: unknown } | Loss;

/**
 * The loss that `spec` asks for.
 * @throws UnrollError `value` for an unknown name or option, with those there are
 */
export function resolveLoss(spec: LossSpec): Loss {
  return resolve<Loss>('loss', named, spec);
}
