/** Draws random values for property tests, from a seed that the messages of failures contain. */
import { RandomStream } from '@unroll/core';

export class Draw {
  readonly #random: RandomStream;

  constructor(seed: number) {
    this.#random = new RandomStream(seed, 'formats');
  }

  /** Returns an integer from 0 to count - 1. */
  below(count: number): number {
    return Math.floor(this.#random.uniform(1)[0]! * count);
  }

  /** Returns an element of a list. */
  from<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from(this.#random.words(count), (word) => word & 0xff);
  }

  /** Returns true with this probability. */
  chance(probability: number): boolean {
    return this.#random.uniform(1)[0]! < probability;
  }
}
