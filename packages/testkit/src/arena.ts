// Memory for tests that call kernels directly: floats and integers one after another behind the heap's start.
import type { KernelModule, Pointer } from '@unroll/kernels';

export class Arena {
  readonly module: KernelModule;
  #top: number;

  constructor(module: KernelModule) {
    this.module = module;
    this.#top = module.memory.heapBase;
  }

  #take(bytes: number): Pointer {
    const pointer = this.#top;
    this.#top = Math.ceil((pointer + bytes) / 64) * 64;
    if (!this.module.memory.reserve(this.#top))
      throw new Error(`the test needs ${this.#top} bytes of memory`);
    return pointer;
  }

  /** Room for `count` floats, filled with a value that no kernel leaves behind by chance. */
  empty(count: number, filler = -12345.5): Pointer {
    const pointer = this.#take(4 * count);
    new Float32Array(this.module.memory.buffer, pointer, count).fill(filler);
    return pointer;
  }
  floats(values: ArrayLike<number>): Pointer {
    const pointer = this.#take(4 * values.length);
    new Float32Array(this.module.memory.buffer, pointer, values.length).set(values);
    return pointer;
  }
  ints(values: ArrayLike<number>): Pointer {
    const pointer = this.#take(4 * values.length);
    new Int32Array(this.module.memory.buffer, pointer, values.length).set(values);
    return pointer;
  }
  /** A copy of the floats at `pointer`. */
  read(pointer: Pointer, count: number): Float32Array {
    return new Float32Array(this.module.memory.buffer, pointer, count).slice();
  }
}

/** Repeatable floats in [-1, 1): a linear congruential generator, good enough to make shapes meet odd values. */
export const someFloats = (count: number, seed = 1): Float32Array => {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

/** Throws where an element is further from the wanted one than tolerance * max(1, |wanted|). */
export const expectClose = (
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
  what: string,
): void => {
  if (got.length !== wanted.length) throw new Error(`${what}: ${got.length} elements, not ${wanted.length}`);
  for (let i = 0; i < wanted.length; i++) {
    const a = got[i];
    const b = wanted[i];
    if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const error = Math.abs(a - b) / Math.max(1, Math.abs(b));
    if (!(error <= tolerance)) throw new Error(`${what}: element ${i} is ${a}, not ${b} (error ${error})`);
  }
};

/** Throws unless both have the same bits. */
export const expectSame = (got: Float32Array, wanted: Float32Array, what: string): void => {
  const a = new Uint32Array(got.buffer, got.byteOffset, got.length);
  const b = new Uint32Array(wanted.buffer, wanted.byteOffset, wanted.length);
  if (a.length !== b.length) throw new Error(`${what}: ${a.length} elements, not ${b.length}`);
  const i = a.findIndex((bits, k) => bits !== b[k]);
  if (i >= 0) throw new Error(`${what}: element ${i} is ${got[i]}, not ${wanted[i]} to the bit`);
};
