/** Ops that only move or copy elements: reshape, permute, broadcast, slice, pad, concatenate, reverse. */
import type { CopyCall, Kernels } from '../backend.js';
import { formatShape, shapeError, valueError } from '../errors.js';
import { apply, apply1, type Op } from '../op.js';
import {
  broadcastShapes,
  broadcastStrides,
  collapse,
  normaliseAxis,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from '../shape.js';
import { asTensor, full, type Tensor, type TensorLike } from '../tensor.js';

const reshapeOp: Op<{ shape: Shape }, readonly [Tensor]> = {
  name: 'reshape',
  view: true,
  shapes: (_inputs, { shape }) => [shape],
  forward: () => null,
  backward: ({ inputs: [x], grads: [g] }) => [reshape(g, x.shape)],
};

const permuteOp: Op<{ order: readonly number[] }, readonly [Tensor]> = {
  name: 'permute',
  shapes: ([x], { order }) => [order.map((d) => x[d])],
  forward({ inputs: [x], outputs: [y], attrs, kernels }) {
    const strides = stridesOf(x.shape);
    copyStrided(kernels, { x, stridesX: attrs.order.map((d) => strides[d]), y, shape: y.shape });
  },
  backward({ grads: [g], attrs }) {
    const inverse = new Array<number>(attrs.order.length);
    attrs.order.forEach((d, i) => {
      inverse[d] = i;
    });
    return [permute(g, inverse)];
  },
};

const broadcastOp: Op<{ shape: Shape }, readonly [Tensor]> = {
  name: 'broadcastTo',
  shapes: (_inputs, { shape }) => [shape],
  forward({ inputs: [x], outputs: [y], kernels }) {
    copyStrided(kernels, { x, stridesX: broadcastStrides(x.shape, y.shape), y, shape: y.shape });
  },
  backward: ({ grads }) => grads,
};

/** The part of x with shape `sizes` that begins at index `starts`. */
const sliceOp: Op<{ starts: readonly number[]; sizes: readonly number[] }, readonly [Tensor]> = {
  name: 'slice',
  shapes: (_inputs, { sizes }) => [sizes],
  forward({ inputs: [x], outputs: [y], attrs, kernels }) {
    copyStrided(kernels, { x, offsetX: dot(attrs.starts, stridesOf(x.shape)), y, shape: y.shape });
  },
  backward: ({ inputs: [x], grads, attrs: { starts } }) => [apply1(padOp, grads, { starts, shape: x.shape })],
};

/** A tensor of zeros of `shape` with x inserted at index `starts`: the gradient of slice. */
const padOp: Op<{ starts: readonly number[]; shape: Shape }, readonly [Tensor]> = {
  name: 'pad',
  shapes: (_inputs, { shape }) => [shape],
  forward({ inputs: [x], outputs: [y], attrs, kernels }) {
    kernels.fill(y.block(), 0);
    copyStrided(kernels, { x, y, offsetY: dot(attrs.starts, stridesOf(y.shape)), shape: x.shape });
  },
  backward: ({ inputs: [x], grads, attrs: { starts } }) => [
    apply1(sliceOp, grads, { starts, sizes: x.shape }),
  ],
};

const concatOp: Op<{ axis: number }, readonly Tensor[]> = {
  name: 'concat',
  shapes(inputs, { axis }) {
    const first = inputs[0];
    for (const shape of inputs) {
      if (shape.length !== first.length || shape.some((extent, d) => d !== axis && extent !== first[d])) {
        throw shapeError(
          `concat along axis ${axis}: shapes ${inputs.map(formatShape).join(', ')} must be equal on all other axes.`,
          { shapes: inputs, axis },
        );
      }
    }
    return [first.map((extent, d) => (d === axis ? inputs.reduce((n, s) => n + s[axis], 0) : extent))];
  },
  forward({ inputs, outputs: [y], attrs: { axis }, kernels }) {
    const stride = stridesOf(y.shape)[axis];
    let offsetY = 0;
    for (const x of inputs) {
      copyStrided(kernels, { x, y, offsetY, shape: x.shape });
      offsetY += x.shape[axis] * stride;
    }
  },
  backward({ inputs, grads: [g], attrs: { axis }, needs }) {
    let end = 0;
    return inputs.map((x, i) => {
      const start = end;
      end += x.shape[axis];
      return needs[i] ? slice(g, axis, start, end) : null;
    });
  },
};

/** The parts of x at each index of one axis, without that axis. Their gradients are joined into one. */
const unstackOp: Op<{ axis: number }, readonly [Tensor], readonly Tensor[]> = {
  name: 'unstack',
  shapes: ([x], { axis }) => new Array<Shape>(x[axis]).fill(x.toSpliced(axis, 1)),
  forward({ inputs: [x], outputs, attrs: { axis }, kernels }) {
    const outer = sizeOf(x.shape.slice(0, axis));
    const inner = sizeOf(x.shape.slice(axis + 1));
    const strides = [outputs.length * inner, 1];
    outputs.forEach((y, i) => {
      kernels.copy({
        x: x.block(),
        offsetX: i * inner,
        stridesX: strides,
        y: y.block(),
        shape: [outer, inner],
      });
    });
  },
  backward: ({ outputs, grads, attrs: { axis } }) => [
    stack(
      grads.map((g, i) => g ?? full(outputs[i].shape, 0)),
      axis,
    ),
  ],
};

const reverseOp: Op<{ axis: number }, readonly [Tensor]> = {
  name: 'reverse',
  shapes: ([x]) => [x],
  forward({ inputs: [x], outputs: [y], attrs: { axis }, kernels }) {
    const stridesX = stridesOf(x.shape);
    const offsetX = stridesX[axis] * Math.max(0, x.shape[axis] - 1);
    stridesX[axis] *= -1;
    copyStrided(kernels, { x, offsetX, stridesX, y, shape: x.shape });
  },
  backward: ({ grads: [g], attrs }) => [reverse(g, attrs.axis)],
};

export const shapeOps = {
  reshape: reshapeOp,
  permute: permuteOp,
  broadcastTo: broadcastOp,
  slice: sliceOp,
  pad: padOp,
  concat: concatOp,
  unstack: unstackOp,
  reverse: reverseOp,
};

interface StridedCopy extends Omit<CopyCall, 'x' | 'y'> {
  x: Tensor;
  y: Tensor;
  shape: Shape;
}

/** Copies from x to y, by default with the strides of these tensors. Axes that are contiguous in both are merged. */
function copyStrided(kernels: Kernels, { x, y, shape, ...strides }: StridedCopy): void {
  const { stridesX = stridesOf(x.shape), stridesY = stridesOf(y.shape), ...offsets } = strides;
  const merged = collapse(shape, stridesX, stridesY);
  const [mergedX, mergedY] = merged.strides;
  kernels.copy({
    x: x.block(),
    stridesX: mergedX,
    y: y.block(),
    stridesY: mergedY,
    shape: merged.shape,
    ...offsets,
  });
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((total, value, i) => total + value * b[i], 0);
}

/** Returns x with another shape and the same elements in row-major order. One extent may be -1: it is inferred. */
export function reshape(value: TensorLike, shape: Shape): Tensor {
  const x = asTensor(value);
  const knownSize = sizeOf(shape.filter((extent) => extent !== -1));
  const fullShape = shape.map((extent) => (extent === -1 ? x.size / knownSize : extent));
  if (
    shape.filter((extent) => extent === -1).length > 1 ||
    !fullShape.every((extent) => Number.isInteger(extent) && extent >= 0) ||
    sizeOf(fullShape) !== x.size
  ) {
    throw shapeError(`reshape: ${formatShape(x.shape)} cannot be reshaped to ${formatShape(shape)}.`, {
      from: x.shape,
      to: shape,
    });
  }
  return sameShape(x.shape, fullShape) ? x : apply1(reshapeOp, [x], { shape: fullShape });
}

/** Returns x with its axes in another order: axis i of the result is axis order[i] of x. */
export function permute(value: TensorLike, order: readonly number[]): Tensor {
  const x = asTensor(value);
  const axes = order.map((axis) => normaliseAxis('permute', axis, x.rank));
  if (new Set(axes).size !== x.rank) {
    throw valueError(
      `permute: order must be a permutation of the ${x.rank} axes, got ${formatShape(order)}.`,
      {
        order,
        rank: x.rank,
      },
    );
  }
  return axes.every((axis, d) => axis === d) ? x : apply1(permuteOp, [x], { order: axes });
}

/** Returns x with its last two axes swapped. */
export function transpose(value: TensorLike): Tensor {
  const x = asTensor(value);
  const order = x.shape.map((_, d) => d);
  return permute(x, [...order.slice(0, -2), x.rank - 1, x.rank - 2]);
}

/** Returns x repeated to `shape` along axes of size 1 and new leading axes, as in NumPy. */
export function broadcastTo(value: TensorLike, shape: Shape): Tensor {
  const x = asTensor(value);
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcastShapes('broadcastTo', x.shape, shape), shape)) {
    throw shapeError(`broadcastTo: ${formatShape(x.shape)} cannot be broadcast to ${formatShape(shape)}.`);
  }
  return apply1(broadcastOp, [x], { shape: [...shape] });
}

