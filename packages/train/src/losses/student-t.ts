/** Student's t-distribution as a loss: like the normal distribution, but robust to a few large errors. */
import { add, mean, softplus, studentTLogLoss, type Tensor } from '@unroll/core';
import { alignParts } from './align.js';
import { splitParts, toPositive } from './counts.js';
import { type Loss, type LossOptions, plainLoss } from './loss.js';

/**
 * Negative log-likelihood of Student's t-distribution, the mean over K, with z = (y - loc) / scale:
 *
 *   -log Γ((df + 1)/2) + log Γ(df/2) + log(df π)/2 + log scale + (df + 1)/2 log(1 + z²/df)
 *
 * @remarks The model's outputs are raw: [..., 3 K], first K locations, then K raw scales, then K raw degrees of
 * freedom, all unrestricted; scale = softplus(raw), df = 2 + softplus(raw), which keeps the variance finite. Target
 * [..., K]. As PyTorch's `StudentT(df, loc, scale)`, and GluonTS's output of that name.
 */
export function studentTNll(options: LossOptions = {}): Loss {
  const name = 'studentTNll';
  return plainLoss(
    {
      name,
      align: (prediction, target) =>
        alignParts(name, prediction, target, ['location', 'scale', 'degrees of freedom']),
      rows(prediction, target) {
        const [loc, rawScale, rawDf] = splitParts(prediction, 3) as [Tensor, Tensor, Tensor];
        return mean(studentTLogLoss(target, add(softplus(rawDf), 2), loc, toPositive(rawScale)), -1);
      },
    },
    options,
  );
}
