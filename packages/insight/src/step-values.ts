/**
 * Reads the values of every step of a layer before the scope of a pass ends. The fused kernels store values step by step, with
 * all gates side by side; the functions below return an array [B, T, size] for each gate and state, in time order.
 */
import { type Backend, Tensor } from '@unroll/core';
import { currentScope, temporaryTensor } from '@unroll/core/internal';
import { type DataArray, readArray } from './arrays.js';

/** Columns of a time-major buffer of the kernels, [T, B, stride] in processing order. */
interface TimeMajorLayout {
  T: number;
  B: number;
  /** Numbers per row, starting at `offset`. */
  size: number;
  offset: number;
  stride: number;
  reverse: boolean;
}

/** Values of every step in a buffer of the kernels. */
export class KernelSteps {
  readonly #buffer: Tensor;
  readonly #layout: TimeMajorLayout;

  constructor(buffer: Tensor, layout: TimeMajorLayout) {
    this.#buffer = buffer;
    this.#layout = layout;
  }

  /** Returns a copy [B, T, size] in time order. */
  toTensor(): Tensor {
    const { T, B, size, offset, stride, reverse } = this.#layout;
    const out = temporaryTensor([B, T, size]);
    const [start, step] = reverse ? [(T - 1) * size, -size] : [0, size];
    currentScope().backend.kernels.copy({
      x: this.#buffer.block(),
      offsetX: offset,
      stridesX: [B * stride, stride, 1],
      y: out.block(),
      offsetY: start,
      stridesY: [step, T * size, 1],
      shape: [T, B, size],
    });
    return out;
  }

  /**
   * Returns the values [B, T, size] in time order. The copy in time order is released at once, so that all gates use the same
   * memory, which stays in the caches.
   */
  read(backend: ReadableBackend): DataArray {
    backend.openArena();
    try {
      const tensor = this.toTensor();
      return { shape: [...tensor.shape], values: backend.readSync(tensor.block()) };
    } finally {
      backend.closeArena();
    }
  }
}

type ReadableBackend = Backend & Required<Pick<Backend, 'readSync'>>;

/** Values of every step, [B, T, size] in time order. */
export type StepValues = Tensor | KernelSteps;

/** Values of every step, by name: arrays, or tensors if the backend has no synchronous reads. */
export type CollectedValues = Record<string, DataArray | Tensor>;

/** Reads values in the open scope. If the result contains tensors, the caller must move them out of the scope. */
export function collect(values: Readonly<Record<string, StepValues>>): CollectedValues {
  const { backend } = currentScope();
  const found: CollectedValues = {};
  for (const name in values) {
    const steps = values[name];
    if (!canRead(backend)) found[name] = steps instanceof Tensor ? steps : steps.toTensor();
    else if (steps instanceof Tensor) found[name] = { shape: [...steps.shape], values: steps.dataSync() };
    else found[name] = steps.read(backend);
  }
  return found;
}

const canRead = (backend: Backend): backend is ReadableBackend => backend.readSync !== undefined;

/** Returns collected values as arrays; reads those that are still tensors. */
export async function readCollected(values: CollectedValues): Promise<Record<string, DataArray>> {
  const found: Record<string, DataArray> = {};
  for (const name in values) {
    const value = values[name];
    found[name] = value instanceof Tensor ? await readArray(value) : value;
  }
  return found;
}
