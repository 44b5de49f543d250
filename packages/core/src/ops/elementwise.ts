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
      if ((isFull.a || a.size === 1) && (isFull.b || b.size === 1)) {
        const [stridesA, stridesB] = [isFull.a ? DENSE : SCALAR, isFull.b ? DENSE : SCALAR];
        kernels.binary({ op: name, a: a.block(), stridesA, b: b.block(), stridesB, y: y.block() });
        return;
      }
      const { shape, strides } = collapse(
        y.shape,
        broadcastStrides(a.shape, y.shape),
        broadcastStrides(b.shape, y.shape),
      );
      kernels.binary({
        op: name,
        a: a.block(),
        stridesA: strides[0],
        b: b.block(),
        stridesB: strides[1],
        y: y.block(),
        shape,
      });
    },
    backward({ inputs: [a, b], outputs: [y], grads: [g], needs }) {
      return [needs[0] ? gradA(g, a, b, y) : null, needs[1] ? gradB(g, a, b, y) : null];
    },
  };
}

/** Ops for backward passes, which compute f'(x) * g from y = f(x) and g. They have no gradients themselves. */
const gradientOp = (name: BinaryName): BinaryOp => binaryOp(name, noGradient, noGradient);
function noGradient(): null {
  return null;
}
const tanhGrad = gradientOp('tanhGrad');
const sigmoidGrad = gradientOp('sigmoidGrad');
const hardSigmoidGrad = gradientOp('hardSigmoidGrad');
const reluGrad = gradientOp('reluGrad');
const gradientBy = (op: BinaryOp) => (g: Tensor, _x: Tensor, y: Tensor) => apply1(op, [y, g], NO_ATTRIBUTES);

export const elementwiseOps = {
  neg: unaryOp('neg', (g) => neg(g)),
  abs: unaryOp('abs', (g, x) => mul(g, sign(x))),
  sign: unaryOp('sign', noGradient),
  square: unaryOp('square', (g, x) => mul(mul(g, x), 2)),
  sqrt: unaryOp('sqrt', (g, _x, y) => div(mul(g, 0.5), y)),
  reciprocal: unaryOp('reciprocal', (g, _x, y) => neg(mul(g, square(y)))),
  exp: unaryOp('exp', (g, _x, y) => mul(g, y)),
  log: unaryOp('log', (g, x) => div(g, x)),
  tanh: unaryOp('tanh', gradientBy(tanhGrad)),
  sigmoid: unaryOp('sigmoid', gradientBy(sigmoidGrad)),
  hardSigmoid: unaryOp('hardSigmoid', gradientBy(hardSigmoidGrad)),
  relu: unaryOp('relu', gradientBy(reluGrad)),
  softplus: unaryOp('softplus', (g, x) => mul(g, sigmoid(x))),
  floor: unaryOp('floor', noGradient),
  log1p: unaryOp('log1p', (g, x) => div(g, add(x, 1))),
  erf: unaryOp('erf', (g, x) => mul(g, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))),
  isFinite: unaryOp('isFinite', noGradient),
  add: binaryOp('add', (g) => g, (g) => g), // biome-ignore format: a table
  sub: binaryOp('sub', (g) => g, (g) => neg(g)), // biome-ignore format: a table
  mul: binaryOp('mul', (g, _a, b) => mul(g, b), (g, a) => mul(g, a)), // biome-ignore format: a table
  div: binaryOp('div', (g, _a, b) => div(g, b), (g, _a, b, y) => neg(div(mul(g, y), b))), // biome-ignore format: a table
  // If the operands are equal, the gradient goes to the first.
  max: binaryOp('max', (g, a, b) => mul(g, greaterEqual(a, b)), (g, a, b) => mul(g, greater(b, a))), // biome-ignore format: a table
  min: binaryOp('min', (g, a, b) => mul(g, greaterEqual(b, a)), (g, a, b) => mul(g, greater(a, b))), // biome-ignore format: a table
  pow: binaryOp('pow', (g, a, b) => mul(g, mul(b, pow(a, sub(b, 1)))), (g, a, _b, y) => mul(g, mul(y, log(a)))), // biome-ignore format: a table
  eq: binaryOp('eq', noGradient, noGradient),
  gt: binaryOp('gt', noGradient, noGradient),
  ge: binaryOp('ge', noGradient, noGradient),
} satisfies Record<string, UnaryOp | BinaryOp>;

