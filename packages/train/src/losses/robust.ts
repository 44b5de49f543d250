/** Losses that are quadratic for small errors and linear for large errors, which limits the influence of outliers. */
import { abs, add, log1p, mean, minimum, mul, square, sub, tanh, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { alignSameShape } from './align.js';
import { LOSS_OPTIONS, type Loss, type LossOptions, makeLoss, plainLoss } from './loss.js';

export interface HuberOptions extends LossOptions {
  /** Absolute error up to which the loss is quadratic. Default 1. */
  delta?: number;
}

/**
 * Huber loss (Huber 1964): the mean over K of e²/2 if |e| <= delta, otherwise delta |e| - delta²/2, with e = y - p.
 * @remarks prediction and target [B, K] or [B, T, K]. As `Huber` of Keras 3.
 */
export function huber(options: HuberOptions = {}): Loss {
  checkOptions('huber', options, { delta: 'number', ...LOSS_OPTIONS });
  const { delta = 1 } = options;
  if (!(delta > 0 && delta < Number.POSITIVE_INFINITY))
    throw valueError(`huber: delta must be a finite number above 0, got ${delta}.`, { delta });
  return makeLoss(
    {
      name: 'huber',
      config: { delta },
      align: (prediction, target) => alignSameShape('huber', prediction, target),
      rows(prediction, target) {
        // With q = min(|e|, delta), both cases equal q²/2 + delta (|e| - q).
        const absError = abs(sub(prediction, target));
        const q = minimum(absError, delta);
        return mean(add(mul(square(q), 0.5), mul(sub(absError, q), delta)), -1);
      },
    },
    options,
  );
}

/**
 * Log-cosh loss: the mean over K of log cosh e, with e = y - p; about e²/2 for small errors and |e| - log 2 for large errors.
 * @remarks prediction and target [B, K] or [B, T, K]. As `LogCosh` of Keras 3, but computed as |e| - log(1 + tanh |e|),
 * which does not overflow and is accurate for small errors.
 */
export function logCosh(options: LossOptions = {}): Loss {
  return plainLoss(
    {
      name: 'logCosh',
      align: (prediction, target) => alignSameShape('logCosh', prediction, target),
      rows(prediction, target) {
        const absError = abs(sub(prediction, target));
        return mean(sub(absError, log1p(tanh(absError))), -1);
      },
    },
    options,
  );
}
