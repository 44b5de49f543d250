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

/** Nested arrays of numbers of any depth with rows of equal length; a row may be a typed array. */
export type NestedNumbers = number | NumberArray | readonly NestedNumbers[];

/** The numbers of one tensor. */
export type Values = Tensor | NestedNumbers;

/**
 * Values for the inputs or outputs of a model: numbers for a single one; for several, a list in the model's order
 * (null: none) or an object by names.
 */
export type ModelValues = Values | readonly (Values | null)[] | Readonly<Record<string, Values | null>>;

/**
 * Converts numbers to a tensor.
 * @param row shape of one example, if known: a flat typed array is then split into rows of this shape
 * @throws UnrollError `shape` for rows of unequal lengths, `value` for anything other than numbers; the message says
 * where
 */
export function toTensor(values: Values, row: Shape | null = null): Tensor {
  if (values instanceof Tensor) return values;
  if (isNumberArray(values)) return fromTyped(values, row);
  const shape = shapeOf(values);
  const flat = new (currentBackend().float)(sizeOf(shape));
  fill(values, { shape, out: flat, next: 0, path: [] }, 0);
  return hostTensor(flat, shape);
}

/**
 * One tensor for each name, in the order of the names.
 * @param names in the model's order, if it has names
 * @param masks true if the values are masks [N, T], some of which may be missing
 * @throws UnrollError `value` for unknown names and for missing values
 */
export function toTensors(
  values: ModelValues,
  names?: readonly string[] | null,
  rows: readonly Shape[] | null = null,
  masks = false,
): (Tensor | null)[] {
  const named = isNamed(values);
  const wanted = names ?? (named ? Object.keys(values) : []);
  const list: readonly (Values | null)[] = named
    ? wanted.map((name) => values[name] ?? null)
    : isList(values, wanted.length, masks)
      ? values
      : [values as Values];
  const got = named ? Object.keys(values) : wanted.filter((_, i) => list[i] !== null);
  if ((!masks && list.includes(null)) || got.some((name) => !wanted.includes(name))) {
    throw valueError(`Expected one entry for each of ${wanted.join(', ')}; got ${got.join(', ')}.`, {
      expected: wanted,
      got,
    });
  }
  return list.map((value, i) => (value === null ? null : toTensor(value, rows?.[i] ?? null)));
}

/** True if values are a list of `count` entries rather than the nested numbers of one. */
export function isList(
  values: ModelValues,
  count: number,
  masks = false,
): values is readonly (Values | null)[] {
  if (!Array.isArray(values) || values.length === 0) return false;
  if (values.every((value) => value === null || value instanceof Tensor)) return true;
  if (count < 2 || values.length !== count) return false;
  const first = values.find((value) => value !== null); // a number if these are the values of one input
  return typeof first !== 'number' && !(masks && typeof first[0] === 'number');
}

export function isNumberArray(value: unknown): value is NumberArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) && !('asIntN' in value.constructor);
}

export function isNamed(values: ModelValues): values is Readonly<Record<string, Values | null>> {
  return (
    typeof values === 'object' &&
    values !== null &&
    !Array.isArray(values) &&
    !(values instanceof Tensor) &&
    !isNumberArray(values)
  );
}

function fromTyped(values: NumberArray, row: Shape | null): Tensor {
  const made = hostTensor(currentBackend().float.from(values as ArrayLike<number>), [values.length]);
  if (row === null || row.length === 0 || row.some((extent) => extent < 1)) return made;
  const width = sizeOf(row);
  if (made.size % width !== 0) {
    throw shapeError(
      `The number of values must be a multiple of ${width} (examples have shape ${formatShape(row)}), got ${made.size}.`,
      { count: made.size, row },
    );
  }
  return reshape(made, [made.size / width, ...row]);
}

/** The shape according to the first element at every depth; `fill` checks the other elements. */
function shapeOf(values: NestedNumbers): number[] {
  const shape: number[] = [];
  let at: NestedNumbers | undefined = values;
  while (Array.isArray(at) || isNumberArray(at)) {
    shape.push(at.length);
    at = at[0];
  }
  return shape;
}

interface Filling {
  shape: Shape;
  out: Float32Array | Float64Array;
  /** The position of the next number in `out`. */
  next: number;
  /** The indices of the current row. */
  path: number[];
}

/** Writes the numbers in row-major order, and checks that they match the shape. */
function fill(values: NestedNumbers, state: Filling, depth: number): void {
  const { shape, out, path } = state;
  if (depth === shape.length) {
    if (typeof values !== 'number') throw misfit(values, path, 'a number');
    out[state.next++] = values;
    return;
  }
  if (typeof values !== 'object' || values === null || values.length !== shape[depth]) {
    throw misfit(values, path, `a row of ${shape[depth]}`);
  }
  if (isNumberArray(values) && depth === shape.length - 1) {
    out.set(values as ArrayLike<number>, state.next);
    state.next += values.length;
    return;
  }
  for (let i = 0; i < values.length; i++) {
    path[depth] = i;
    fill(values[i], state, depth + 1);
  }
  path.length = depth;
}

function misfit(value: unknown, path: readonly number[], expected: string): Error {
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
