/**
 * Memory that stays in a backend between scopes: parameters, their gradients and optimizer slots. One `FlatBuffer`
 * contains many tensors side by side, so that clipping, an optimizer's update and an all-reduce are single calls. If
 * the program switches backends, a buffer is moved at its next use.
 */
import type { Block, FloatArray, WeightFormatName } from './backend.js';
import { shapeError, UnrollError } from './errors.js';
import { currentBackend, runtime } from './runtime.js';
import type { BlockLocation, ResidentMemory } from './tensor.js';

export interface BufferStorage extends BlockLocation {
  /** Cached views by offset, because every step requests the same ones. */
  parts: Map<number, Block>;
}

/** The storage of every live buffer. */
export const bufferStorages = new Set<BufferStorage>();

/**
 * Releases the memory of garbage-collected buffers. A long synchronous loop that creates models delays this to its
 * end.
 */
const collected = new FinalizationRegistry<BufferStorage>((storage) => {
  bufferStorages.delete(storage);
  storage.backend.release(storage.block);
});

/** @throws UnrollError `backend`, beginning with `what`, if the memory cannot be read synchronously */
export function readNow({ backend, block }: BlockLocation, what: string): FloatArray {
  if (backend.readSync) return backend.readSync(block);
  throw new UnrollError(
    'backend',
    `${what} cannot be read synchronously from the backend "${backend.name}". Await its data() instead.`,
  );
}

export class FlatBuffer implements ResidentMemory {
  readonly length: number;
  readonly #storage: BufferStorage;

  /** `length` zeros in the current backend's memory. */
  constructor(length: number) {
    const backend = currentBackend();
    this.length = length;
    this.#storage = { backend, block: backend.allocate(length), parts: new Map() };
    bufferStorages.add(this.#storage);
    collected.register(this, this.#storage);
  }

  /** The whole buffer, in the memory of the current backend. */
  block(): Block {
    const backend = runtime.scope?.backend ?? currentBackend();
    const storage = this.#storage;
    if (backend !== storage.backend) runtime.moveStorage?.(storage, backend);
    return storage.block;
  }

  blockFor(offset: number, length: number): Block {
    const whole = this.block();
    if (offset === 0 && length === this.length) return whole;
    const { backend, parts } = this.#storage;
    let part = parts.get(offset);
    if (part?.length !== length) {
      part = backend.view(whole, offset, length);
      parts.set(offset, part);
    }
    return part;
  }

  locationOf(offset: number, length: number): BlockLocation {
    const { backend, block } = this.#storage;
    return { backend, block: backend.view(block, offset, length) };
  }

  /** A copy of the values. */
  read(): Promise<FloatArray> {
    const { backend, block } = this.#storage;
    return backend.read(block);
  }

  /** @throws UnrollError `shape` if the values extend beyond the buffer */
  write(values: ArrayLike<number>, offset = 0): void {
    if (offset + values.length > this.length) {
      throw shapeError(`${values.length} values do not fit a buffer of ${this.length} at offset ${offset}.`);
    }
    const { backend, block } = this.locationOf(offset, values.length);
    backend.write(block, values);
  }

  /** See {@link Backend.setWeightFormat}. */
  setWeightFormat(format: WeightFormatName, offset: number, length: number): void {
    const { backend, block } = this.locationOf(offset, length);
    backend.setWeightFormat?.(block, format);
  }

  /** Copies the values of a block of the current backend. */
  copyFrom(block: Block, offset = 0): void {
    const to = this.blockFor(offset, block.length);
    this.#storage.backend.kernels.copy(block, 0, [1], to, 0, [1], [block.length]);
  }
}
