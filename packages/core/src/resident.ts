/**
 * Memory that stays in a backend between scopes: parameters, their gradients and optimizer slots. One `FlatBuffer` holds
 * many tensors side by side, so that clipping, an optimizer's update and an all-reduce are one call over the whole. When
 * the program switches backends, a buffer follows at its next use.
 */
import type { Backend, Block, FloatArray } from './backend.js';
import { shapeError } from './errors.js';
import { currentBackend, runtime } from './runtime.js';
import type { ResidentMemory } from './tensor.js';

interface Home {
  backend: Backend;
  block: Block;
  /** Parts that were asked for, by their offset: the same ones are, step after step. */
  parts: Map<number, Block>;
}

/** Gives the memory of collected buffers back. A long synchronous loop that makes models delays this to its end. */
const collected = new FinalizationRegistry<Home>((home) => home.backend.release(home.block));

export class FlatBuffer implements ResidentMemory {
  readonly length: number;
  #home: Home;

  /** `length` zeros in the current backend's memory. */
  constructor(length: number) {
    this.length = length;
    this.#home = this.#settleIn(currentBackend());
  }

  /** The whole buffer, in the memory of the backend that computes now. */
  block(): Block {
    const backend = runtime.scope?.backend ?? currentBackend();
    if (backend !== this.#home.backend) {
      const old = this.#home;
      const values = old.backend.read(old.block);
      collected.unregister(old);
      this.#home = this.#settleIn(backend);
      backend.write(this.#home.block, values);
      old.backend.release(old.block);
    }
    return this.#home.block;
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

  /** A copy of the values. */
  read(): FloatArray {
    return this.#home.backend.read(this.#home.block);
  }

  readPart(offset: number, length: number): FloatArray {
    return this.#home.backend.read(this.#home.backend.view(this.#home.block, offset, length));
  }

  /** @throws UnrollError `shape` where the values reach beyond the buffer */
  write(values: ArrayLike<number>, offset = 0): void {
    if (offset + values.length > this.length) {
      throw shapeError(`${values.length} values do not fit a buffer of ${this.length} from ${offset} on.`, {
        values: values.length,
        length: this.length,
        offset,
      });
    }
    this.#home.backend.write(this.#home.backend.view(this.#home.block, offset, values.length), values);
  }

  #settleIn(backend: Backend): Home {
    const home = { backend, block: backend.allocate(this.length), parts: new Map<number, Block>() };
    collected.register(this, home, home);
    return home;
  }
}
