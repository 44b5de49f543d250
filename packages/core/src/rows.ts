/** Rows of data sets: batches copy the rows of their examples into one tensor. */
import type { FloatArray } from './backend.js';
import { sizeOf } from './shape.js';
import { hostTensor, hostValues, type Tensor } from './tensor.js';

const DATA = 'A data set';

/** The same tensors with their values on the host. */
export function onHost<T extends Tensor | null>(tensors: readonly T[]): Promise<readonly T[]> {
  return Promise.all(
    tensors.map(async (tensor) =>
      tensor?.hostArray === null ? (hostTensor(await tensor.data(), tensor.shape) as T) : tensor,
    ),
  );
}

/** Copies rows of a host tensor [N, ...], in the given order, to a new tensor. */
export function takeRows(tensor: Tensor, rows: ArrayLike<number>): Tensor {
  const values = hostValues(tensor, DATA);
  const shape = tensor.shape.slice(1);
  const width = sizeOf(shape);
  const out = new (values.constructor as new (length: number) => FloatArray)(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    out.set(values.subarray(row * width, (row + 1) * width), i * width);
  }
  return hostTensor(out, [rows.length, ...shape]);
}

/** Copies rows `from` to `to` (exclusive) of a host tensor to a new tensor. */
export function sliceRows(tensor: Tensor, from: number, to: number): Tensor {
  const shape = tensor.shape.slice(1);
  const width = sizeOf(shape);
  return hostTensor(hostValues(tensor, DATA).slice(from * width, to * width), [to - from, ...shape]);
}

/** Concatenates tensors of rows along the first axis. */
export async function joinRows(parts: readonly Tensor[]): Promise<Tensor> {
  if (parts.length === 1) return parts[0];
  const values = (await onHost(parts)).map((part) => hostValues(part, DATA));
  const count = parts.reduce((sum, part) => sum + part.shape[0], 0);
  const shape = [count, ...parts[0].shape.slice(1)];
  const out = new (values[0].constructor as new (length: number) => FloatArray)(sizeOf(shape));
  let at = 0;
  for (const part of values) {
    out.set(part, at);
    at += part.length;
  }
  return hostTensor(out, shape);
}
