/**
 * Rows of examples. Models read batches, and people hold whole data sets: a `Table` keeps the values of one
 * tensor laid out for fast row access, and batches are rows of it copied side by side.
 */
import type { FloatArray } from './backend.js';
import { formatShape, shapeError } from './errors.js';
import { type Shape, sizeOf } from './shape.js';
import { hostTensor, type Tensor } from './tensor.js';

/** The rows of a tensor [N, ...]. */
export interface Table {
  readonly count: number;
  readonly values: FloatArray;
  /** Shape of one row. */
  readonly shape: Shape;
  /** Elements of one row. */
  readonly width: number;
}

/** The rows of `tensor`, copied once. @throws UnrollError `shape` for a single number, which has no rows */
export function tableOf(tensor: Tensor): Table {
  if (tensor.rank === 0)
    throw shapeError(`Examples lie along the first axis, but this tensor has shape ${formatShape([])}.`);
  const shape = tensor.shape.slice(1);
  return { count: tensor.shape[0], values: tensor.dataSync(), shape, width: sizeOf(shape) };
}

/** Rows `from` to `to` (exclusive) of a table, sharing its memory. */
export function sliceTable(table: Table, from: number, to: number): Table {
  const { shape, width } = table;
  return { count: to - from, values: table.values.subarray(from * width, to * width), shape, width };
}

/** Rows of a table, in the given order, as a tensor of their own. */
export function takeRows({ values, shape, width }: Table, rows: ArrayLike<number>): Tensor {
  const out = new (values.constructor as new (length: number) => FloatArray)(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    out.set(values.subarray(row * width, (row + 1) * width), i * width);
  }
  return hostTensor(out, [rows.length, ...shape]);
}

/** Tensors of equal rows one after another, along the first axis. */
export function joinRows(parts: readonly Tensor[]): Tensor {
  if (parts.length === 1) return parts[0];
  const values = parts.map((part) => part.dataSync());
  const total = values.reduce((sum, part) => sum + part.length, 0);
  const out = new (values[0].constructor as new (length: number) => FloatArray)(total);
  let at = 0;
  for (const part of values) {
    out.set(part, at);
    at += part.length;
  }
  const count = parts.reduce((sum, part) => sum + part.shape[0], 0);
  return hostTensor(out, [count, ...parts[0].shape.slice(1)]);
}
