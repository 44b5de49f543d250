/** Functions on shapes: sizes, strides, broadcasting (as in NumPy) and axes. */
import { formatShape, shapeError, valueError } from './errors.js';

export type Shape = readonly number[];

/** Returns the number of elements of a tensor of this shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Returns the row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return false;
  return true;
}

/** Throws unless `shape` contains only non-negative integers. */
export function checkShape(shape: Shape): void {
  for (const extent of shape) {
    if (!Number.isInteger(extent) || extent < 0) {
      throw shapeError(`A shape must contain only non-negative integers, got ${formatShape(shape)}.`, {
        shape,
      });
    }
  }
}

/** Returns the shape that `a` and `b` broadcast to. `op` names the operation in the error. */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  if (b.length === 0 || sameShape(a, b)) return [...a];
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let d = 0; d < rank; d++) {
    const x = a[d - rank + a.length] ?? 1;
    const y = b[d - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw shapeError(
        `${op}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: sizes ${x} and ${y} must be equal, ` +
          'or one of them 1.',
        { op, a, b },
      );
    }
    out[d] = x === 1 ? y : x;
  }
  return out;
}

/** Returns the strides that read a tensor of shape `from` as if it had shape `to`: 0 along broadcast axes. */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const strides = stridesOf(from);
  const newAxes = to.length - from.length;
  return to.map((extent, d) =>
    d < newAxes || (from[d - newAxes] === 1 && extent !== 1) ? 0 : strides[d - newAxes],
  );
}

/** Returns `axis` as an index from 0 to rank - 1; a negative axis counts from the end. */
export function normaliseAxis(op: string, axis: number, rank: number): number {
  const d = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || d < 0 || d >= rank) {
    throw valueError(`${op}: axis ${axis} does not exist in a tensor of rank ${rank}.`, {
      op,
      axis,
      rank,
    });
  }
  return d;
}

/** Returns sorted, distinct axes from 0 to rank - 1; undefined means all axes. */
export function normaliseAxes(
  op: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, d) => d);
  const list = (typeof axes === 'number' ? [axes] : axes).map((axis) => normaliseAxis(op, axis, rank));
  return [...new Set(list)].sort((a, b) => a - b);
}

/**
 * Merges neighbouring axes that are contiguous in every list of strides, and drops axes of size 1. Fewer axes make the
 * inner loops longer.
 */
export function collapse(
  shape: Shape,
  ...strides: readonly (readonly number[])[]
): { shape: number[]; strides: number[][] } {
  const outShape: number[] = [];
  const out: number[][] = strides.map(() => []);
  for (let d = 0; d < shape.length; d++) {
    if (shape[d] === 1) continue;
    const last = outShape.length - 1;
    const mergeable = last >= 0 && strides.every((list, s) => out[s][last] === list[d] * shape[d]);
    if (mergeable) {
      outShape[last] *= shape[d];
      strides.forEach((list, s) => {
        out[s][last] = list[d];
      });
    } else {
      outShape.push(shape[d]);
      strides.forEach((list, s) => {
        out[s].push(list[d]);
      });
    }
  }
  if (outShape.length === 0) {
    outShape.push(1);
    for (const list of out) list.push(0);
  }
  return { shape: outShape, strides: out };
}
