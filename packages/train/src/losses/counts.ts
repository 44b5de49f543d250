/**
 * Losses of counts: the Poisson distribution, and the negative binomial for counts that vary more than it
 * allows.
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
import { fitParts, fitSame } from './fit.js';
import { LOSS, type Loss, type LossOptions, makeLoss, plainLoss } from './loss.js';

const EPSILON = 1e-7;

/** Throws for a target below 0 (whole: or with a fraction). */
function checkCounts(loss: string, target: Tensor, at: (i: number) => string, whole: boolean): void {
  const values = hostValues(target, `${loss}: the target`);
  const wrong = values.findIndex((value) => !(value >= 0 && (!whole || Number.isInteger(value))));
  if (wrong < 0) return;
  const [kind, hint] = whole ? ['an integer >= 0', 'counts as they are'] : ['a number >= 0', 'counts'];
  throw valueError(
    `${loss}: the target at ${at(wrong)} is ${values[wrong]}, not ${kind}. Give ${hint}: not differenced, ` +
      'and not scaled by anything that takes a mean away.',
    { target: values[wrong], position: at(wrong) },
  );
}

/**
 * Poisson loss: the mean over K of p - y log(p + 1e-7), the negative log-likelihood of counts y of rate p
 * without its term of y alone. The last layer must give numbers above 0 (`softplus` or `exp`).
 * @remarks prediction and target [B, K] or [B, T, K], targets >= 0. As `Poisson` of Keras 3.
 */
export function poisson(options: LossOptions = {}): Loss {
  const name = 'poisson';
  return plainLoss(
    {
      name,
      fit: (prediction, target) => fitSame(name, prediction, target),
      check: ({ target }, at) => checkCounts(name, target, at, false),
      rows: (prediction, target) => mean(sub(prediction, mul(target, log(add(prediction, EPSILON)))), -1),
    },
    options,
  );
}

export interface NegativeBinomialOptions extends LossOptions {
  /**
   * The target is [..., 2 K]: K counts, then K units > 0 that they are measured in, such as the usual size of
   * their series. Then mu = unit softplus(raw mean) and alpha = softplus(raw alpha) / sqrt(unit), so that one
   * network learns from series of any size (DeepAR, section 3.3). Default false.
   */
  units?: boolean;
}

/**
 * Negative log-likelihood of a negative binomial distribution, the mean over K: counts of mean mu and
 * variance mu + alpha mu² (with r = 1/alpha, the number of failures: p = r / (r + mu)).
 *
 *   -log Γ(y + r) + log Γ(r) + log y! - r log(r / (r + mu)) - y log(mu / (r + mu))
 *
 * @remarks The model's outputs are raw: [..., 2 K], first K of the mean, then K of the dispersion, both any
 * number; mu = softplus(raw mean), alpha = softplus(raw alpha). Target [..., K] of integers >= 0. As
 * DeepAR (Salinas et al. 2020), and PyTorch's `NegativeBinomial(1 / alpha, logits=log(mu alpha))`.
 */
export function negativeBinomialNll(options: NegativeBinomialOptions = {}): Loss {
  const name = 'negativeBinomialNll';
  checkOptions(name, options, { units: 'flag', ...LOSS });
  const { units = false } = options;
  const counts = (target: Tensor): Tensor => (units ? splitParts(target, 2)[0] : target);
  return makeLoss(
    {
      name,
      config: { units },
      fit: (prediction, target) =>
        units ? fitSame(name, prediction, target) : fitParts(name, prediction, target, ['mean', 'alpha']),
      check: ({ target }, at) => checkCounts(name, counts(target), at, true),
      rows(prediction, target) {
        const [m, a] = splitParts(prediction, 2).map(positive) as [Tensor, Tensor];
        if (!units) return mean(negativeBinomialLogLoss(target, m, a), -1);
        const [y, unit] = splitParts(target, 2) as [Tensor, Tensor];
        return mean(negativeBinomialLogLoss(y, mul(m, unit), div(a, sqrt(unit))), -1);
      },
    },
    options,
  );
}

/** The last axis in equal parts. */
export function splitParts(prediction: Tensor, parts: number): Tensor[] {
  const width = prediction.shape[prediction.rank - 1] / parts;
  return Array.from({ length: parts }, (_, i) =>
    reshape(slice(prediction, -1, i * width, (i + 1) * width), [...prediction.shape.slice(0, -1), width]),
  );
}

/** softplus, kept off 0 by so little that only the logarithm and the quotient of it notice. */
export function positive(raw: Tensor): Tensor {
  return maximum(softplus(raw), 1e-10);
}
