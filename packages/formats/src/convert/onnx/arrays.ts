/** Rearranges arrays with the values of constants, as NumPy does. */
import { type FloatArray, valueError } from '@unroll/core';

/** An array with its sizes. */
export interface NumberArray {
  extents: readonly number[];
  values: FloatArray;
}

export function stridesOf(extents: readonly number[]): number[] {
  const strides = new Array<number>(extents.length);
  for (let d = extents.length - 1, stride = 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= extents[d];
  }
  return strides;
}

export const countOf = (extents: readonly number[]): number =>
  extents.reduce((total, extent) => total * extent, 1);

/**
 * Limits the memory of computed constants: a small file can describe a very large constant.
 * @param count number of elements of the result
 * @param from number of elements that it is computed from
 * @throws UnrollError `value` if the result would be too large
 */
export function checkCount(count: number, from: number): void {
  const limit = 4 * from + 2 ** 20;
  if (count >= 0 && count <= limit) return;
  throw valueError(
    `A constant of the graph would have ${count} elements. Computed from ${from} elements, it may have at most ${limit}.`,
    { count },
  );
}

/** Returns the elements at all indices below `extents`, with these strides. A stride may be 0 or negative. */
export function strided(
  values: FloatArray,
  extents: readonly number[],
  strides: readonly number[],
  offset = 0,
): FloatArray {
  const count = countOf(extents);
  checkCount(count, values.length);
  const out = new (values.constructor as Float32ArrayConstructor)(count);
  const index = new Array<number>(extents.length).fill(0);
  let at = offset;
  for (let i = 0; i < count; i++) {
    out[i] = values[at];
    for (let d = extents.length - 1; d >= 0; d--) {
      at += strides[d];
      if (++index[d] < extents[d]) break;
      at -= strides[d] * extents[d];
      index[d] = 0;
    }
  }
  return out;
}

/** Returns the array with its axes in another order: axis i of the result is axis order[i]. */
export function transposed({ extents, values }: NumberArray, order: readonly number[]): NumberArray {
  const strides = stridesOf(extents);
  const sizes = order.map((axis) => extents[axis]);
  if (order.every((axis, i) => axis === i)) return { extents, values };
  if (order.length === 2) return { extents: sizes, values: transposedMatrix(values, extents[0], extents[1]) };
  return {
    extents: sizes,
    values: strided(
      values,
      sizes,
      order.map((axis) => strides[axis]),
    ),
  };
}

/** Transposed matrices by original matrix: nodes that share a weight also share the transposed weight. */
const matrices = new WeakMap<FloatArray, { rows: number; transposed: FloatArray }>();

/** Transposes a matrix in blocks that fit the cache. */
function transposedMatrix(values: FloatArray, rows: number, columns: number): FloatArray {
  const found = matrices.get(values);
  if (found?.rows === rows) return found.transposed;
  const BLOCK = 32;
  const out = new (values.constructor as Float32ArrayConstructor)(values.length);
  for (let top = 0; top < rows; top += BLOCK) {
    const bottom = Math.min(top + BLOCK, rows);
    for (let left = 0; left < columns; left += BLOCK) {
      const right = Math.min(left + BLOCK, columns);
      for (let column = left; column < right; column++)
        for (let row = top; row < bottom; row++) out[column * rows + row] = values[row * columns + column];
    }
  }
  matrices.set(values, { rows, transposed: out });
  return out;
}

/** Returns the elements at these indices along an axis. */
export function taken(
  { extents, values }: NumberArray,
  axis: number,
  indices: readonly number[],
): NumberArray {
  const inner = countOf(extents.slice(axis + 1));
  const outer = countOf(extents.slice(0, axis));
  const sizes = extents.toSpliced(axis, 1, indices.length);
  checkCount(countOf(sizes), values.length);
  const out = new (values.constructor as Float32ArrayConstructor)(countOf(sizes));
  for (let row = 0, at = 0; row < outer; row++) {
    for (const index of indices) {
      const from = (row * extents[axis] + index) * inner;
      out.set(values.subarray(from, from + inner), at);
      at += inner;
    }
  }
  return { extents: sizes, values: out };
}

/** Concatenates arrays along an axis. */
export function joined(arrays: readonly NumberArray[], axis: number): NumberArray {
  const [{ extents }] = arrays;
  const total = arrays.reduce((sum, array) => sum + array.extents[axis], 0);
  const sizes = extents.toSpliced(axis, 1, total);
  const distinct = new Set(arrays.map(({ values }) => values));
  checkCount(
    countOf(sizes),
    [...distinct].reduce((sum, values) => sum + values.length, 0),
  );
  const isDouble = arrays.some(({ values }) => values instanceof Float64Array);
  const out = new (isDouble ? Float64Array : Float32Array)(countOf(sizes));
  const outer = countOf(extents.slice(0, axis));
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const array of arrays) {
      const size = countOf(array.extents.slice(axis));
      out.set(array.values.subarray(row * size, (row + 1) * size), at);
      at += size;
    }
  }
  return { extents: sizes, values: out };
}

/** Returns the shape to which two arrays broadcast; null if they do not. */
export function broadcastExtents(a: readonly number[], b: readonly number[]): number[] | null {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let d = 0; d < rank; d++) {
    const x = a[d - rank + a.length] ?? 1;
    const y = b[d - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return null;
    out.push(x === 1 ? y : x);
  }
  return out;
}
