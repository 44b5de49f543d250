/** The pinball loss, for models that predict quantiles. */
import { maximum, mean, mul, sub, tensor, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { alignOnePerRow, alignSameShape } from './align.js';
import { LOSS_OPTIONS, type Loss, type LossOptions, makeLoss } from './loss.js';

export interface PinballOptions extends LossOptions {
  /** The quantile to predict, above 0 and below 1. Default 0.5, the median. */
  quantile?: number;
  /** Several quantiles instead of one. The last axis of the prediction has one number per quantile, in this order. */
  quantiles?: readonly number[];
}

/**
 * Pinball (quantile) loss (Koenker & Bassett 1978): max(q (y - p), (q - 1)(y - p)), the mean over K or over the
 * quantiles. The mean loss is minimal if a share q of the targets is below the prediction.
 * @remarks One quantile: prediction and target [B, K] or [B, T, K]. Several: prediction [B, Q] or [B, T, Q],
 * target [B] or [B, T] (or with a last axis of 1).
 */
export function pinball(options: PinballOptions = {}): Loss {
  const name = 'pinball';
  checkOptions(name, options, { quantile: 'number', quantiles: 'array', ...LOSS_OPTIONS });
  const { quantile, quantiles } = options;
  if (quantile !== undefined && quantiles !== undefined) {
    throw valueError('pinball: set either quantile or quantiles, not both.', { quantile, quantiles });
  }
  const levels = quantiles ?? [quantile ?? 0.5];
  const invalid = levels.find((q) => !(q > 0 && q < 1));
  if (levels.length === 0 || invalid !== undefined) {
    throw valueError(
      `pinball: each quantile must be above 0 and below 1, got ${invalid ?? 'an empty list'}.`,
      {
        quantiles: levels,
      },
    );
  }
  return makeLoss(
    {
      name,
      config: quantiles ? { quantiles: [...quantiles] } : { quantile: levels[0] },
      align(prediction, target) {
        if (!quantiles) return alignSameShape(name, prediction, target);
        const pair = alignOnePerRow(name, prediction, target, 'one number', ' (the same for all quantiles)');
        const width = pair.prediction.shape.at(-1);
        if (width !== levels.length) {
          throw valueError(
            `pinball: the model must predict ${levels.length} numbers, one for each quantile, got ${width}. ` +
              `Give the last layer ${levels.length} units.`,
            { quantiles: levels, width },
          );
        }
        return pair;
      },
      rows(prediction, target) {
        const q = tensor([...levels]);
        const error = sub(target, prediction);
        return mean(maximum(mul(q, error), mul(sub(q, 1), error)), -1);
      },
    },
    options,
  );
}