/**
 * Returns the elements start..end-1 along one axis, by default up to its end. Negative indices count from the end.
 */
export function slice(value: TensorLike, axis: number, start: number, end?: number): Tensor {
  const x = asTensor(value);
  const d = normaliseAxis('slice', axis, x.rank);
  const extent = x.shape[d];
  const from = start < 0 ? start + extent : start;
  const stop = end === undefined ? extent : end < 0 ? end + extent : end;
  if (!Number.isInteger(from) || !Number.isInteger(stop) || from < 0 || stop > extent || from > stop) {
    throw valueError(
      `slice: start and end must lie within axis ${axis} of size ${extent}, got ${start}..${end ?? ''}.`,
      {
        shape: x.shape,
        axis,
        start,
        end,
      },
    );
  }
  if (from === 0 && stop === extent) return x;
  const starts = x.shape.map((_, i) => (i === d ? from : 0));
  return apply1(sliceOp, [x], { starts, sizes: x.shape.map((size, i) => (i === d ? stop - from : size)) });
}

/** Pads x with zeros along one axis: `before` zeros at its start and `after` zeros at its end. */
export function pad(value: TensorLike, axis: number, before: number, after: number): Tensor {
  const x = asTensor(value);
  const d = normaliseAxis('pad', axis, x.rank);
  if ([before, after].some((width) => !Number.isInteger(width) || width < 0))
    throw valueError(`pad: before and after must be non-negative integers, got ${before} and ${after}.`);
  return apply1(padOp, [x], {
    starts: x.shape.map((_, i) => (i === d ? before : 0)),
    shape: x.shape.map((size, i) => (i === d ? size + before + after : size)),
  });
}

