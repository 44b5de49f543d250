/**
 * Memory that stays in a backend between scopes: parameters, their gradients and optimizer slots. One `FlatBuffer` holds
 * many tensors side by side, so that clipping, an optimizer's update and an all-reduce are one call over the whole. When
 * the program switches backends, a buffer follows at its next use.
 */
import type { Block, FloatArray } from './backend.js';
import { shapeError, UnrollError } from './errors.js';
import { currentBackend, runtime } from './runtime.js';
import type { Place, ResidentMemory } from './tensor.js';

export interface Home extends Place {
  /** Parts that were asked for, by their offset: the same ones are, step after step. */
  parts: Map<number, Block>;
}

/** Those of all buffers. */
export const homes = new Set<Home>();

/** Gives the memory of collected buffers back. A long synchronous loop that makes models delays this to its end. */
const collected = new FinalizationRegistry<Home>((home) => {
  homes.delete(home);
  home.backend.release(home.block);
});

/** @throws UnrollError `backend`, beginning with `what`, where the memory cannot be read synchronously */
export function readNow({ backend, block }: Place, what: string): FloatArray {
  if (backend.readSync) return backend.readSync(block);
  throw new UnrollError(
    'backend',
    `${what} cannot be read synchronously from the backend "${backend.name}": await its data().`,
  );
}

export class FlatBuffer implements ResidentMemory {
  readonly length: number;
  readonly #home: Home;

  /** `length` zeros in the current backend's memory. */
  constructor(length: number) {
    const backend = currentBackend();
    this.length = length;
    this.#home = { backend, block: backend.allocate(length), parts: new Map() };
    homes.add(this.#home);
    collected.register(this, this.#home);
  }

  /** The whole buffer, in the memory of the backend that computes now. */
  block(): Block {
    const backend = runtime.scope?.backend ?? currentBackend();
    const home = this.#home;
    if (backend !== home.backend) runtime.moveHome?.(home, backend);
    return home.block;
  }

  blockFor(offset: number, length: number): Block {
    const whole = this.block();
    if (offset === 0 && length === this.length) return whole;
    const { backend, parts } = this.#home;
    let part = parts.get(offset);
    if (part?.length !== length) {
      part = backend.view(whole, offset, length);
      parts.set(offset, part);
    }
    return part;
  }

  placeOf(offset: number, length: number): Place {
    const { backend, block } = this.#home;
    return { backend, block: backend.view(block, offset, length) };
  }

  /** A copy of the values. */
  read(): Promise<FloatArray> {
    const { backend, block } = this.#home;
    return backend.read(block);
  }

  /** @throws UnrollError `shape` where the values reach beyond the buffer */
  write(values: ArrayLike<number>, offset = 0): void {
    if (offset + values.length > this.length) {
      throw shapeError(`${values.length} values do not fit a buffer of ${this.length} from ${offset} on.`);
    }
    const { backend, block } = this.placeOf(offset, values.length);
    backend.write(block, values);
  }

  /** Copies the values of a block of the backend that computes now. */
  copyFrom(block: Block, offset = 0): void {
    const to = this.blockFor(offset, block.length);
    this.#home.backend.kernels.copy(block, 0, [1], to, 0, [1], [block.length]);
  }
}
