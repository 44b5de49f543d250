/** The loss for models that predict a Student's t-distribution, which is less sensitive to outliers than the normal one. */
import { add, mean, softplus, studentTLogLoss, type Tensor } from '@unroll/core';
import { alignParts } from './align.js';
import { splitParts, toPositive } from './counts.js';
import { type Loss, type LossOptions, plainLoss } from './loss.js';

/**
 * Negative log-likelihood of Student's t-distribution with df degrees of freedom; the mean over the K target values. With
 * z = (y - loc) / scale:
 *
 *   -log Γ((df + 1)/2) + log Γ(df/2) + log(df π)/2 + log scale + (df + 1)/2 log(1 + z²/df)
 *
 * @remarks The outputs of the model are [..., 3 K], first K locations, then K raw scales, then K raw degrees of freedom, all
 * unrestricted; scale = softplus(raw scale), df = 2 + softplus(raw df), which keeps the variance finite. Target [..., K].
 * As `StudentT(df, loc, scale)` of PyTorch and `StudentTOutput` of GluonTS.
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
