/** The scalar functions of the reference backend: elementwise kernels, and activations of recurrent cells. */
import type { ActivationName, BinaryName, UnaryName } from '../backend.js';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const hardSigmoid = (x: number): number => Math.min(1, Math.max(0, x / 6 + 0.5));

export const unaryFunctions: Record<UnaryName, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  square: (x) => x * x,
  sqrt: Math.sqrt,
  reciprocal: (x) => 1 / x,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  sigmoid,
  hardSigmoid,
  relu: (x) => Math.max(x, 0),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  floor: Math.floor,
  log1p: Math.log1p,
  erf,
  isFinite: (x) => (Number.isFinite(x) ? 1 : 0),
};

/** Each *Grad function takes the output y of its function and the gradient g of y. */
export const binaryFunctions: Record<BinaryName, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  max: Math.max,
  min: Math.min,
  // pow as in IEEE 754. JavaScript returns NaN instead of 1 for 1 ** NaN, 1 ** ±Infinity and (-1) ** ±Infinity.
  pow: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b),
  eq: (a, b) => (a === b ? 1 : 0),
  gt: (a, b) => (a > b ? 1 : 0),
  ge: (a, b) => (a >= b ? 1 : 0),
  tanhGrad: (y, g) => g * derivatives.tanh(y),
  sigmoidGrad: (y, g) => g * derivatives.sigmoid(y),
  hardSigmoidGrad: (y, g) => g * derivatives.hardSigmoid(y),
  reluGrad: (y, g) => g * derivatives.relu(y),
};

export const activations: Record<ActivationName, (x: number) => number> = {
  tanh: Math.tanh,
  sigmoid,
  relu: unaryFunctions.relu,
  hardSigmoid,
  linear: (x) => x,
};

/** The derivative of each activation as a function of its output y. */
export const derivatives: Record<ActivationName, (y: number) => number> = {
  tanh: (y) => 1 - y * y,
  sigmoid: (y) => y * (1 - y),
  relu: (y) => (y > 0 ? 1 : 0),
  hardSigmoid: (y) => (y > 0 && y < 1 ? 1 / 6 : 0),
  linear: () => 1,
};

/** The error function: the Maclaurin series for |x| < 2, the continued fraction of erfc for larger |x|. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a > 6) return Math.sign(x);
  if (a < 2) {
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total) && n < 100; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let k = 60; k >= 1; k--) fraction = k / 2 / (a + fraction);
  const erfc = Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction));
  return Math.sign(x) * (1 - erfc);
}
