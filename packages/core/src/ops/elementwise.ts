/** Elementwise ops and their gradients. Binary ops broadcast as in NumPy. */
import type { BinaryName, UnaryName } from '../backend.js';
import { apply1, NO_ATTRIBUTES, type NoAttributes, type Op } from '../op.js';
import { broadcastShapes, broadcastStrides, collapse, sameShape } from '../shape.js';
import { asTensor, type Tensor, type TensorLike } from '../tensor.js';

type UnaryOp = Op<NoAttributes, readonly [Tensor]>;
type BinaryOp = Op<NoAttributes, readonly [Tensor, Tensor]>;

/** Returns the gradient of x from the gradient g of y = op(x). */
type UnaryGradient = (g: Tensor, x: Tensor, y: Tensor) => Tensor | null;

function unaryOp(name: UnaryName, gradient: UnaryGradient): UnaryOp {
  return {
    name,
    shapes: ([x]) => [x],
    forward({ inputs: [x], outputs: [y], kernels }) {
      kernels.unary(name, x.block(), y.block());
    },
    backward: ({ inputs: [x], outputs: [y], grads: [g] }) => [gradient(g, x, y)],
  };
}

/** Strides of an operand that has the shape of the result, and of a scalar. */
const DENSE = [1];
const SCALAR = [0];

/** Returns the gradient of one operand from the gradient g of y = op(a, b). */
type BinaryGradient = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor | null;

function binaryOp(name: BinaryName, gradA: BinaryGradient, gradB: BinaryGradient): BinaryOp {
  return {
    name,
    shapes: ([a, b]) => [broadcastShapes(name, a, b)],
    forward({ inputs: [a, b], outputs: [y], kernels }) {
      // The common cases: equal shapes, or one operand is a scalar.
      const isFull = { a: sameShape(a.shape, y.shape), b: sameShape(b.shape, y.shape) };
      const isFlat = (isFull.a || a.size === 1) && (isFull.b || b.size === 1);
      const { shape, strides } = isFlat
        ? { shape: [y.size], strides: [isFull.a ? DENSE : SCALAR, isFull.b ? DENSE : SCALAR] }
        : collapse(y.shape, broadcastStrides(a.shape, y.shape), broadcastStrides(b.shape, y.shape));
      const [stridesA, stridesB] = strides;
      kernels.binary({ op: name, a: a.block(), stridesA, b: b.block(), stridesB, y: y.block(), shape });
    },
    backward({ inputs: [a, b], outputs: [y], grads: [g], needs }) {
      return [needs[0] ? gradA(g, a, b, y) : null, needs[1] ? gradB(g, a, b, y) : null];
    },
  };
}

/** Creates an op for backward passes that computes f'(x) * g from y = f(x) and g. It has no gradient itself. */
const gradientOp = (name: BinaryName): BinaryOp => binaryOp(name, noGradient, noGradient);
function noGradient(): null {
  return null;
}
const tanhGrad = /* @__PURE__ */ gradientOp('tanhGrad');
const sigmoidGrad = /* @__PURE__ */ gradientOp('sigmoidGrad');
const hardSigmoidGrad = /* @__PURE__ */ gradientOp('hardSigmoidGrad');
const reluGrad = /* @__PURE__ */ gradientOp('reluGrad');
const gradientBy = (op: BinaryOp) => (g: Tensor, _x: Tensor, y: Tensor) => apply1(op, [y, g], NO_ATTRIBUTES);

