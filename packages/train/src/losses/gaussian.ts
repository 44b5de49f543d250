/** The loss for models that predict a normal distribution: its mean, and its scale or variance. */
import {
  add,
  div,
  log,
  maximum,
  mean,
  mul,
  square,
  stopGradient,
  sub,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { alignParts } from './align.js';
import { splitParts, toPositive } from './counts.js';
import { LOSS_OPTIONS, type Loss, type LossOptions, makeLoss } from './loss.js';

const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

export interface GaussianOptions extends LossOptions {
  /**
   * Meaning of the second half of the outputs: `scale` (raw scales: the standard deviation is their softplus) or `variance`.
   * Default `scale`.
   */
  spread?: 'scale' | 'variance';
  /** Include the constant log(2π)/2, which makes losses of different distributions comparable. Default true. */
  full?: boolean;
  /** Minimum variance with `spread: 'variance'`. Smaller outputs still receive a gradient. Default 1e-6. */
  epsilon?: number;
}

/**
 * Negative log-likelihood of a normal distribution with mean m and standard deviation s: the mean over K of
 * log s + ((y - m) / s)² / 2 + log(2π)/2.
 * @remarks The outputs of the model are [..., 2 K], first K means, then K unrestricted raw scales; s = softplus(raw scale).
 * With `spread: 'variance'`, the second half is the variance s², which must be positive and is raised to at least
 * `epsilon`, as in PyTorch's `GaussianNLLLoss`. Target [..., K].
 */
export function gaussianNll(options: GaussianOptions = {}): Loss {
  const name = 'gaussianNll';
  checkOptions(name, options, { spread: true, full: 'boolean', epsilon: 'number', ...LOSS_OPTIONS });
  const { spread = 'scale', full = true, epsilon = 1e-6 } = options;
  if (spread !== 'scale' && spread !== 'variance') {
    throw valueError(`${name}: spread must be 'scale' or 'variance', got ${formatValue(spread)}.`, {
      spread,
    });
  }
  const constant = full ? HALF_LOG_TWO_PI : 0;
  return makeLoss(
    {
      name,
      config: { spread, full, epsilon },
      align: (prediction, target) => alignParts(name, prediction, target, ['mean', spread]),
      rows(prediction, target) {
        const [m, second] = splitParts(prediction, 2) as [Tensor, Tensor];
        const error = sub(target, m);
        if (spread === 'scale') {
          const s = toPositive(second);
          return add(mean(add(log(s), mul(square(div(error, s)), 0.5)), -1), constant);
        }
        // The value is at least epsilon, the gradient is that of `second`.
        const v = add(second, stopGradient(sub(maximum(second, epsilon), second)));
        return add(mul(mean(add(log(v), div(square(error), v)), -1), 0.5), constant);
      },
    },
    options,
  );
}
