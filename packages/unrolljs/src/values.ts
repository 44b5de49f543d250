/** Converts the values that users pass (nested arrays, typed arrays, tensors) to tensors. */
import {
  currentBackend,
  formatShape,
  reshape,
  type Shape,
  shapeError,
  Tensor,
  valueError,
} from '@unroll/core';
import { hostTensor, sizeOf } from '@unroll/core/internal';

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

/** The numbers of one tensor. */
export type Values = Tensor | NestedNumbers;

/**
 * Values for the inputs or outputs of a model. If there are several, a list in the model's order (null: no values) or an
 * object with the names as keys.
 */
export type ModelValues = Values | readonly (Values | null)[] | Readonly<Record<string, Values | null>>;

/**
 * Converts numbers to a tensor.
 * @param exampleShape shape of one example, if known; a flat typed array is then split into examples of this shape
 * @throws UnrollError `shape` for arrays of unequal lengths, `value` for anything other than numbers; the message
 * contains the index
 */
export function toTensor(values: Values, exampleShape: Shape | null = null): Tensor {
  if (values instanceof Tensor) return values;
  if (isNumberArray(values)) return fromTypedArray(values, exampleShape);
  const shape = shapeOf(values);
  const flat = new (currentBackend().float)(sizeOf(shape));
  flatten(values, { shape, out: flat, next: 0, path: [] }, 0);
  return hostTensor(flat, shape);
}

/**
 * Converts the values of all inputs or outputs to tensors, in the model's order.
 * @param names the names of the inputs or outputs; null or undefined if they have none
 * @param exampleShapes the shape of one example of each; null if unknown
 * @param masks true if the values are masks [N, T], some of which may be missing
 * @throws UnrollError `value` for unknown names and for missing values
 */
export function toTensors(
  values: ModelValues,
  names?: readonly string[] | null,
  exampleShapes: readonly Shape[] | null = null,
  masks = false,
): (Tensor | null)[] {
  const named = isNamed(values);
  const expected = names ?? (named ? Object.keys(values) : []);
  const list: readonly (Values | null)[] = named
    ? expected.map((name) => values[name] ?? null)
    : isList(values, expected.length, masks)
      ? values
      : [values as Values];
  const got = named ? Object.keys(values) : expected.filter((_, i) => list[i] !== null);
  if ((!masks && list.includes(null)) || got.some((name) => !expected.includes(name))) {
    if (expected.length === 0)
      throw valueError('The list of inputs contains null. Every input needs a value.');
    throw valueError(`Expected one entry for each of ${expected.join(', ')}; got ${got.join(', ')}.`, {
      expected,
      got,
    });
  }
  return list.map((value, i) => (value === null ? null : toTensor(value, exampleShapes?.[i] ?? null)));
}

/**
 * Returns true if `values` is a list with one entry per input or output, not the nested numbers of a single one.
 * @param count the number of inputs or outputs
 * @param masks true if the values are masks
 */
export function isList(
  values: ModelValues,
  count: number,
  masks = false,
): values is readonly (Values | null)[] {
  if (!Array.isArray(values) || values.length === 0) return false;
  if (values.every((value) => value === null || value instanceof Tensor)) return true;
  if (count < 2 || values.length !== count) return false;
  const first = values.find((value) => value !== null); // a number if the values belong to a single input
  return typeof first !== 'number' && !(masks && typeof first[0] === 'number');
}

/** Returns true for typed arrays of numbers, as opposed to bigints. */
export function isNumberArray(value: unknown): value is NumberArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) && !('asIntN' in value.constructor);
}

/** Returns true for an object with the names of inputs or outputs as keys. */
export function isNamed(values: ModelValues): values is Readonly<Record<string, Values | null>> {
  return (
    typeof values === 'object' &&
    values !== null &&
    !Array.isArray(values) &&
    !(values instanceof Tensor) &&
    !isNumberArray(values)
  );
}

function fromTypedArray(values: NumberArray, row: Shape | null): Tensor {
  const flat = hostTensor(currentBackend().float.from(values as ArrayLike<number>), [values.length]);
  if (row === null || row.length === 0 || row.some((extent) => extent < 1)) return flat;
  const width = sizeOf(row);
  if (flat.size % width !== 0) {
    throw shapeError(
      `The number of values must be a multiple of ${width} (examples have shape ${formatShape(row)}), got ${flat.size}.`,
      { count: flat.size, row },
    );
  }
  return reshape(flat, [flat.size / width, ...row]);
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
  out: Float32Array | Float64Array;
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
    out[state.next++] = values;
    return;
  }
  if (typeof values !== 'object' || values === null || values.length !== shape[depth]) {
    throw elementError(values, path, `a row of ${shape[depth]}`);
  }
  if (isNumberArray(values) && depth === shape.length - 1) {
    out.set(values as ArrayLike<number>, state.next);
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
function elementError(value: unknown, path: readonly number[], expected: string): Error {
  const where = `values${path.map((i) => `[${i}]`).join('')}`;
  if (typeof value !== 'number' && !Array.isArray(value) && !isNumberArray(value)) {
    const got = value === null ? 'null' : typeof value;
    return valueError(`${where} must be ${expected}, got ${got}.`, { path: where });
  }
  const got = typeof value === 'number' ? 'a number' : `a row of ${value.length}`;
  return shapeError(
    `Ragged nested arrays: ${where} must be ${expected}, got ${got}. Pad sequences of ` +
      'different lengths first.',
    { path: where },
  );
}
