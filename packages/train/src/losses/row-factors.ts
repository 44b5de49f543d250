/**
 * The factor of each row of a prediction: masks, sample weights [B], temporal weights [B, T] and class weights,
 * converted to one number per row. Used by losses and metrics.
 */
import { formatShape, type Shape, shapeError, type Tensor, tensor, valueError } from '@unroll/core';
import { hostValues, sizeOf } from '@unroll/core/internal';

export interface RowFactors {
  /** 1 for each valid row; null: all are valid. */
  counts: Uint8Array | null;
  /** The weight of each row; null: 1. */
  factors: Float64Array | null;
}

/**
 * @param lead the shape of the rows: a prediction's shape without its last axis
 * @param mask [B] or [B, T]: nonzero for valid rows
 * @param weights [B] or [B, T]
 * @param ignored further rows to ignore
 */
export function rowFactors(
  what: string,
  lead: Shape,
  mask: Tensor | null,
  weights: Tensor | null,
  ignored: ((row: number) => boolean) | null = null,
): RowFactors {
  const valid = mask && spread(what, 'mask', mask, lead);
  const counts =
    valid || ignored
      ? Uint8Array.from({ length: sizeOf(lead) }, (_, row) =>
          (valid && valid[row] === 0) || ignored?.(row) ? 0 : 1,
        )
      : null;
  return { counts, factors: weights && spread(what, 'weights', weights, lead) };
}

/** The values at the given rows. */
export function selectRows(values: Float64Array, rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row]);
}

/**
 * One value per row, from values whose axes are the first axes of the rows (or have size 1 and are broadcast).
 */
function spread(what: string, kind: string, values: Tensor, lead: Shape): Float64Array {
  const own = [...values.shape];
  while (own.length > lead.length && own.at(-1) === 1) own.pop();
  if (own.length > lead.length || own.some((extent, d) => extent !== lead[d] && extent !== 1)) {
    const [B = 0, ...T] = lead;
    const steps = T.length > 0 ? ` or one per step, ${formatShape([B, ...T])}` : '';
    throw shapeError(
      `${what}: the ${kind} has shape ${formatShape(values.shape)}, and the loss is per ` +
        `${T.length > 0 ? 'step' : 'example'}, ${formatShape(lead)}. ` +
        `Give one number per example, [${B}]${steps}.` +
        (own.length > lead.length && kind === 'mask'
          ? ' A layer that gives one output for a whole sequence must not pass its mask on.'
          : ''),
      { [kind]: values.shape, rows: lead },
    );
  }
  const from = hostValues(values, `${what}: the ${kind}`);
  const out = new Float64Array(sizeOf(lead));
  const extents = lead.map((_, d) => own[d] ?? 1);
  for (let row = 0; row < out.length; row++) {
    let rest = row;
    let at = 0;
    let stride = 1;
    for (let d = lead.length - 1; d >= 0; d--) {
      const index = rest % lead[d];
      rest = Math.floor(rest / lead[d]);
      if (extents[d] !== 1) at += index * stride;
      stride *= extents[d];
    }
    out[row] = from[at];
  }
  return out;
}

/** Class weights by class index: an array, or an object without the classes of weight 1. */
export type ClassWeights = readonly number[] | Readonly<Record<number, number>>;

/**
 * Combines sample weights and class weights to one tensor of weights for `Loss.compute`: each row's weight times the
 * weight of its class. The class is the target's value if targets are class indices ([B] or [B, T], or with a last
 * axis of 1), and the largest entry if they are one-hot ([B, K] or [B, T, K]).
 * @param rows the shape of the rows: the prediction's without its last axis
 * @throws UnrollError `value` for a target that is not a class, or a weight that is not a number >= 0
 */
export function classWeighted(
  target: Tensor,
  rows: Shape,
  classWeights: ClassWeights,
  weights: Tensor | null = null,
): Tensor {
  const entries = Object.entries(classWeights).map(([key, weight]) => [Number(key), weight] as const);
  for (const [key, weight] of entries) {
    if (!Number.isInteger(key) || key < 0 || !(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      throw valueError(
        `classWeights: class ${key} has weight ${weight}. ` +
          'Pass numbers >= 0 by class index, such as { 0: 1, 1: 5 }.',
        { class: key, weight },
      );
    }
  }
  const table = new Map(entries);
  const count = sizeOf(rows);
  const width = count === 0 ? 1 : target.size / count;
  if (!Number.isInteger(width) || formatShape(target.shape.slice(0, rows.length)) !== formatShape(rows)) {
    throw shapeError(
      `classWeights: the target ${formatShape(target.shape)} has no class for each row ` +
        `of ${formatShape(rows)}.`,
      { target: target.shape, rows },
    );
  }
  const values = hostValues(target, 'classWeights: the target');
  const given = weights && spread('classWeights', 'weights', weights, rows);
  const out = Float64Array.from({ length: count }, (_, row) => {
    const own = width === 1 ? values[row] : argmax(values.subarray(row * width, (row + 1) * width));
    if (!Number.isInteger(own) && !Number.isNaN(own))
      throw valueError(`classWeights: the target of row ${row} must be a class index, got ${own}.`, {
        ...{ target: own, row },
      });
    return (table.get(own) ?? 1) * (given?.[row] ?? 1);
  });
  return tensor(out, rows);
}

/** The index of the largest value; the first one if several are equal. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
