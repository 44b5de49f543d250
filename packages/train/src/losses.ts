/** Losses: how wrong a prediction is, as one number. All average over the elements that count. */
import { formatShape, mean, mul, type Shape, shapeError, square, sub, sum, type Tensor } from '@unroll/core';

export interface Loss {
  readonly name: string;
  /**
   * The loss of one batch, a scalar.
   * @param mask [B] or [B, T], 1 where an element counts; null: everywhere. The mean is over what counts.
   */
  compute(prediction: Tensor, target: Tensor, mask: Tensor | null): Tensor;
}

/** Mean squared error. */
export function mse(): Loss {
  return {
    name: 'mse',
    compute(prediction, target, mask) {
      checkSame('mse', prediction.shape, target.shape);
      const perItem = mean(square(sub(prediction, target)), -1);
      return mask ? maskedMean(perItem, mask) : mean(perItem);
    },
  };
}

/** Σ value·mask / Σ mask. */
function maskedMean(value: Tensor, mask: Tensor): Tensor {
  let count = 0;
  for (const m of mask.dataSync()) count += m;
  return mul(sum(mul(value, mask)), count > 0 ? 1 / count : 0);
}

function checkSame(loss: string, prediction: Shape, target: Shape): void {
  if (formatShape(prediction) === formatShape(target)) return;
  throw shapeError(
    `${loss}: the model predicts ${formatShape(prediction)} and the target is ${formatShape(target)}. ` +
      'Give the last layer as many units as the target has columns, and returnSequences where the target has steps.',
    { prediction, target },
  );
}
