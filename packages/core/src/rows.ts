/**
 * Selects, slices and joins the rows of data sets, which are tensors [N, ...] in host memory: in JavaScript arrays, not in the
 * memory of a backend.
 */
import type { FloatArray } from './backend.js';
import { sizeOf } from './shape.js';
import { hostTensor, hostValues, selectedRows, type Tensor } from './tensor.js';

/** Subject of error messages. */
const DATA = 'A data set';

/** Returns the tensors with their values in host memory. Tensors that are already there are returned unchanged. */
export function toHost<T extends Tensor | null>(tensors: readonly T[]): Promise<readonly T[]> {
  return Promise.all(
    tensors.map(async (tensor) =>
      tensor?.hostArray === null ? (hostTensor(await tensor.data(), tensor.shape) as T) : tensor,
    ),
  );
}

/** Rows of at most this length are copied at once: for each of them, creating a subarray would take longer than copying. */
const SHORT_ROW = 32;

/**
 * Returns a new tensor with the given rows of a host tensor [N, ...], in the given order. `rows` must not change afterwards: long
 * rows are copied when they are needed.
 */
export function takeRows(tensor: Tensor, rows: ArrayLike<number>): Tensor {
  const values = hostValues(tensor, DATA);
  const shape = tensor.shape.slice(1);
  const width = sizeOf(shape);
  if (width > SHORT_ROW) return selectedRows({ array: values, width, rows }, [rows.length, ...shape]);
  const out = new (values.constructor as new (length: number) => FloatArray)(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const start = rows[i] * width;
    for (let j = 0; j < width; j++) out[i * width + j] = values[start + j];
  }
  return hostTensor(out, [rows.length, ...shape]);
}

/** Returns a new tensor with the rows start..end-1 of a host tensor. */
export function sliceRows(tensor: Tensor, start: number, end: number): Tensor {
  const shape = tensor.shape.slice(1);
  const width = sizeOf(shape);
  return hostTensor(hostValues(tensor, DATA).slice(start * width, end * width), [end - start, ...shape]);
}

/** Concatenates tensors of rows along the first axis. */
export async function joinRows(parts: readonly Tensor[]): Promise<Tensor> {
  if (parts.length === 1) return parts[0];
  const values = (await toHost(parts)).map((part) => hostValues(part, DATA));
  const count = parts.reduce((sum, part) => sum + part.shape[0], 0);
  const shape = [count, ...parts[0].shape.slice(1)];
  const out = new (values[0].constructor as new (length: number) => FloatArray)(sizeOf(shape));
  let offset = 0;
  for (const part of values) {
    out.set(part, offset);
    offset += part.length;
  }
  return hostTensor(out, shape);
}
