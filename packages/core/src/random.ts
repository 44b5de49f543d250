/**
 * Random streams. All random numbers (initial weights, shuffling, dropout masks) come from counter-based streams, each
 * identified by a seed and a path. A stream gives the same numbers on every machine: the code that converts its
 * integers to other distributions avoids `Math.exp`, `Math.log` and `Math.cos`, whose last bits differ between engines.
 */
import { valueError } from './errors.js';
import { formatValue } from './format-value.js';
import { apply1, type Op } from './op.js';
import { runtime } from './runtime.js';
import { type Shape, sizeOf } from './shape.js';
import type { Tensor } from './tensor.js';
import { randomWord, threefry2x32 } from './threefry.js';

/** The state of a random stream. A stream with the same state continues with the same numbers, in any process. */
export interface StreamState {
  key: [number, number];
  /** Number of blocks used so far. A block is two 32-bit words. */
  counter: number;
}

export class RandomStream {
  #key: readonly [number, number];
  #counter = 0;

  /**
   * @param seed an integer from 0 to 2^53 - 1
   * @param path what the stream is used for, such as 'classify', 'batches'; streams of different paths are independent
   */
  constructor(seed: number, ...path: (string | number)[]) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw valueError(`seed must be an integer from 0 to 2^53 - 1, got ${formatValue(seed)}.`, { seed });
    }
    // The second argument is "unroll" in ASCII.
    const key = threefry2x32([seed >>> 0, Math.floor(seed / 2 ** 32)], [0x756e726f, 0x6c6c0000]);
    this.#key = childKey(key, path);
  }

  get state(): StreamState {
    return { key: [...this.#key], counter: this.#counter };
  }

  set state({ key, counter }: StreamState) {
    this.#key = [...key];
    this.#counter = counter;
  }

  /** Returns an independent stream for a path below this one. Does not change this stream. */
  child(...path: (string | number)[]): RandomStream {
    const stream = new RandomStream(0);
    stream.state = { key: childKey(this.#key, path), counter: 0 };
    return stream;
  }

  /** Returns the next `count` 32-bit integers. */
  words(count: number): Uint32Array {
    const counter = this.#reserve(count);
    return Uint32Array.from({ length: count }, (_, i) => randomWord(this.#key, counter, i));
  }

  /** Returns `count` uniform numbers in [low, high), with 24 random bits each. */
  uniform(count: number, low = 0, high = 1): Float64Array {
    return Float64Array.from(this.words(count), (word) => low + (high - low) * ((word >>> 8) * 2 ** -24));
  }

  /** Returns `count` normally distributed numbers (Marsaglia's polar method with {@link exactLog}). */
  normal(count: number, mean = 0, deviation = 1): Float64Array {
    const out = new Float64Array(count);
    for (let i = 0; i < count; ) {
      const [u, v] = this.uniform(2, -1, 1) as unknown as [number, number];
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const scale = deviation * Math.sqrt((-2 * exactLog(s)) / s);
      out[i++] = mean + u * scale;
      if (i < count) out[i++] = mean + v * scale;
    }
    return out;
  }

  /** Returns the integers 0..count-1 in random order (Fisher-Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    const words = this.words(Math.max(0, count - 1));
    for (let i = count - 1; i > 0; i--) {
      // Multiply-shift: the probability of each j deviates from 1 / (i + 1) by less than 2^-32.
      const j = Math.floor((words[count - 1 - i] * (i + 1)) / 2 ** 32);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** Returns a tensor of uniform numbers in [0, 1), computed by the backend: the same numbers as {@link uniform}. */
  uniformTensor(shape: Shape): Tensor {
    return apply1(uniformOp, [], { ...this.#reserveFor(shape), shape });
  }

  /**
   * Returns an inverted dropout mask: 1/(1-rate) with probability 1-rate, else 0.
   * @param rate the dropout rate, in [0, 1)
   */
  dropoutMask(shape: Shape, rate: number): Tensor {
    if (!(rate >= 0 && rate < 1))
      throw valueError(`rate must be in [0, 1), got ${formatValue(rate)}.`, { rate });
    return apply1(maskOp, [], { ...this.#reserveFor(shape), shape, keep: 1 - rate });
  }

  /** Reserves one word for each element of `shape` and returns the stream's position before them. */
  #reserveFor(shape: Shape): { key: readonly [number, number]; counter: number } {
    return { key: this.#key, counter: this.#reserve(sizeOf(shape)) };
  }

  /** Reserves the next `words` words of the stream and returns the counter of their first block. */
  #reserve(words: number): number {
    const first = this.#counter;
    this.#counter += Math.ceil(words / 2);
    return first;
  }
}

runtime.makeStream = (seed) => new RandomStream(seed);

interface DrawAttributes {
  key: readonly [number, number];
  counter: number;
  shape: Shape;
}

/** Returns the key of the child stream at a path. */
function childKey(key: readonly [number, number], path: readonly (string | number)[]): [number, number] {
  let child: [number, number] = [...key];
  for (const part of path) {
    for (const character of `${part}/`) child = threefry2x32(child, [character.codePointAt(0)!, 1]);
  }
  return child;
}

const uniformOp: Op<DrawAttributes, readonly []> = {
  name: 'randomUniform',
  shapes: (_inputs, { shape }) => [[...shape]],
  forward: ({ attrs, outputs, kernels }) =>
    kernels.randomUniform(attrs.key, attrs.counter, outputs[0].block()),
  backward: () => [],
};

const maskOp: Op<DrawAttributes & { keep: number }, readonly []> = {
  name: 'dropoutMask',
  shapes: (_inputs, { shape }) => [[...shape]],
  forward: ({ attrs, outputs, kernels }) =>
    kernels.randomMask(attrs.key, attrs.counter, outputs[0].block(), {
      keep: attrs.keep,
      scale: 1 / attrs.keep,
    }),
  backward: () => [],
};

const bits = new DataView(new ArrayBuffer(8));

/** Returns ln x for x > 0 from additions, products and divisions: the same bits in every JavaScript engine. */
export function exactLog(x: number): number {
  bits.setFloat64(0, x);
  const high = bits.getUint32(0);
  let exponent = ((high >>> 20) & 0x7ff) - 1022;
  bits.setUint32(0, (high & 0x800fffff) | (1022 << 20));
  let m = bits.getFloat64(0); // in [1/2, 1)
  if (m < Math.SQRT1_2) {
    m *= 2;
    exponent -= 1;
  }
  const z = (m - 1) / (m + 1); // ln m = 2 artanh z, |z| < 0.172
  const z2 = z * z;
  let series = 0;
  for (let k = 23; k >= 1; k -= 2) series = series * z2 + 1 / k;
  return exponent * Math.LN2 + 2 * z * series;
}
