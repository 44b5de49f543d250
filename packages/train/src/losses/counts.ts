/**
 * Losses for counts: Poisson, and negative binomial for overdispersed counts (variance greater than the mean).
 */
import {
  add,
  div,
  log,
  maximum,
  mean,
  mul,
  negativeBinomialLogLoss,
  reshape,
  slice,
  softplus,
  sqrt,
  sub,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, hostValues } from '@unroll/core/internal';
import { alignParts, alignSameShape } from './align.js';
import { LOSS_OPTIONS, type Loss, type LossOptions, makeLoss, plainLoss } from './loss.js';

const EPSILON = 1e-7;

/** Throws for a target that is negative or NaN, or, if `integers`, not an integer. */
function checkCounts(
  loss: string,
  target: Tensor,
  positionOf: (i: number) => string,
  integers: boolean,
): void {
  const values = hostValues(target, `${loss}: the target`);
  const index = values.findIndex((value) => !(value >= 0 && (!integers || Number.isInteger(value))));
  if (index < 0) return;
  const kind = integers ? 'an integer >= 0' : 'a number >= 0';
  throw valueError(
    `${loss}: the target at ${positionOf(index)} must be ${kind}, got ${values[index]}. Pass counts ` +
      'without differencing and without a scaler that subtracts the mean.',
    { target: values[index], position: positionOf(index) },
  );
}

/**
 * Poisson loss: the mean over K of p - y log(p + 1e-7), the negative log-likelihood of counts y for the rate p, without
 * the term that depends only on y. The last layer must have positive outputs (activation `softplus` or `exp`).
 * @remarks prediction and target [B, K] or [B, T, K], targets >= 0. As `Poisson` of Keras 3.
 */
export function poisson(options: LossOptions = {}): Loss {
  const name = 'poisson';
  return plainLoss(
    {
      name,
      align: (prediction, target) => alignSameShape(name, prediction, target),
      check: ({ target }, positionOf) => checkCounts(name, target, positionOf, false),
      rows: (prediction, target) => mean(sub(prediction, mul(target, log(add(prediction, EPSILON)))), -1),
    },
    options,
  );
}

export interface NegativeBinomialOptions extends LossOptions {
  /**
   * Scale the distribution of each count, so that one network can learn from series of different magnitudes (DeepAR,
   * section 3.3). The target is then [..., 2 K]: first K counts, then for each of them the scale > 0, such as the mean of its
   * series; mu = scale softplus(raw mean), alpha = softplus(raw alpha) / sqrt(scale). Default false.
   */
  units?: boolean;
}

/**
 * Negative log-likelihood of counts y with a negative binomial distribution of mean mu and variance mu + alpha mu²; the
 * mean over K. With r = 1/alpha:
 *
 *   -log Γ(y + r) + log Γ(r) + log y! - r log(r / (r + mu)) - y log(mu / (r + mu))
 *
 * @remarks The outputs of the model are [..., 2 K], first K raw means, then K raw dispersions, all unrestricted; mu =
 * softplus(raw mean), alpha = softplus(raw alpha). Target [..., K] of integers >= 0. Equals the loss of DeepAR (Salinas et
 * al. 2020) and of PyTorch's `NegativeBinomial(1 / alpha, logits=log(mu alpha))`.
 */
export function negativeBinomialNll(options: NegativeBinomialOptions = {}): Loss {
  const name = 'negativeBinomialNll';
  checkOptions(name, options, { units: 'boolean', ...LOSS_OPTIONS });
  const { units = false } = options;
  const countsOf = (target: Tensor): Tensor => (units ? splitParts(target, 2)[0] : target);
  return makeLoss(
    {
      name,
      config: { units },
      align: (prediction, target) =>
        units
          ? alignSameShape(name, prediction, target)
          : alignParts(name, prediction, target, ['mean', 'alpha']),
      check: ({ target }, positionOf) => checkCounts(name, countsOf(target), positionOf, true),
      rows(prediction, target) {
        const [mu, alpha] = splitParts(prediction, 2).map(toPositive) as [Tensor, Tensor];
        if (!units) return mean(negativeBinomialLogLoss(target, mu, alpha), -1);
        const [y, scale] = splitParts(target, 2) as [Tensor, Tensor];
        return mean(negativeBinomialLogLoss(y, mul(mu, scale), div(alpha, sqrt(scale))), -1);
      },
    },
    options,
  );
}

/** Splits the last axis into equal parts. */
export function splitParts(prediction: Tensor, parts: number): Tensor[] {
  const width = prediction.shape[prediction.rank - 1] / parts;
  return Array.from({ length: parts }, (_, i) =>
    reshape(slice(prediction, -1, i * width, (i + 1) * width), [...prediction.shape.slice(0, -1), width]),
  );
}

/** Returns softplus(raw), but at least 1e-10, so that its logarithm and its reciprocal are finite. */
export function toPositive(raw: Tensor): Tensor {
  return maximum(softplus(raw), 1e-10);
}