/** Concatenates tensors along an existing axis (the last by default). */
export function concat(values: readonly TensorLike[], axis = -1): Tensor {
  if (values.length === 0) throw valueError('concat needs at least one tensor, got none.');
  const list = values.map(asTensor);
  const d = normaliseAxis('concat', axis, list[0].rank);
  return list.length === 1 ? list[0] : apply1(concatOp, list, { axis: d });
}

/** Stacks tensors of equal shape along a new axis (the first by default). */
export function stack(values: readonly TensorLike[], axis = 0): Tensor {
  const list = values.map(asTensor);
  const rank = (list[0]?.rank ?? 0) + 1;
  const d = normaliseAxis('stack', axis, rank);
  return concat(
    list.map((x) => reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)])),
    d,
  );
}

/** Returns the parts of x at each index of one axis (the first by default), without that axis: the inverse of `stack`. */
export function unstack(value: TensorLike, axis = 0): readonly Tensor[] {
  const x = asTensor(value);
  const d = normaliseAxis('unstack', axis, x.rank);
  if (x.shape[d] === 1) return [reshape(x, x.shape.toSpliced(d, 1))];
  return apply(unstackOp, [x], { axis: d });
}

/** Reverses the order of the elements along one axis. */
export function reverse(value: TensorLike, axis: number): Tensor {
  const x = asTensor(value);
  return apply1(reverseOp, [x], { axis: normaliseAxis('reverse', axis, x.rank) });
}
