/** Creates custom losses. */
import type { Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { alignSameShape } from './align.js';
import { LOSS_OPTIONS, type Loss, type LossOptions, makeLoss } from './loss.js';

/**
 * Returns a loss from a function that computes the losses of rows. Masks, weights and reductions are applied to its result.
 * @param name the name in metrics and errors
 * @param rows returns the loss of each of N rows, [N]; prediction and target are flattened to [N, K]
 */
export function customLoss(
  name: string,
  rows: (prediction: Tensor, target: Tensor) => Tensor,
  options: LossOptions = {},
): Loss {
  checkOptions('customLoss', options, LOSS_OPTIONS);
  return makeLoss(
    { name, config: {}, align: (prediction, target) => alignSameShape(name, prediction, target), rows },
    options,
  );
}
