/** The normal distribution as a loss, for models that predict a mean and its uncertainty. */
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
  /** The meaning of the second half of the outputs: raw scales, or the variance itself. Default `scale`. */
  spread?: 'scale' | 'variance';
  /** Include the constant log(2π)/2, so that losses of different distributions can be compared. Default true. */
  full?: boolean;
  /** The minimum variance with `spread: 'variance'`; the gradient passes through it. Default 1e-6. */
  epsilon?: number;
}

/**
 * Negative log-likelihood of a normal distribution, the mean over K: log s + ((y - m) / s)² / 2 + log(2π)/2.
 * @remarks The model's outputs are [..., 2 K], first K means m, then K unrestricted raw scales: s = softplus(raw).
 * With `spread: 'variance'`, the second half is the variance v = s² itself, at least `epsilon`, as in PyTorch's
 * `GaussianNLLLoss`; these outputs must be positive. Target [..., K].
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
        const v = add(second, stopGradient(sub(maximum(second, epsilon), second)));
        return add(mul(mean(add(log(v), div(square(error), v)), -1), 0.5), constant);
      },
    },
    options,
  );
}
