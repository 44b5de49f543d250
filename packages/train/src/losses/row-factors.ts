/**
 * Converts masks and sample weights ([B], or per step [B, T]) and class weights to one number per row of a prediction. Used
 * by losses and metrics.
 */
import { formatShape, type Shape, shapeError, type Tensor, tensor, valueError } from '@unroll/core';
import { hostValues, sizeOf } from '@unroll/core/internal';

export interface RowFactors {
  /** 1 for each valid row and 0 for others; null: all are valid. */
  valid: Uint8Array | null;
  /** The weight of each row; null: 1. */
  factors: Float64Array | null;
}

/**
 * Returns the validity and the weight of each row.
 * @param what name of the loss or metric, for messages
 * @param lead shape of a tensor with one number per row, usually the shape of the prediction without its last axis
 * @param mask [B] or [B, T]: nonzero for valid rows
 * @param weights [B] or [B, T]
 * @param ignored returns true for rows to ignore in addition to masked rows; null: none
 */
export function rowFactors(
  what: string,
  lead: Shape,
  mask: Tensor | null,
  weights: Tensor | null,
  ignored: ((row: number) => boolean) | null = null,
): RowFactors {
  const maskValues = mask && expandToRows(what, 'mask', mask, lead);
  const valid =
    maskValues || ignored
      ? Uint8Array.from({ length: sizeOf(lead) }, (_, row) =>
          (maskValues && maskValues[row] === 0) || ignored?.(row) ? 0 : 1,
        )
      : null;
  return { valid, factors: weights && expandToRows(what, 'weights', weights, lead) };
}

/** Returns the values of the given rows. */
export function selectRows(values: Float64Array, rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row]);
}

/**
 * Returns one value per row. The axes of `values` must be the first axes of `lead`; axes of size 1 are broadcast.
 * @param what name of the loss or metric, for messages
 * @param kind `mask` or `weights`, for messages
 */
function expandToRows(what: string, kind: string, values: Tensor, lead: Shape): Float64Array {
  const shape = [...values.shape];
  while (shape.length > lead.length && shape.at(-1) === 1) shape.pop();
  if (shape.length > lead.length || shape.some((extent, d) => extent !== lead[d] && extent !== 1)) {
    const [B = 0, ...T] = lead;
    const steps = T.length > 0 ? ` or one per step, ${formatShape([B, ...T])}` : '';
    throw shapeError(
      `${what}: the ${kind} ${kind === 'mask' ? 'has' : 'have'} shape ${formatShape(values.shape)}, but there is one result ` +
        `per ${T.length > 0 ? 'step' : 'example'}, ${formatShape(lead)}. ` +
        `Give one number per example, [${B}]${steps}.` +
        (shape.length > lead.length && kind === 'mask'
          ? ' A layer with one output per sequence must not return a mask.'
          : ''),
      { [kind]: values.shape, rows: lead },
    );
  }
  const source = hostValues(values, `${what}: the ${kind}`);
  const out = new Float64Array(sizeOf(lead));
  const extents = lead.map((_, d) => shape[d] ?? 1);
  for (let row = 0; row < out.length; row++) {
    let remainder = row;
    let index = 0;
    let stride = 1;
    for (let d = lead.length - 1; d >= 0; d--) {
      const indexOnAxis = remainder % lead[d];
      remainder = Math.floor(remainder / lead[d]);
      if (extents[d] !== 1) index += indexOnAxis * stride;
      stride *= extents[d];
    }
    out[row] = source[index];
  }
  return out;
}

/** Class weights by class index: an array or an object. Missing classes have weight 1. */
export type ClassWeights = readonly number[] | Readonly<Record<number, number>>;

/**
 * Combines sample weights and class weights: returns, for each row, its sample weight times the weight of its class. Targets
 * are class indices, [B] or [B, T] (or with a last axis of 1), or one-hot, [B, K] or [B, T, K].
 * @param rows shape of a tensor with one number per row: the shape of the prediction without its last axis
 * @throws UnrollError `shape` for targets without one class per row, `value` for a target that is not a class index, or a
 * weight that is not a finite number >= 0
 */
export function combineWeights(
  target: Tensor,
  rows: Shape,
  classWeights: ClassWeights,
  weights: Tensor | null = null,
): Tensor {
  const entries = Object.entries(classWeights).map(([key, weight]) => [Number(key), weight] as const);
  for (const [key, weight] of entries) {
    if (!Number.isInteger(key) || key < 0 || !(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      throw valueError(
        `classWeights must be finite, non-negative numbers by class index, such as { 0: 1, 1: 5 }, got ${weight} for class ${key}.`,
        { class: key, weight },
      );
    }
  }
  const table = new Map(entries);
  const count = sizeOf(rows);
  const width = count === 0 ? 1 : target.size / count;
  if (!Number.isInteger(width) || formatShape(target.shape.slice(0, rows.length)) !== formatShape(rows)) {
    throw shapeError(
      `classWeights: the target has shape ${formatShape(target.shape)}, but must have one class per row, ` +
        `${formatShape(rows)}.`,
      { target: target.shape, rows },
    );
  }
  const values = hostValues(target, 'classWeights: the target');
  const sampleWeights = weights && expandToRows('classWeights', 'weights', weights, rows);
  const out = Float64Array.from({ length: count }, (_, row) => {
    const id = width === 1 ? values[row] : argmax(values.subarray(row * width, (row + 1) * width));
    // NaN is allowed here: a masked row has no effect, and for an unmasked row, the loss throws an error or is NaN.
    if (!Number.isInteger(id) && !Number.isNaN(id))
      throw valueError(`classWeights: the target of row ${row} must be a class index, got ${id}.`, {
        ...{ target: id, row },
      });
    return (table.get(id) ?? 1) * (sampleWeights?.[row] ?? 1);
  });
  return tensor(out, rows);
}

/** Returns the index of the largest value; of several equal values, the first index. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
