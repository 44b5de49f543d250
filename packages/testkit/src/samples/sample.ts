/** What a sample is: one call of an op to try on every backend and to check the gradient of. */
import type { Inputs, Op, OpName, OpTable, Outputs } from '@unroll/core/internal';
import type { Maker } from '../draw.js';

export interface Sample<A, I extends Inputs> {
  /** Unique within its op. */
  readonly name: string;
  readonly inputs: { readonly [K in keyof I]: null extends I[K] ? Maker | null : Maker };
  readonly attrs: A;
  /** Per input: true where its gradient is checked, else why there is none. */
  readonly gradients: { readonly [K in keyof I]: true | string };
  /**
   * How many elements of each input to check one at a time, besides all at once along a direction. Default
   * 40.
   */
  readonly elements?: number;
}

type Parts<O> = O extends Op<infer A, infer I, Outputs> ? { attrs: A; inputs: I } : never;
export type AttributesOf<K extends OpName> = Parts<OpTable[K]>['attrs'];
export type InputsOf<K extends OpName> = Parts<OpTable[K]>['inputs'];
/** A sample of one op of the table. */
export type SampleFor<K extends OpName> = Sample<AttributesOf<K>, InputsOf<K>>;
/** A sample, where it does not matter of which op. */
export type AnySample = Sample<unknown, Inputs>;
/** Samples of every op: an op that is added to the table without samples does not compile. */
export type Samples = { readonly [K in OpName]: readonly SampleFor<K>[] };

export const ABSENT = 'not given';
export const STEP = 'constant but for jumps: its derivative is zero wherever it has one';
