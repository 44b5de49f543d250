/**
 * Losses for counts: the Poisson distribution, and the negative binomial for overdispersed counts (variance above the
 * mean).
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

/** Throws for a negative target (with `whole`, also for a fractional one). */
function checkCounts(loss: string, target: Tensor, at: (i: number) => string, whole: boolean): void {
  const values = hostValues(target, `${loss}: the target`);
  const wrong = values.findIndex((value) => !(value >= 0 && (!whole || Number.isInteger(value))));
  if (wrong < 0) return;
  const [kind, hint] = whole ? ['an integer >= 0', 'counts as they are'] : ['a number >= 0', 'counts'];
  throw valueError(
    `${loss}: the target at ${at(wrong)} must be ${kind}, got ${values[wrong]}. Pass ${hint}: not differenced, ` +
      'and not scaled by a scaler that subtracts the mean.',
    { target: values[wrong], position: at(wrong) },
  );
}

/**
 * Poisson loss: the mean over K of p - y log(p + 1e-7), the negative log-likelihood of counts y with rate p, without
 * the term that depends on y alone. The outputs of the last layer must be positive (`softplus` or `exp`).
 * @remarks prediction and target [B, K] or [B, T, K], targets >= 0. As `Poisson` of Keras 3.
 */
export function poisson(options: LossOptions = {}): Loss {
  const name = 'poisson';
  return plainLoss(
    {
      name,
      align: (prediction, target) => alignSameShape(name, prediction, target),
      check: ({ target }, at) => checkCounts(name, target, at, false),
      rows: (prediction, target) => mean(sub(prediction, mul(target, log(add(prediction, EPSILON)))), -1),
    },
    options,
  );
}

export interface NegativeBinomialOptions extends LossOptions {
  /**
   * The target is [..., 2 K]: K counts, then K units > 0 in which they are measured, such as the typical size of
   * their series. Then mu = unit softplus(raw mean) and alpha = softplus(raw alpha) / sqrt(unit), so that one network
   * can learn from series of any size (DeepAR, section 3.3). Default false.
   */
  units?: boolean;
}

/**
 * Negative log-likelihood of a negative binomial distribution, the mean over K: counts with mean mu and variance mu +
 * alpha mu² (with r = 1/alpha, the number of failures: p = r / (r + mu)).
 *
 *   -log Γ(y + r) + log Γ(r) + log y! - r log(r / (r + mu)) - y log(mu / (r + mu))
 *
 * @remarks The model's outputs are raw: [..., 2 K], first K means, then K dispersions, both unrestricted; mu =
 * softplus(raw mean), alpha = softplus(raw alpha). Target [..., K] of integers >= 0. As in DeepAR (Salinas et al.
 * 2020), and PyTorch's `NegativeBinomial(1 / alpha, logits=log(mu alpha))`.
 */
export function negativeBinomialNll(options: NegativeBinomialOptions = {}): Loss {
  const name = 'negativeBinomialNll';
  checkOptions(name, options, { units: 'boolean', ...LOSS_OPTIONS });
  const { units = false } = options;
  const counts = (target: Tensor): Tensor => (units ? splitParts(target, 2)[0] : target);
  return makeLoss(
    {
      name,
      config: { units },
      align: (prediction, target) =>
        units
          ? alignSameShape(name, prediction, target)
          : alignParts(name, prediction, target, ['mean', 'alpha']),
      check: ({ target }, at) => checkCounts(name, counts(target), at, true),
      rows(prediction, target) {
        const [m, a] = splitParts(prediction, 2).map(toPositive) as [Tensor, Tensor];
        if (!units) return mean(negativeBinomialLogLoss(target, m, a), -1);
        const [y, unit] = splitParts(target, 2) as [Tensor, Tensor];
        return mean(negativeBinomialLogLoss(y, mul(m, unit), div(a, sqrt(unit))), -1);
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

/** softplus plus a tiny constant, which affects only its logarithm and its quotient near 0. */
export function toPositive(raw: Tensor): Tensor {
  return maximum(softplus(raw), 1e-10);
}
