/**
 * Slices and joins the rows of data sets, which are tensors [N, ...] in host memory: in JavaScript arrays, not in the
 * memory of a backend.
 */
import type { FloatArray } from './backend.js';
import { sizeOf } from './shape.js';
import { hostTensor, hostValues, type Tensor } from './tensor.js';

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
