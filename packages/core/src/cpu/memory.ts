/** Access to the linear memory of the kernels from JavaScript. */
import type { LinearMemory } from '@unroll/kernels';
import { formatShape, shapeError } from '../errors.js';

/** Bytes per float32. */
export const FLOAT_BYTES = 4;
const MAX_RANK = 8;
/** The number of integers that {@link dimsWriter} needs: for a shape and the strides of two operands. */
export const DIMS_LENGTH = 3 * MAX_RANK;
/** The length of arrays that all JavaScript engines support. */
const MAX_ARRAY_LENGTH = 2 ** 31 - 1;

/** Returns the whole memory as one array, or null if that array ends before the address `end`. */
export type WholeMemory = (end: number) => Float32Array | null;

export function wholeMemoryOf(memory: LinearMemory): WholeMemory {
  /** The memory, or its first MAX_ARRAY_LENGTH elements; recreated when the memory has grown. */
  let all: Float32Array = new Float32Array(0);
  return (end) => {
    const { buffer } = memory;
    if (all.buffer !== buffer)
      all = new Float32Array(buffer, 0, Math.min(buffer.byteLength / FLOAT_BYTES, MAX_ARRAY_LENGTH));
    return end <= all.length * FLOAT_BYTES ? all : null;
  };
}

/** Writes a shape and the strides of two operands to the memory of the kernels, and returns the rank. */
export type DimsWriter = (
  shape: readonly number[],
  first: readonly number[],
  second: readonly number[],
) => number;

/** Returns a {@link DimsWriter} for `address`, at which the kernels read shapes and strides. */
export function dimsWriter(memory: LinearMemory, address: number): DimsWriter {
  /** Recreated when the memory has grown. */
  let dims: Int32Array = new Int32Array(0);
  return (shape, first, second) => {
    if (dims.buffer !== memory.buffer) dims = new Int32Array(memory.buffer, address, DIMS_LENGTH);
    const rank = shape.length;
    if (rank > MAX_RANK) {
      throw shapeError(
        `Strided kernels support at most ${MAX_RANK} axes, got ${formatShape(shape)}. Reshape to fewer axes.`,
        {
          shape,
        },
      );
    }
    for (let d = 0; d < rank; d++) {
      dims[d] = shape[d];
      dims[rank + d] = first[d];
      dims[2 * rank + d] = second[d];
    }
    return rank;
  };
}
