/** Elementwise ops, with forward and backward next to each other. Binary ops broadcast as in NumPy. */
import type { BinaryName, UnaryName } from '../backend.js';
import { apply1, NONE, type NoAttributes, type Op } from '../op.js';
import { broadcastShapes, broadcastStrides, collapse, sameShape } from '../shape.js';
import { asTensor, type Tensor, type TensorLike } from '../tensor.js';

type UnaryOp = Op<NoAttributes, readonly [Tensor]>;
type BinaryOp = Op<NoAttributes, readonly [Tensor, Tensor]>;

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

/** Strides of an operand of the same shape as the result, and of a scalar. */
const EACH = [1];
const SAME = [0];

type BinaryGradient = (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor | null;

function binaryOp(name: BinaryName, gradA: BinaryGradient, gradB: BinaryGradient): BinaryOp {
  return {
    name,
    shapes: ([a, b]) => [broadcastShapes(name, a, b)],
    forward({ inputs: [a, b], outputs: [y], kernels }) {
      // The common cases: equal shapes, or one operand is a scalar.
      const whole = { a: sameShape(a.shape, y.shape), b: sameShape(b.shape, y.shape) };
      if ((whole.a || a.size === 1) && (whole.b || b.size === 1)) {
        const [stepA, stepB] = [whole.a ? EACH : SAME, whole.b ? EACH : SAME];
        kernels.binary(name, a.block(), stepA, b.block(), stepB, y.block(), [y.size]);
        return;
      }
      const { shape, strides } = collapse(
        y.shape,
        broadcastStrides(a.shape, y.shape),
        broadcastStrides(b.shape, y.shape),
      );
      kernels.binary(name, a.block(), strides[0], b.block(), strides[1], y.block(), shape);
    },
    backward({ inputs: [a, b], outputs: [y], grads: [g], needs }) {
      return [needs[0] ? gradA(g, a, b, y) : null, needs[1] ? gradB(g, a, b, y) : null];
    },
  };
}

/** Helpers of backward passes: f'(x) * g from the output of f, in one pass. They have no gradients themselves. */
const fromOutput = (name: BinaryName): BinaryOp => binaryOp(name, nothing, nothing);
function nothing(): null {
  return null;
}
const tanhGrad = fromOutput('tanhGrad');
const sigmoidGrad = fromOutput('sigmoidGrad');
const hardSigmoidGrad = fromOutput('hardSigmoidGrad');
const reluGrad = fromOutput('reluGrad');
const derivative = (op: BinaryOp) => (g: Tensor, _x: Tensor, y: Tensor) => apply1(op, [y, g], NONE);

export const elementwiseOps = {
  neg: unaryOp('neg', (g) => neg(g)),
  abs: unaryOp('abs', (g, x) => mul(g, sign(x))),
  sign: unaryOp('sign', nothing),
  square: unaryOp('square', (g, x) => mul(mul(g, x), 2)),
  sqrt: unaryOp('sqrt', (g, _x, y) => div(mul(g, 0.5), y)),
  reciprocal: unaryOp('reciprocal', (g, _x, y) => neg(mul(g, square(y)))),
  exp: unaryOp('exp', (g, _x, y) => mul(g, y)),
  log: unaryOp('log', (g, x) => div(g, x)),
  tanh: unaryOp('tanh', derivative(tanhGrad)),
  sigmoid: unaryOp('sigmoid', derivative(sigmoidGrad)),
  hardSigmoid: unaryOp('hardSigmoid', derivative(hardSigmoidGrad)),
  relu: unaryOp('relu', derivative(reluGrad)),
  softplus: unaryOp('softplus', (g, x) => mul(g, sigmoid(x))),
  floor: unaryOp('floor', nothing),
  log1p: unaryOp('log1p', (g, x) => div(g, add(x, 1))),
  erf: unaryOp('erf', (g, x) => mul(g, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))),
  isFinite: unaryOp('isFinite', nothing),
  add: binaryOp('add', (g) => g, (g) => g), // biome-ignore format: a table
  sub: binaryOp('sub', (g) => g, (g) => neg(g)), // biome-ignore format: a table
  mul: binaryOp('mul', (g, _a, b) => mul(g, b), (g, a) => mul(g, a)), // biome-ignore format: a table
  div: binaryOp('div', (g, _a, b) => div(g, b), (g, _a, b, y) => neg(div(mul(g, y), b))), // biome-ignore format: a table
  // For equal operands the gradient goes to the first one, as if chosen by a comparison.
  max: binaryOp('max', (g, a, b) => mul(g, greaterEqual(a, b)), (g, a, b) => mul(g, greater(b, a))), // biome-ignore format: a table
  min: binaryOp('min', (g, a, b) => mul(g, greaterEqual(b, a)), (g, a, b) => mul(g, greater(a, b))), // biome-ignore format: a table
  pow: binaryOp('pow', (g, a, b) => mul(g, mul(b, pow(a, sub(b, 1)))), (g, a, _b, y) => mul(g, mul(y, log(a)))), // biome-ignore format: a table
  eq: binaryOp('eq', nothing, nothing),
  gt: binaryOp('gt', nothing, nothing),
  ge: binaryOp('ge', nothing, nothing),
} satisfies Record<string, UnaryOp | BinaryOp>;

