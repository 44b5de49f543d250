/**
 * The elementwise operations and the reductions over axes that `tensorOperation` can apply; tensor-operation.ts adds the
 * others (`reshape`, `slice`, `matmul`, ...). Axis 0 is the batch. Operations with parameters (alpha, beta) are defined as in
 * ONNX.
 */
import {
  abs,
  add,
  div,
  equal,
  erf,
  exp,
  floor,
  greater,
  greaterEqual,
  hardSigmoid,
  log,
  max,
  maximum,
  mean,
  min,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  relu,
  sigmoid,
  sign,
  softplus,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
} from '@unroll/core';

/** Parameters of elementwise operations. */
export interface OperationNumbers {
  alpha?: number;
  beta?: number;
  /** Bounds of `clip`. Default: none. */
  low?: number;
  high?: number;
}

type Elementwise = (inputs: readonly Tensor[], numbers: OperationNumbers) => Tensor;

/** Returns 1 where x is not 0, else 0. */
const truth = (x: Tensor): Tensor => sub(1, equal(x, 0));
const clip = (x: Tensor, { low, high }: OperationNumbers): Tensor => {
  const limitedBelow = low === undefined ? x : maximum(x, low);
  return high === undefined ? limitedBelow : minimum(limitedBelow, high);
};
/** max(x, 0) + alpha (e^min(x, 0) - 1) */
const elu = (x: Tensor, alpha: number): Tensor => add(relu(x), mul(sub(exp(minimum(x, 0)), 1), alpha));
/** Rounds to the nearest integer, ties to even. */
const round = (x: Tensor): Tensor => {
  const up = floor(add(x, 0.5));
  const odd = sub(up, mul(floor(mul(up, 0.5)), 2));
  return sub(up, mul(equal(sub(up, x), 0.5), odd));
};
/** x - y floor(x / y): the remainder with the sign of y; NaN if y is 0 or infinite */
const modulo = (x: Tensor, y: Tensor): Tensor => sub(x, mul(y, floor(div(x, y))));
/** √(2/π), for the approximation of gelu */
const GELU = 0.7978845608028654;
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

export const elementwise = {
  abs: ([x]) => abs(x),
  add: ([x, y]) => add(x, y),
  and: ([x, y]) => mul(truth(x), truth(y)),
  ceil: ([x]) => neg(floor(neg(x))),
  celu: ([x], { alpha = 1 }) => add(relu(x), mul(sub(exp(div(minimum(x, 0), alpha)), 1), alpha)),
  clip: ([x], numbers) => clip(x, numbers),
  divide: ([x, y]) => div(x, y),
  elu: ([x], { alpha = 1 }) => elu(x, alpha),
  equal: ([x, y]) => equal(x, y),
  erf: ([x]) => erf(x),
  exp: ([x]) => exp(x),
  floor: ([x]) => floor(x),
  /** x Φ(x), with Φ approximated by tanh */
  geluTanh: ([x]) => mul(mul(x, 0.5), add(tanh(mul(add(x, mul(mul(mul(x, x), x), 0.044715)), GELU)), 1)),
  greater: ([x, y]) => greater(x, y),
  greaterEqual: ([x, y]) => greaterEqual(x, y),
  hardSigmoid: ([x], { alpha = 0.2, beta = 0.5 }) => clip(add(mul(x, alpha), beta), { low: 0, high: 1 }),
  hardSwish: ([x]) => mul(x, hardSigmoid(x)),
  leakyRelu: ([x], { alpha = 0.01 }) => add(mul(relu(x), 1 - alpha), mul(x, alpha)),
  less: ([x, y]) => greater(y, x),
  lessEqual: ([x, y]) => greaterEqual(y, x),
  /** alpha x + beta */
  linear: ([x], { alpha = 1, beta = 0 }) => add(mul(x, alpha), beta),
  log: ([x]) => log(x),
  maximum: ([x, y]) => maximum(x, y),
  minimum: ([x, y]) => minimum(x, y),
  mish: ([x]) => mul(x, tanh(softplus(x))),
  modulo: ([x, y]) => modulo(x, y),
  multiply: ([x, y]) => mul(x, y),
  negative: ([x]) => neg(x),
  not: ([x]) => equal(x, 0),
  or: ([x, y]) => maximum(truth(x), truth(y)),
  power: ([x, y]) => pow(x, y),
  /** x if x > 0, else slope · x */
  prelu: ([x, slope]) => sub(relu(x), mul(slope, relu(neg(x)))),
  reciprocal: ([x]) => reciprocal(x),
  relu: ([x]) => relu(x),
  round: ([x]) => round(x),
  /** alpha tanh(beta x) */
  scaledTanh: ([x], { alpha = 1, beta = 1 }) => mul(tanh(mul(x, beta)), alpha),
  selu: ([x], { alpha = SELU_ALPHA, beta = SELU_SCALE }) => mul(elu(x, alpha), beta),
  /** x moved towards 0 by beta; 0 if |x| <= alpha */
  shrink: ([x], { alpha = 0.5, beta = 0 }) => mul(greater(abs(x), alpha), sub(x, mul(sign(x), beta))),
  sigmoid: ([x]) => sigmoid(x),
  sign: ([x]) => sign(x),
  softplus: ([x]) => softplus(x),
  softsign: ([x]) => div(x, add(abs(x), 1)),
  sqrt: ([x]) => sqrt(x),
  square: ([x]) => square(x),
  subtract: ([x, y]) => sub(x, y),
  tanh: ([x]) => tanh(x),
  /** x if x > alpha, else 0 */
  thresholdedRelu: ([x], { alpha = 1 }) => mul(x, greater(x, alpha)),
  /** Rounds towards 0. */
  truncate: ([x]) => mul(sign(x), floor(abs(x))),
  where: ([condition, x, y]) => {
    const chosen = truth(condition);
    return add(mul(chosen, x), mul(sub(1, chosen), y));
  },
  xor: ([x, y]) => abs(sub(truth(x), truth(y))),
} satisfies Record<string, Elementwise>;

export type ElementwiseName = keyof typeof elementwise;

/** Number of operands of the operations that have more than one. */
export const OPERANDS: Partial<Record<ElementwiseName, number>> = {
  ...Object.fromEntries(
    [
      ...['add', 'and', 'divide', 'equal', 'greater', 'greaterEqual', 'less', 'lessEqual', 'maximum'],
      ...['minimum', 'modulo', 'multiply', 'or', 'power', 'prelu', 'subtract', 'xor'],
    ].map((name) => [name, 2]),
  ),
  where: 3,
};

/** Reductions over axes. */
export const reductions = {
  sum,
  mean,
  max,
  min,
  norm1: (x, axes, keepDims) => sum(abs(x), axes, keepDims),
  norm2: (x, axes, keepDims) => sqrt(sum(square(x), axes, keepDims)),
  sumSquare: (x, axes, keepDims) => sum(square(x), axes, keepDims),
  /** log Σ e^x, computed without overflow */
  logSumExp: (x, axes, keepDims) => {
    const largest = max(x, axes, true);
    const total = log(sum(exp(sub(x, largest)), axes, true));
    const result = add(largest, total);
    return keepDims ? result : sum(result, axes, false);
  },
} satisfies Record<string, (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor>;

export type ReductionName = keyof typeof reductions;
