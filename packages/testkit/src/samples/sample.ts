/** What a sample is: one call of an op to try on every backend and to check the gradient of. */
import type { Op, OpName, OpTable } from '@unroll/core/internal';
import type { Maker } from '../draw.js';

export interface Sample<A> {
  /** Unique within its op. */
  readonly name: string;
  readonly inputs: readonly (Maker | null)[];
  readonly attrs: A;
  /** Per input: true where its gradient is checked, else why there is none. */
  readonly gradients: readonly (true | string)[];
  /**
   * How many elements of each input to check one at a time, besides all at once along a direction. Default
   * 40.
   */
  readonly elements?: number;
}

export type AttributesOf<K extends OpName> = OpTable[K] extends Op<infer A> ? A : never;
/** Samples of every op: an op that is added to the table without samples does not compile. */
export type Samples = { readonly [K in OpName]: readonly Sample<AttributesOf<K>>[] };

export const ABSENT = 'not given';
export const STEP = 'constant but for jumps: its derivative is zero wherever it has one';
