/**
 * Memory that stays in a backend between scopes: parameters, their gradients and optimizer slots. A `FlatBuffer` stores
 * many tensors contiguously, so that clipping and optimizer updates are single kernel calls. After a switch to another
 * backend, a buffer is moved at its next use.
 */
import type { Block, FloatArray, WeightFormatName } from './backend.js';
import { shapeError, UnrollError } from './errors.js';
import { currentBackend, runtime } from './runtime.js';
import type { BlockLocation, ResidentMemory } from './tensor.js';

export interface BufferStorage extends BlockLocation {
  /** Cached views by offset: every step requests the same views. */
  views: Map<number, Block>;
}

/** The storage of every live buffer. */
export const bufferStorages = new Set<BufferStorage>();

/**
 * Releases the memory of garbage-collected buffers. JavaScript calls this only between tasks, so a synchronous loop
 * that creates models frees their memory only after its end.
 */
const bufferRegistry = new FinalizationRegistry<BufferStorage>((storage) => {
  bufferStorages.delete(storage);
  storage.backend.release(storage.block);
});

/**
 * Reads a block synchronously.
 * @param what the subject of the error message
 * @throws UnrollError `backend` if the memory can only be read asynchronously
 */
export function readSynchronously({ backend, block }: BlockLocation, what: string): FloatArray {
  if (backend.readSync) return backend.readSync(block);
  throw new UnrollError(
    'backend',
    `${what} cannot be read synchronously from the backend "${backend.name}". Await data() instead.`,
  );
}

export class FlatBuffer implements ResidentMemory {
  readonly length: number;
  readonly #storage: BufferStorage;

  /** Allocates `length` zeros in the current backend's memory. */
  constructor(length: number) {
    const backend = currentBackend();
    this.length = length;
    this.#storage = { backend, block: backend.allocate(length), views: new Map() };
    bufferStorages.add(this.#storage);
    bufferRegistry.register(this, this.#storage);
  }

  /** Returns the whole buffer, after moving it to the current backend if necessary. */
  block(): Block {
    const backend = runtime.scope?.backend ?? currentBackend();
    const storage = this.#storage;
    if (backend !== storage.backend) runtime.moveStorage?.(storage, backend);
    return storage.block;
  }

  /** Returns a part of the buffer, after moving the buffer to the current backend if necessary. */
  blockFor(offset: number, length: number): Block {
    const block = this.block();
    if (offset === 0 && length === this.length) return block;
    const { backend, views } = this.#storage;
    let view = views.get(offset);
    if (view?.length !== length) {
      view = backend.view(block, offset, length);
      views.set(offset, view);
    }
    return view;
  }

  /** Returns a part of the buffer without moving the buffer. */
  locationOf(offset: number, length: number): BlockLocation {
    const { backend, block } = this.#storage;
    return { backend, block: backend.view(block, offset, length) };
  }

  /** Returns a copy of all values. */
  read(): Promise<FloatArray> {
    const { backend, block } = this.#storage;
    return backend.read(block);
  }

  /** Writes values, starting at `offset`. @throws UnrollError `shape` if they extend beyond the buffer */
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

  /** Copies a block of the current backend to the buffer, starting at `offset`. */
  copyFrom(block: Block, offset = 0): void {
    const to = this.blockFor(offset, block.length);
    this.#storage.backend.kernels.copy({ x: block, y: to });
  }
}
