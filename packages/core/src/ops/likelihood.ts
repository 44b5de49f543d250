/**
 * Negative log-likelihoods of distributions whose formulas suffer from cancellation in float32 (differences of log
 * Γ). Each op computes the value and the derivatives of one element in double precision, without intermediate
 * tensors.
 */
import { formatShape, shapeError } from '../errors.js';
import { apply1, NONE, type NoAttributes, type Op } from '../op.js';
import { openScope } from '../runtime.js';
import { digamma, lgamma, logRemainder, stirlingRemainder } from '../special.js';
import { asTensor, hostValues, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';
import { mul } from './elementwise.js';

/**
 * Writes to `out` the value for a target y and up to three parameters, followed by the derivatives with respect to
 * these.
 */
type Formula = (y: number, p: number, q: number, r: number, out: Float64Array) => void;

/** An op over the elements of inputs of equal shape, the first of which is the target. */
function elementOp(name: string, formula: Formula): Op<NoAttributes, readonly Tensor[]> {
  return {
    name,
    shapes(inputs) {
      const [first] = inputs;
      if (inputs.some((shape) => formatShape(shape) !== formatShape(first))) {
        throw shapeError(
          `${name}: all inputs must have the same shape, got ${inputs.map(formatShape).join(', ')}.`,
        );
      }
      return [first];
    },
    forward({ inputs, outputs: [y], saving }) {
      const { backend } = openScope();
      const [target, p, q, r] = inputs.map((input) => hostValues(input, `An input of ${name}`));
      const results = inputs.map(() => new backend.float(y.size));
      const out = new Float64Array(inputs.length);
      for (let i = 0; i < y.size; i++) {
        formula(target[i], p[i], q[i], r ? r[i] : 0, out);
        for (let n = 0; n < out.length; n++) results[n][i] = out[n];
      }
      backend.write(y.block(), results[0]);
      return saving ? results : null;
    },
    backward({ inputs, saved, grads: [g], needs }) {
      const results = saved as Float64Array[];
      return inputs.map((input, n) => {
        if (n === 0 || !needs[n]) return null;
        const slope = temporaryTensor(input.shape);
        openScope().backend.write(slope.block(), results[n]);
        return mul(g, slope);
      });
    },
  };
}

/** Student's t: degrees of freedom v, location m, scale s. */
const studentT: Formula = (y, v, m, s, out) => {
  const z = (y - m) / s;
  const u = (z * z) / v;
  const grown = Math.log1p(u);
  const half = (v + 1) / 2;
  const pull = ((v + 1) * z) / (v * (1 + u)); // the derivative with respect to z
  out[0] = lgamma(v / 2) - lgamma(half) + 0.5 * Math.log(v * Math.PI) + Math.log(s) + half * grown;
  out[1] = 0.5 * (digamma(v / 2) - digamma(half) + 1 / v + grown) - (half * u) / (v * (1 + u));
  out[2] = -pull / s;
  out[3] = (1 - pull * z) / s;
};

/**
 * Negative binomial of mean mu and variance mu + a mu². With r = 1/a the log-likelihood is
 *   D - log(1 + a mu) / a + y log mu - y log(1 + a mu) - log y!,  D = log Γ(y + r) - log Γ(r) - y log r,
 * which for a to 0 becomes the Poisson distribution's without cancelling.
 */
const negativeBinomial: Formula = (y, mu, a, _, out) => {
  const u = a * mu;
  const grown = Math.log1p(u);
  const ofMean = y === 0 ? 0 : y * Math.log(mu);
  risingPower(y, a, out);
  out[0] = lgamma(y + 1) - out[0] + (u === 0 ? mu : grown / a) - ofMean + y * grown;
  out[1] = (mu - y) / (mu * (1 + u));
  out[2] = (y * mu) / (1 + u) - mu * mu * logRemainder(u) - out[2];
};

/**
 * Writes to out[0]: D = log Γ(y + 1/a) - log Γ(1/a) + y log a, the sum of log(1 + k a) over integers k < y; to
 * out[2]: its derivative with respect to a.
 */
function risingPower(y: number, a: number, out: Float64Array): void {
  const r = 1 / a;
  if (r < 100) {
    out[0] = lgamma(y + r) - lgamma(r) + y * Math.log(a);
    out[2] = r * (y - r * (digamma(y + r) - digamma(r)));
    return;
  }
  // Stirling's series of both, subtracted term by term.
  const u = y * a;
  // Slope of the rest, times -x².
  const slope = (x: number): number => 1 / 12 - 1 / (120 * x * x) + 1 / (252 * x ** 4);
  const bySlopes = slope(y + r) / (1 + u) ** 2 - slope(r);
  out[0] = Math.log1p(u) * (r + y - 0.5) - y + stirlingRemainder(y + r) - stirlingRemainder(r);
  out[2] = ((y - 0.5) * y) / (1 + u) - y * y * logRemainder(u) + bySlopes;
}

export const likelihoodOps = {
  studentTLogLoss: elementOp('studentTLogLoss', studentT),
  negativeBinomialLogLoss: elementOp('negativeBinomialLogLoss', negativeBinomial),
};

/**
 * Negative log-likelihood of each element of `target` under Student's t-distribution.
 * @param freedom degrees of freedom, > 0
 * @param scale > 0; all tensors have one shape
 */
export function studentTLogLoss(
  target: TensorLike,
  freedom: Tensor,
  location: Tensor,
  scale: Tensor,
): Tensor {
  return apply1(likelihoodOps.studentTLogLoss, [asTensor(target), freedom, location, scale], NONE);
}

/**
 * Negative log-likelihood of each count in `target` under a negative binomial distribution of variance
 * mean + dispersion mean².
 * @param mean > 0
 * @param dispersion > 0; all tensors have one shape
 */
export function negativeBinomialLogLoss(target: TensorLike, mean: Tensor, dispersion: Tensor): Tensor {
  return apply1(likelihoodOps.negativeBinomialLogLoss, [asTensor(target), mean, dispersion], NONE);
}