// One constant per op, so that bundlers leave out the ops that a page does not use.
const negOp = /* @__PURE__ */ unaryOp('neg', (g) => neg(g));
const absOp = /* @__PURE__ */ unaryOp('abs', (g, x) => mul(g, sign(x)));
const signOp = /* @__PURE__ */ unaryOp('sign', noGradient);
const squareOp = /* @__PURE__ */ unaryOp('square', (g, x) => mul(mul(g, x), 2));
const sqrtOp = /* @__PURE__ */ unaryOp('sqrt', (g, _x, y) => div(mul(g, 0.5), y));
const reciprocalOp = /* @__PURE__ */ unaryOp('reciprocal', (g, _x, y) => neg(mul(g, square(y))));
const expOp = /* @__PURE__ */ unaryOp('exp', (g, _x, y) => mul(g, y));
const logOp = /* @__PURE__ */ unaryOp('log', (g, x) => div(g, x));
const tanhOp = /* @__PURE__ */ unaryOp('tanh', gradientBy(tanhGrad));
const sigmoidOp = /* @__PURE__ */ unaryOp('sigmoid', gradientBy(sigmoidGrad));
const hardSigmoidOp = /* @__PURE__ */ unaryOp('hardSigmoid', gradientBy(hardSigmoidGrad));
const reluOp = /* @__PURE__ */ unaryOp('relu', gradientBy(reluGrad));
const softplusOp = /* @__PURE__ */ unaryOp('softplus', (g, x) => mul(g, sigmoid(x)));
const floorOp = /* @__PURE__ */ unaryOp('floor', noGradient);
const log1pOp = /* @__PURE__ */ unaryOp('log1p', (g, x) => div(g, add(x, 1)));
const erfOp = /* @__PURE__ */ unaryOp('erf', (g, x) =>
  mul(g, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))),
);
const isFiniteOp = /* @__PURE__ */ unaryOp('isFinite', noGradient);
// biome-ignore format: a table
const addOp = /* @__PURE__ */ binaryOp('add', (g) => g, (g) => g);
// biome-ignore format: a table
const subOp = /* @__PURE__ */ binaryOp('sub', (g) => g, (g) => neg(g));
// biome-ignore format: a table
const mulOp = /* @__PURE__ */ binaryOp('mul', (g, _a, b) => mul(g, b), (g, a) => mul(g, a));
// biome-ignore format: a table
const divOp = /* @__PURE__ */ binaryOp('div', (g, _a, b) => div(g, b), (g, _a, b, y) => neg(div(mul(g, y), b)));
// If the operands are equal, the gradient goes to the first operand.
// biome-ignore format: a table
const maxOp = /* @__PURE__ */ binaryOp('max', (g, a, b) => mul(g, greaterEqual(a, b)), (g, a, b) => mul(g, greater(b, a)));
// biome-ignore format: a table
const minOp = /* @__PURE__ */ binaryOp('min', (g, a, b) => mul(g, greaterEqual(b, a)), (g, a, b) => mul(g, greater(a, b)));
// Where b is 0, the gradient of a is 0, even if a is 0, too. Where a is 0 and b is not negative, the gradient of b is 0.
const powOp = /* @__PURE__ */ binaryOp(
  'pow',
  (g, a, b) => mul(g, mul(b, pow(a, sub(add(b, equal(b, 0)), 1)))),
  (g, a, _b, y) => mul(g, mul(y, log(add(a, equal(a, 0))))),
);
const eqOp = /* @__PURE__ */ binaryOp('eq', noGradient, noGradient);
const gtOp = /* @__PURE__ */ binaryOp('gt', noGradient, noGradient);
const geOp = /* @__PURE__ */ binaryOp('ge', noGradient, noGradient);

export const elementwiseOps = {
  neg: negOp,
  abs: absOp,
  sign: signOp,
  square: squareOp,
  sqrt: sqrtOp,
  reciprocal: reciprocalOp,
  exp: expOp,
  log: logOp,
  tanh: tanhOp,
  sigmoid: sigmoidOp,
  hardSigmoid: hardSigmoidOp,
  relu: reluOp,
  softplus: softplusOp,
  floor: floorOp,
  log1p: log1pOp,
  erf: erfOp,
  isFinite: isFiniteOp,
  add: addOp,
  sub: subOp,
  mul: mulOp,
  div: divOp,
  max: maxOp,
  min: minOp,
  pow: powOp,
  eq: eqOp,
  gt: gtOp,
  ge: geOp,
} satisfies Record<string, UnaryOp | BinaryOp>;