function unary(op: UnaryOp, x: TensorLike): Tensor {
  return apply1(op, [asTensor(x)], NONE);
}
function binary(op: BinaryOp, a: TensorLike, b: TensorLike): Tensor {
  return apply1(op, [asTensor(a), asTensor(b)], NONE);
}

// Function declarations instead of constants: the gradients above refer to them before their definitions run.
/** −x */
export function neg(x: TensorLike): Tensor {
  return unary(elementwiseOps.neg, x);
}
/** |x| */
export function abs(x: TensorLike): Tensor {
  return unary(elementwiseOps.abs, x);
}
/** -1, 0 or 1 */
export function sign(x: TensorLike): Tensor {
  return unary(elementwiseOps.sign, x);
}
/** x² */
export function square(x: TensorLike): Tensor {
  return unary(elementwiseOps.square, x);
}
/** √x */
export function sqrt(x: TensorLike): Tensor {
  return unary(elementwiseOps.sqrt, x);
}
/** 1/x */
export function reciprocal(x: TensorLike): Tensor {
  return unary(elementwiseOps.reciprocal, x);
}
/** e^x */
export function exp(x: TensorLike): Tensor {
  return unary(elementwiseOps.exp, x);
}
/** natural logarithm */
export function log(x: TensorLike): Tensor {
  return unary(elementwiseOps.log, x);
}
/** tanh x */
export function tanh(x: TensorLike): Tensor {
  return unary(elementwiseOps.tanh, x);
}
/** 1/(1+e^-x) */
export function sigmoid(x: TensorLike): Tensor {
  return unary(elementwiseOps.sigmoid, x);
}
/** clip(x/6 + 1/2, 0, 1), Keras 3's form */
export function hardSigmoid(x: TensorLike): Tensor {
  return unary(elementwiseOps.hardSigmoid, x);
}
/** max(x, 0) */
export function relu(x: TensorLike): Tensor {
  return unary(elementwiseOps.relu, x);
}
/** log(1 + e^x) */
export function softplus(x: TensorLike): Tensor {
  return unary(elementwiseOps.softplus, x);
}
/** largest integer <= x */
export function floor(x: TensorLike): Tensor {
  return unary(elementwiseOps.floor, x);
}
/** log(1 + x), accurate near 0 */
export function log1p(x: TensorLike): Tensor {
  return unary(elementwiseOps.log1p, x);
}
/** error function */
export function erf(x: TensorLike): Tensor {
  return unary(elementwiseOps.erf, x);
}
/** 1 where x is finite, else 0 */
export function finiteMask(x: TensorLike): Tensor {
  return unary(elementwiseOps.isFinite, x);
}
/** a + b */
export function add(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.add, a, b);
}
/** a - b */
export function sub(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.sub, a, b);
}
/** a * b */
export function mul(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.mul, a, b);
}
/** a / b */
export function div(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.div, a, b);
}
/** the larger of each pair */
export function maximum(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.max, a, b);
}
/** the smaller of each pair */
export function minimum(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.min, a, b);
}
/** a^b; requires a >= 0 if b is not an integer */
export function pow(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.pow, a, b);
}
/** 1 where equal, else 0 */
export function equal(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.eq, a, b);
}
/** 1 where a > b, else 0 */
export function greater(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.gt, a, b);
}
/** 1 where a >= b, else 0 */
export function greaterEqual(a: TensorLike, b: TensorLike): Tensor {
  return binary(elementwiseOps.ge, a, b);
}
