/** Losses for regression: mean squared error and mean absolute error. */
import { abs, mean, mul, square, sub, sumSquares } from '@unroll/core';
import { alignSameShape } from './align.js';
import { type Loss, type LossOptions, plainLoss } from './loss.js';

/**
 * Mean squared error: the mean over K of (y - p)².
 * @remarks prediction and target [B, K] or [B, T, K]. As `mean_squared_error` of Keras 3.
 */
export function mse(options: LossOptions = {}): Loss {
  return plainLoss(
    {
      name: 'mse',
      align: (prediction, target) => alignSameShape('mse', prediction, target),
      rows: (prediction, target) => mean(square(sub(prediction, target)), -1),
      total: (prediction, target, scale) =>
        mul(sumSquares(sub(prediction, target)), scale / prediction.shape[prediction.rank - 1]),
    },
    options,
  );
}

/**
 * Mean absolute error: the mean over K of |y - p|. Its gradient at an error of 0 is 0.
 * @remarks prediction and target [B, K] or [B, T, K]. As `mean_absolute_error` of Keras 3.
 */
export function mae(options: LossOptions = {}): Loss {
  return plainLoss(
    {
      name: 'mae',
      align: (prediction, target) => alignSameShape('mae', prediction, target),
      rows: (prediction, target) => mean(abs(sub(prediction, target)), -1),
    },
    options,
  );
}
