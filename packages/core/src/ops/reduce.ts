/** Reductions over axes (sum, mean, max, min, sumSquares), and `sumTo`, the gradient of broadcasting. */
import type { ReduceName } from '../backend.js';
import { apply1, type Op } from '../op.js';
import { normaliseAxes, type Shape, sameShape, sizeOf } from '../shape.js';
import { asTensor, type Tensor, type TensorLike } from '../tensor.js';
import { div, equal, mul } from './elementwise.js';
import { broadcastTo, permute, reshape } from './shape.js';

/** Sizes of a reduction over the middle of three axes [outer, n, inner]. All reductions are converted to this form. */
export interface MiddleAttributes {
  outer: number;
  n: number;
  inner: number;
}

type MiddleOp = Op<MiddleAttributes, readonly [Tensor]>;

function middleOp(
  name: ReduceName,
  gradient: (g: Tensor, x: Tensor, y: Tensor, attrs: MiddleAttributes) => Tensor,
): MiddleOp {
  return {
    name,
    shapes: (_inputs, { outer, inner }) => [[outer, 1, inner]],
    forward({ inputs: [x], outputs: [y], attrs, kernels }) {
      kernels.reduce(name, x.block(), y.block(), attrs.inner);
    },
    backward: ({ inputs: [x], outputs: [y], grads: [g], attrs }) => [gradient(g, x, y, attrs)],
  };
}

const broadcastMiddle = (g: Tensor, { outer, n, inner }: MiddleAttributes): Tensor =>
  broadcastTo(g, [outer, n, inner]);

// One constant per op, so that bundlers leave out the ops that a page does not use.
const sumOp = /* @__PURE__ */ middleOp('sum', (g, x, _y, attrs) =>
  reshape(broadcastMiddle(g, attrs), x.shape),
);
const maxOp = /* @__PURE__ */ middleOp('max', extremeGradient);
const minOp = /* @__PURE__ */ middleOp('min', extremeGradient);
const sumSquaresOp = /* @__PURE__ */ middleOp('sumSquares', (g, x, _y, attrs) =>
  reshape(mul(reshape(x, [attrs.outer, attrs.n, attrs.inner]), mul(g, 2)), x.shape),
);

export const reduceOps = { sum: sumOp, max: maxOp, min: minOp, sumSquares: sumSquaresOp };

/** Returns the gradient of max or min. Equal extremes share the gradient evenly, so their order has no effect. */
function extremeGradient(g: Tensor, x: Tensor, y: Tensor, attrs: MiddleAttributes): Tensor {
  const isExtreme = equal(reshape(x, [attrs.outer, attrs.n, attrs.inner]), y);
  const count = apply1(sumOp, [isExtreme], attrs);
  return reshape(mul(isExtreme, div(g, count)), x.shape);
}

/** Axes to reduce over: one, several, or all if undefined. Negative axes count from the end. */
export type Axes = number | readonly number[];

function reduceWith(op: MiddleOp, value: TensorLike, axes: Axes | undefined, keepDims: boolean): Tensor {
  const x = asTensor(value);
  const axisList = normaliseAxes(op.name, axes, x.rank);
  const keptShape = x.shape.map((extent, d) => (axisList.includes(d) ? 1 : extent));
  const out = keepDims ? keptShape : x.shape.filter((_, d) => !axisList.includes(d));
  if (axisList.length === 0) return op.name === 'sumSquares' ? mul(x, x) : x;
  const first = axisList[0];
  const contiguous = axisList.every((axis, i) => axis === first + i);
  // Non-adjacent axes are permuted to the end first.
  const keptAxes = x.shape.map((_, d) => d).filter((d) => !axisList.includes(d));
  const source = contiguous ? x : permute(x, [...keptAxes, ...axisList]);
  const attrs: MiddleAttributes = {
    outer: sizeOf(contiguous ? x.shape.slice(0, first) : keptAxes.map((d) => x.shape[d])),
    n: sizeOf(axisList.map((d) => x.shape[d])),
    inner: contiguous ? sizeOf(x.shape.slice(first + axisList.length)) : 1,
  };
  return reshape(apply1(op, [source], attrs), out);
}

/** Returns the sum over axes (all by default). @param keepDims true: reduced axes stay, with size 1 */
export function sum(x: TensorLike, axes?: Axes, keepDims = false): Tensor {
  return reduceWith(sumOp, x, axes, keepDims);
}

/** Returns the arithmetic mean over axes (all by default). */
export function mean(value: TensorLike, axes?: Axes, keepDims = false): Tensor {
  const x = asTensor(value);
  const count = sizeOf(normaliseAxes('mean', axes, x.rank).map((d) => x.shape[d]));
  return mul(sum(x, axes, keepDims), 1 / count);
}

/** Returns the largest value over axes (all by default). */
export function max(x: TensorLike, axes?: Axes, keepDims = false): Tensor {
  return reduceWith(maxOp, x, axes, keepDims);
}

/** Returns the smallest value over axes (all by default). */
export function min(x: TensorLike, axes?: Axes, keepDims = false): Tensor {
  return reduceWith(minOp, x, axes, keepDims);
}

/** Returns the sum of squares over axes (all by default). */
export function sumSquares(x: TensorLike, axes?: Axes, keepDims = false): Tensor {
  return reduceWith(sumSquaresOp, x, axes, keepDims);
}

/** Returns the gradient of an input of this shape that was broadcast to the shape of g: g summed over the broadcast axes. */
export function sumTo(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  const newAxes = g.rank - shape.length;
  const axes = g.shape
    .map((_, d) => d)
    .filter((d) => d < newAxes || (shape[d - newAxes] === 1 && g.shape[d] !== 1));
  return reshape(sum(g, axes, true), shape);
}
