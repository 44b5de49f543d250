/** Custom losses. */
import type { Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { fitSame } from './fit.js';
import { LOSS, type Loss, type LossOptions, makeLoss } from './loss.js';

/**
 * A loss from a formula for rows: masks, weights and reductions come with it.
 * @param name for metrics and errors
 * @param rows the loss of each of N rows, [N]; prediction and target are [N, K], whatever axes they had
 */
export function customLoss(
  name: string,
  rows: (prediction: Tensor, target: Tensor) => Tensor,
  options: LossOptions = {},
): Loss {
  checkOptions('customLoss', options, LOSS);
  return makeLoss(
    { name, config: {}, fit: (prediction, target) => fitSame(name, prediction, target), rows },
    options,
  );
}
