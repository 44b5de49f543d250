/** Random things for property tests, from a seed that failures name. */
import { RandomStream } from '@unroll/core';

export class Draw {
  readonly #random: RandomStream;

  constructor(seed: number) {
    this.#random = new RandomStream(seed, 'formats');
  }

  /** An integer from 0 to count - 1. */
  below(count: number): number {
    return Math.floor(this.#random.uniform(1)[0]! * count);
  }

  from<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from(this.#random.words(count), (word) => word & 0xff);
  }

  chance(share: number): boolean {
    return this.#random.uniform(1)[0]! < share;
  }
}
