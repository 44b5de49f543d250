// Memory and comparisons for tests that call kernels directly.
import type { KernelModule, Pointer } from '@unroll/kernels';

/** Allocates arrays one after another from the heap base of a kernel module. Nothing is ever freed. */
export class Arena {
  readonly module: KernelModule;
  /** The first free address. */
  #top: number;

  constructor(module: KernelModule) {
    this.module = module;
    this.#top = module.memory.heapBase;
  }

  #allocate(bytes: number): Pointer {
    const pointer = this.#top;
    this.#top = Math.ceil((pointer + bytes) / 64) * 64;
    if (!this.module.memory.reserve(this.#top))
      throw new Error(`cannot grow the memory to ${this.#top} bytes for the test`);
    return pointer;
  }

  /** Allocates `count` floats, filled with a value that no kernel writes by chance. */
  empty(count: number, filler = -12345.5): Pointer {
    const pointer = this.#allocate(4 * count);
    new Float32Array(this.module.memory.buffer, pointer, count).fill(filler);
    return pointer;
  }

  /** Allocates floats with the given values. */
  floats(values: ArrayLike<number>): Pointer {
    const pointer = this.#allocate(4 * values.length);
    new Float32Array(this.module.memory.buffer, pointer, values.length).set(values);
    return pointer;
  }

  /** Allocates 32-bit integers with the given values. */
  ints(values: ArrayLike<number>): Pointer {
    const pointer = this.#allocate(4 * values.length);
    new Int32Array(this.module.memory.buffer, pointer, values.length).set(values);
    return pointer;
  }

  /** Returns a copy of the floats at `pointer`. */
  read(pointer: Pointer, count: number): Float32Array {
    return new Float32Array(this.module.memory.buffer, pointer, count).slice();
  }
}

/** Returns reproducible random floats in [-1, 1) from a linear congruential generator. */
export const someFloats = (count: number, seed = 1): Float32Array => {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

/** Throws if an element differs from the expected one by more than tolerance * max(1, |expected|). */
export const expectClose = (
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  label: string,
): void => {
  if (got.length !== expected.length)
    throw new Error(`${label}: expected ${expected.length} elements, got ${got.length}`);
  for (let i = 0; i < expected.length; i++) {
    const a = got[i];
    const b = expected[i];
    if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const error = Math.abs(a - b) / Math.max(1, Math.abs(b));
    if (!(error <= tolerance))
      throw new Error(`${label}: element ${i} must be ${b}, got ${a} (error ${error})`);
  }
};

/** Throws unless both arrays have the same bits. */
export const expectSame = (got: Float32Array, expected: Float32Array, label: string): void => {
  const a = new Uint32Array(got.buffer, got.byteOffset, got.length);
  const b = new Uint32Array(expected.buffer, expected.byteOffset, expected.length);
  if (a.length !== b.length) throw new Error(`${label}: expected ${b.length} elements, got ${a.length}`);
  const i = a.findIndex((bits, k) => bits !== b[k]);
  if (i >= 0)
    throw new Error(`${label}: element ${i} must be bitwise equal to ${expected[i]}, got ${got[i]}`);
};
