/**
 * Negative log-likelihoods of Student's t and the negative binomial distribution. Their formulas contain differences of
 * log Γ, which suffer from cancellation in float32. Therefore each op computes values and derivatives element by element in
 * double precision.
 */
import { formatShape, shapeError } from '../errors.js';
import { apply1, NO_ATTRIBUTES, type NoAttributes, type Op } from '../op.js';
import { currentScope } from '../runtime.js';
import { digamma, lgamma, logRemainder, stirlingRemainder } from '../special.js';
import { asTensor, hostValues, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';
import { mul } from './elementwise.js';

/**
 * Computes one element from a target y and up to three parameters p, q and r. Writes to `out` the value, then the
 * derivative with respect to each parameter.
 */
type Formula = (y: number, p: number, q: number, r: number, out: Float64Array) => void;

/** Creates an op that applies a formula to each element. The first input is the target; all inputs have the same shape. */
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
      const { backend } = currentScope();
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
        const derivative = temporaryTensor(input.shape);
        currentScope().backend.write(derivative.block(), results[n]);
        return mul(g, derivative);
      });
    },
  };
}

/** Student's t-distribution: degrees of freedom v, location m, scale s. */
const studentT: Formula = (y, v, m, s, out) => {
  const z = (y - m) / s;
  const u = (z * z) / v;
  const log1pU = Math.log1p(u);
  const half = (v + 1) / 2;
  const dz = ((v + 1) * z) / (v * (1 + u)); // derivative with respect to z
  out[0] = lgamma(v / 2) - lgamma(half) + 0.5 * Math.log(v * Math.PI) + Math.log(s) + half * log1pU;
  out[1] = 0.5 * (digamma(v / 2) - digamma(half) + 1 / v + log1pU) - (half * u) / (v * (1 + u));
  out[2] = -dz / s;
  out[3] = (1 - dz * z) / s;
};

/**
 * Negative binomial distribution with mean mu and variance mu + a mu². With r = 1/a, the log-likelihood is
 *   D - log(1 + a mu) / a + y log mu - y log(1 + a mu) - log y!,  D = log Γ(y + r) - log Γ(r) - y log r.
 * As a → 0, this form converges to the log-likelihood of the Poisson distribution without cancellation.
 */
const negativeBinomial: Formula = (y, mu, a, _, out) => {
  const u = a * mu;
  const log1pU = Math.log1p(u);
  const yLogMu = y === 0 ? 0 : y * Math.log(mu);
  logGammaDifference(y, a, out);
  out[0] = lgamma(y + 1) - out[0] + (u === 0 ? mu : log1pU / a) - yLogMu + y * log1pU;
  out[1] = (mu - y) / (mu * (1 + u));
  out[2] = (y * mu) / (1 + u) - mu * mu * logRemainder(u) - out[2];
};

/**
 * Writes D = log Γ(y + 1/a) - log Γ(1/a) + y log a to out[0], and its derivative with respect to a to out[2]. For an
 * integer y, D is the sum of log(1 + k a) over k = 0, ..., y - 1.
 */
function logGammaDifference(y: number, a: number, out: Float64Array): void {
  const r = 1 / a;
  if (r < 100) {
    out[0] = lgamma(y + r) - lgamma(r) + y * Math.log(a);
    out[2] = r * (y - r * (digamma(y + r) - digamma(r)));
    return;
  }
  // Stirling's series of log Γ(y + r) and of log Γ(r), subtracted term by term.
  const u = y * a;
  // -x² times the derivative of the remainder of Stirling's approximation.
  const scaledDerivative = (x: number): number => 1 / 12 - 1 / (120 * x * x) + 1 / (252 * x ** 4);
  const remainderDerivative = scaledDerivative(y + r) / (1 + u) ** 2 - scaledDerivative(r);
  out[0] = Math.log1p(u) * (r + y - 0.5) - y + stirlingRemainder(y + r) - stirlingRemainder(r);
  out[2] = ((y - 0.5) * y) / (1 + u) - y * y * logRemainder(u) + remainderDerivative;
}

export const likelihoodOps = {
  studentTLogLoss: elementOp('studentTLogLoss', studentT),
  negativeBinomialLogLoss: elementOp('negativeBinomialLogLoss', negativeBinomial),
};

/**
 * Returns the negative log-likelihood of each element of `target` under Student's t-distribution. All tensors must have
 * the same shape.
 * @param freedom the degrees of freedom, > 0
 * @param scale the scale parameter, > 0
 */
export function studentTLogLoss(
  target: TensorLike,
  freedom: Tensor,
  location: Tensor,
  scale: Tensor,
): Tensor {
  return apply1(likelihoodOps.studentTLogLoss, [asTensor(target), freedom, location, scale], NO_ATTRIBUTES);
}

/**
 * Returns the negative log-likelihood of each count in `target` under a negative binomial distribution with variance
 * mean + dispersion mean². All tensors must have the same shape.
 * @param mean the mean, > 0
 * @param dispersion the dispersion parameter, > 0
 */
export function negativeBinomialLogLoss(target: TensorLike, mean: Tensor, dispersion: Tensor): Tensor {
  return apply1(likelihoodOps.negativeBinomialLogLoss, [asTensor(target), mean, dispersion], NO_ATTRIBUTES);
}
