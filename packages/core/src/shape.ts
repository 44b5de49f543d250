/** Arithmetic on shapes: sizes, strides, broadcasting (NumPy's rules), axes. Independent of data. */
import { formatShape, shapeError, valueError } from './errors.js';

export type Shape = readonly number[];

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Row-major strides, in elements. */
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

/** The shape that `a` and `b` broadcast to; `what` names the operation in the error. */
export function broadcastShapes(what: string, a: Shape, b: Shape): number[] {
  if (b.length === 0 || sameShape(a, b)) return [...a];
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let d = 0; d < rank; d++) {
    const x = a[d - rank + a.length] ?? 1;
    const y = b[d - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw shapeError(
        `${what}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast (${x} against ${y}). ` +
          'Make the sizes equal, or one of them 1.',
        { op: what, a, b },
      );
    }
    out[d] = x === 1 ? y : x;
  }
  return out;
}

/** Strides for reading a tensor of shape `from` as if it had the broadcast shape `to` (0 along broadcast axes). */
export function broadcastStrides(from: Shape, to: Shape): number[] {
  const own = stridesOf(from);
  const lead = to.length - from.length;
  return to.map((extent, d) => (d < lead || (from[d - lead] === 1 && extent !== 1) ? 0 : own[d - lead]));
}

/** An axis counted from the front; negative axes count from the end. */
export function normaliseAxis(what: string, axis: number, rank: number): number {
  const d = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || d < 0 || d >= rank) {
    throw valueError(`${what}: axis ${axis} does not exist in a tensor of rank ${rank}.`, {
      op: what,
      axis,
      rank,
    });
  }
  return d;
}

/** Sorted, distinct axes; `undefined` means all. */
export function normaliseAxes(
  what: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, d) => d);
  const list = (typeof axes === 'number' ? [axes] : axes).map((axis) => normaliseAxis(what, axis, rank));
  return [...new Set(list)].sort((a, b) => a - b);
}

/**
 * Merges neighbouring axes of a strided index space if every stride allows it, which gives fewer and longer inner
 * loops.
 */
export function collapse(
  shape: Shape,
  ...strides: readonly number[][]
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
