/** What people hold numbers in (nested arrays, typed arrays, tensors), made into tensors. */
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

/** The typed arrays that hold plain numbers. */
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

/** Numbers nested to any depth, rows of equal length; a row may be a typed array. */
export type NestedNumbers = number | NumberArray | readonly NestedNumbers[];

/** One tensor's worth of numbers. */
export type Values = Tensor | NestedNumbers;

/**
 * What a model takes or is to give: numbers for one input; for several, a list in the order of the model's
 * inputs, or an object by their names.
 */
export type ModelValues = Values | readonly Tensor[] | Readonly<Record<string, Values>>;

/**
 * A tensor of the numbers.
 * @param row shape of one example, where it is known: a flat typed array is then cut into rows of it
 * @throws UnrollError `shape` for rows of unequal lengths, `value` for anything but numbers; both say where
 */
export function toTensor(values: Values, row: Shape | null = null): Tensor {
  if (values instanceof Tensor) return values;
  if (isNumberArray(values)) return fromTyped(values, row);
  const shape = shapeOf(values);
  const flat = new (currentBackend().float)(sizeOf(shape));
  fill(values, { shape, out: flat, next: 0, path: [] }, 0);
  return hostTensor(flat, shape);
}

/** One tensor per input (or output) of a model. @param names in the model's order, where it has names */
export function toTensors(
  values: ModelValues,
  names: readonly string[] | null = null,
  rows: readonly Shape[] | null = null,
): Tensor[] {
  if (Array.isArray(values) && values.length > 0 && values.every((value) => value instanceof Tensor)) {
    return [...(values as readonly Tensor[])];
  }
  if (names && names.length > 1 && Array.isArray(values) && values.length === names.length) {
    return (values as readonly Values[]).map((value, i) => toTensor(value, rows?.[i] ?? null));
  }
  if (!isNamed(values)) return [toTensor(values as Values, rows?.[0] ?? null)];
  const wanted = names ?? Object.keys(values);
  const missing = wanted.find((name) => !(name in values));
  const extra = Object.keys(values).find((name) => !wanted.includes(name));
  if (missing === undefined && extra === undefined) {
    return wanted.map((name, i) => toTensor(values[name], rows?.[i] ?? null));
  }
  throw valueError(
    `The model's names here are ${wanted.join(', ')}, and the values given are for ` +
      `${Object.keys(values).join(', ')}. Give one entry for each name.`,
    { expected: wanted, got: Object.keys(values) },
  );
}

export function isNumberArray(value: unknown): value is NumberArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) && !('asIntN' in value.constructor);
}

function isNamed(values: ModelValues): values is Readonly<Record<string, Values>> {
  return (
    typeof values === 'object' &&
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
      `${made.size} values are not a whole number of examples of shape ${formatShape(row)} (${width} ` +
        'values each).',
      { count: made.size, row },
    );
  }
  return reshape(made, [made.size / width, ...row]);
}

/** The shape that the first element at every depth suggests; `fill` checks the others. */
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
  /** Where the next number goes. */
  next: number;
  /** The indices on the way to the present row. */
  path: number[];
}

/** Writes the numbers row-major, and checks that they have the shape. */
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
    return valueError(`${where} is ${got}, and ${expected} was expected.`, { path: where });
  }
  const got = typeof value === 'number' ? 'a number' : `a row of ${value.length}`;
  return shapeError(
    `The nested arrays are ragged: ${where} is ${got}, and ${expected} was expected. Pad sequences of ` +
      'different lengths first.',
    { path: where },
  );
}
