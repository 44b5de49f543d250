/** Converts the values that users pass (nested arrays, typed arrays, tensors) to tensors. */
import {
  currentBackend,
  formatShape,
  reshape,
  type Shape,
  shapeError,
  Tensor,
  tensor,
  valueError,
} from '@unroll/core';
import {
  hostTensor,
  isNumberArray,
  type NestedNumbers,
  type NumberArray,
  sizeOf,
} from '@unroll/core/internal';

export type { NestedNumbers, NumberArray } from '@unroll/core/internal';

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
  return tensor(values);
}

/**
 * Converts the values of all inputs, or their masks, to tensors, in the model's order.
 * @param names the names of the inputs; null or undefined if they have none
 * @param exampleShapes the shape of one example of each input; null if unknown
 * @param areMasks true if the values are masks [N, T], some of which may be missing
 * @throws UnrollError `value` for unknown names and for missing values
 */
export function toTensors(
  values: ModelValues,
  names?: readonly string[] | null,
  exampleShapes: readonly Shape[] | null = null,
  areMasks = false,
): (Tensor | null)[] {
  const named = isNamed(values);
  const expected = names ?? (named ? Object.keys(values) : []);
  const list: readonly (Values | null)[] = named
    ? expected.map((name) => values[name] ?? null)
    : isList(values, expected.length, areMasks)
      ? values
      : [values as Values];
  const got = named ? Object.keys(values) : expected.filter((_, i) => list[i] !== null);
  if ((!areMasks && list.includes(null)) || got.some((name) => !expected.includes(name))) {
    if (expected.length === 0) throw valueError('Every input needs a value, got null.');
    const required = areMasks
      ? 'mask entries must be for the inputs'
      : 'x must have an entry for each of the inputs';
    throw valueError(`${required} ${expected.join(', ')}; got ${got.join(', ') || 'none'}.`, {
      expected,
      got,
    });
  }
  return list.map((value, i) => (value === null ? null : toTensor(value, exampleShapes?.[i] ?? null)));
}

/**
 * Returns true if `values` is a list with one entry per input or output, not the nested numbers of a single one.
 * @param count the number of inputs or outputs
 * @param areMasks true if the values are masks
 */
export function isList(
  values: ModelValues,
  count: number,
  areMasks = false,
): values is readonly (Values | null)[] {
  if (!Array.isArray(values) || values.length === 0) return false;
  if (values.every((value) => value === null || value instanceof Tensor)) return true;
  if (count < 2 || values.length !== count) return false;
  const first = values.find((value) => value !== null); // a number if the values belong to a single input
  return typeof first !== 'number' && !(areMasks && typeof first[0] === 'number');
}

/** Returns true for an object, whose keys are then the names of inputs or outputs. */
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
