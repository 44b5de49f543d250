/** Numbers in nested arrays. */
import type { FloatArray } from './backend.js';
import { shapeError, type UnrollError, valueError } from './errors.js';
import { runtime } from './runtime.js';
import { type Shape, sizeOf } from './shape.js';

/** Typed arrays of numbers. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;

/** Numbers nested in arrays to any depth. Arrays at the same depth have equal lengths. The innermost may be typed. */
export type NestedNumbers = number | NumberArray | readonly NestedNumbers[];

/** Returns true for typed arrays of numbers, as opposed to bigints. */
export function isNumberArray(value: unknown): value is NumberArray {
  if (value instanceof DataView || value instanceof BigInt64Array || value instanceof BigUint64Array)
    return false;
  return ArrayBuffer.isView(value);
}

/**
 * Returns the numbers of nested arrays, row-major, and the shape of the arrays.
 * @param Float the type of the returned array
 * @throws UnrollError `shape` for arrays of unequal lengths, `value` for anything other than numbers; the message contains
 * the index
 */
export function nestedNumbers(
  values: NestedNumbers,
  Float: Float32ArrayConstructor | Float64ArrayConstructor,
): { shape: number[]; numbers: FloatArray } {
  const shape = shapeOf(values);
  const size = sizeOf(shape);
  // The shape is that of the first array at each depth. If other arrays are shorter, this shape may have far more elements than
  // the input. Large shapes are therefore checked before memory is allocated.
  if (size > 2 ** 20) flatten(values, { shape, out: null, next: 0, path: [] }, 0);
  const numbers = new Float(size);
  flatten(values, { shape, out: numbers, next: 0, path: [] }, 0);
  return { shape, numbers };
}

/** Returns the shape according to the first element at every depth. {@link flatten} checks the other elements. */
function shapeOf(values: NestedNumbers): number[] {
  const shape: number[] = [];
  let element: NestedNumbers | undefined = values;
  while (Array.isArray(element) || isNumberArray(element)) {
    shape.push(element.length);
    element = element[0];
  }
  return shape;
}

interface FlattenState {
  shape: Shape;
  /** Null: the numbers are only checked. */
  out: FloatArray | null;
  /** The index of the next number in `out`. */
  next: number;
  /** The indices of the current element, for error messages. */
  path: number[];
}

/** Writes the numbers to `state.out` in row-major order, and checks that they match the shape. */
function flatten(values: NestedNumbers, state: FlattenState, depth: number): void {
  const { shape, out, path } = state;
  if (depth === shape.length) {
    if (typeof values !== 'number') throw elementError(values, path, 'a number');
    if (out) out[state.next++] = values;
    return;
  }
  if (typeof values !== 'object' || values === null || values.length !== shape[depth]) {
    throw elementError(values, path, `a row of length ${shape[depth]}`);
  }
  if (isNumberArray(values) && depth === shape.length - 1) {
    out?.set(values as ArrayLike<number>, state.next);
    state.next += values.length;
    return;
  }
  for (let i = 0; i < values.length; i++) {
    path[depth] = i;
    flatten(values[i], state, depth + 1);
  }
  path.length = depth;
}

/** Returns the error for an element that does not match the shape. */
function elementError(value: unknown, path: readonly number[], expected: string): UnrollError {
  const where = `values${path.map((i) => `[${i}]`).join('')}`;
  if (typeof value !== 'number' && !Array.isArray(value) && !isNumberArray(value)) {
    const got = runtime.formatValue?.(value) ?? (value === null ? 'null' : typeof value);
    return valueError(`${where} must be ${expected}, got ${got}.`, { path: where });
  }
  const got = typeof value === 'number' ? 'a number' : `a row of length ${value.length}`;
  return shapeError(
    `Ragged nested arrays: ${where} must be ${expected}, got ${got}. Pad sequences of ` +
      'different lengths first.',
    { path: where },
  );
}