function unary(op: UnaryOp, x: TensorLike): Tensor {
  return apply1(op, [asTensor(x)], NO_ATTRIBUTES);
}
function binary(op: BinaryOp, a: TensorLike, b: TensorLike): Tensor {
  return apply1(op, [asTensor(a), asTensor(b)], NO_ATTRIBUTES);
}

/** Returns −x. */
export function neg(x: TensorLike): Tensor {
  return unary(negOp, x);
}
/** Returns |x|. */
export function abs(x: TensorLike): Tensor {
  return unary(absOp, x);
}
/** Returns the sign of x: -1, 0 or 1. */
export function sign(x: TensorLike): Tensor {
  return unary(signOp, x);
}
/** Returns x². */
export function square(x: TensorLike): Tensor {
  return unary(squareOp, x);
}
/** Returns √x. */
export function sqrt(x: TensorLike): Tensor {
  return unary(sqrtOp, x);
}
/** Returns 1/x. */
export function reciprocal(x: TensorLike): Tensor {
  return unary(reciprocalOp, x);
}
/** Returns e^x. */
export function exp(x: TensorLike): Tensor {
  return unary(expOp, x);
}
/** Returns the natural logarithm. */
export function log(x: TensorLike): Tensor {
  return unary(logOp, x);
}
/** Returns tanh x. */
export function tanh(x: TensorLike): Tensor {
  return unary(tanhOp, x);
}
/** Returns the logistic function 1/(1+e^-x). */
export function sigmoid(x: TensorLike): Tensor {
  return unary(sigmoidOp, x);
}
/** Returns clip(x/6 + 1/2, 0, 1), as in Keras 3. */
export function hardSigmoid(x: TensorLike): Tensor {
  return unary(hardSigmoidOp, x);
}
/** Returns max(x, 0). */
export function relu(x: TensorLike): Tensor {
  return unary(reluOp, x);
}
/** Returns log(1 + e^x). */
export function softplus(x: TensorLike): Tensor {
  return unary(softplusOp, x);
}
/** Returns the largest integer <= x. */
export function floor(x: TensorLike): Tensor {
  return unary(floorOp, x);
}
/** Returns log(1 + x), accurate near 0. */
export function log1p(x: TensorLike): Tensor {
  return unary(log1pOp, x);
}
/** Returns the error function of x. */
export function erf(x: TensorLike): Tensor {
  return unary(erfOp, x);
}
/** Returns 1 where x is finite, else 0. */
export function finiteMask(x: TensorLike): Tensor {
  return unary(isFiniteOp, x);
}
/** Returns a + b. */
export function add(a: TensorLike, b: TensorLike): Tensor {
  return binary(addOp, a, b);
}
/** Returns a - b. */
export function sub(a: TensorLike, b: TensorLike): Tensor {
  return binary(subOp, a, b);
}
/** Returns a * b. */
export function mul(a: TensorLike, b: TensorLike): Tensor {
  return binary(mulOp, a, b);
}
/** Returns a / b. */
export function div(a: TensorLike, b: TensorLike): Tensor {
  return binary(divOp, a, b);
}
/** Returns the larger of a and b. */
export function maximum(a: TensorLike, b: TensorLike): Tensor {
  return binary(maxOp, a, b);
}
/** Returns the smaller of a and b. */
export function minimum(a: TensorLike, b: TensorLike): Tensor {
  return binary(minOp, a, b);
}
/** Returns a^b. If b is not an integer, a must not be negative. */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  return binary(powOp, a, b);
}
/** Returns 1 where a = b, else 0. */
export function equal(a: TensorLike, b: TensorLike): Tensor {
  return binary(eqOp, a, b);
}
/** Returns 1 where a > b, else 0. */
export function greater(a: TensorLike, b: TensorLike): Tensor {
  return binary(gtOp, a, b);
}
/** Returns 1 where a >= b, else 0. */
export function greaterEqual(a: TensorLike, b: TensorLike): Tensor {
  return binary(geOp, a, b);
}