function unary(op: UnaryOp, x: TensorLike): Tensor {
  return apply1(op, [asTensor(x)], NO_ATTRIBUTES);
}
function binary(op: BinaryOp, a: TensorLike, b: TensorLike): Tensor {
  return apply1(op, [asTensor(a), asTensor(b)], NO_ATTRIBUTES);
}

// These are function declarations, not constants, because the gradients above use them before this line runs.
/** Returns −x. */
export function neg(x: TensorLike): Tensor {
  return unary(elementwiseOps.neg, x);
}
/** Returns |x|. */
export function abs(x: TensorLike): Tensor {
  return unary(elementwiseOps.abs, x);
}
/** Returns the sign of x: -1, 0 or 1. */
export function sign(x: TensorLike): Tensor {
  return unary(elementwiseOps.sign, x);
}
/** Returns x². */
export function square(x: TensorLike): Tensor {
  return unary(elementwiseOps.square, x);
}
/** Returns √x. */
export function sqrt(x: TensorLike): Tensor {
  return unary(elementwiseOps.sqrt, x);
}
/** Returns 1/x. */
export function reciprocal(x: TensorLike): Tensor {
  return unary(elementwiseOps.reciprocal, x);
}
/** Returns e^x. */
export function exp(x: TensorLike): Tensor {
  return unary(elementwiseOps.exp, x);
}
/** Returns the natural logarithm. */
export function log(x: TensorLike): Tensor {
  return unary(elementwiseOps.log, x);
}
/** Returns tanh x. */
export function tanh(x: TensorLike): Tensor {
  return unary(elementwiseOps.tanh, x);
}
/** Returns the logistic function 1/(1+e^-x). */
export function sigmoid(x: TensorLike): Tensor {
  return unary(elementwiseOps.sigmoid, x);
}
/** Returns clip(x/6 + 1/2, 0, 1), as in Keras 3. */
export function hardSigmoid(x: TensorLike): Tensor {
  return unary(elementwiseOps.hardSigmoid, x);
}
/** Returns max(x, 0). */
export function relu(x: TensorLike): Tensor {
  return unary(elementwiseOps.relu, x);
}
/** Returns log(1 + e^x). */
export function softplus(x: TensorLike): Tensor {
  return unary(elementwiseOps.softplus, x);
}
/** Returns the largest integer <= x. */
export function floor(x: TensorLike): Tensor {
  return unary(elementwiseOps.floor, x);
}
/** Returns log(1 + x), accurate near 0. */
export function log1p(x: TensorLike): Tensor {
  return unary(elementwiseOps.log1p, x);
}
/** Returns the error function of x. */
export function erf(x: TensorLike): Tensor {
  return unary(elementwiseOps.erf, x);
}
/** Returns 1 where x is finite, else 0. */
export function finiteMask(x: TensorLike): Tensor {
  return unary(elementwiseOps.isFinite, x);
}
/** Returns a + b. */
export function add(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.add, a, b);
}
/** Returns a - b. */
export function sub(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.sub, a, b);
}
/** Returns a * b. */
export function mul(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.mul, a, b);
}
/** Returns a / b. */
export function div(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.div, a, b);
}
/** Returns the larger of a and b. */
export function maximum(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.max, a, b);
}
/** Returns the smaller of a and b. */
export function minimum(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.min, a, b);
}
/** Returns a^b. If b is not an integer, a must not be negative. */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.pow, a, b);
}
/** Returns 1 where a = b, else 0. */
export function equal(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.eq, a, b);
}
/** Returns 1 where a > b, else 0. */
export function greater(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.gt, a, b);
}
/** Returns 1 where a >= b, else 0. */
export function greaterEqual(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.ge, a, b);
}
