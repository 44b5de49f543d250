/** Defines a sample: one call of an op, run on every backend and in the gradient checks. */
import type { Inputs, Op, OpName, OpTable, Outputs } from '@unroll/core/internal';
import type { Maker } from '../draw.js';

export interface Sample<A, I extends Inputs> {
  /** Unique among the samples of the op. */
  readonly name: string;
  readonly inputs: { readonly [K in keyof I]: null extends I[K] ? Maker | null : Maker };
  readonly attrs: A;
  /** For each input: true if its gradient is checked, otherwise why there is none. */
  readonly gradients: { readonly [K in keyof I]: true | string };
  /** Number of elements of each input to check one at a time, in addition to the directional check. Default 40. */
  readonly elements?: number;
}

type Parts<O> = O extends Op<infer A, infer I, Outputs> ? { attrs: A; inputs: I } : never;
export type AttributesOf<K extends OpName> = Parts<OpTable[K]>['attrs'];
export type InputsOf<K extends OpName> = Parts<OpTable[K]>['inputs'];
/** A sample of one op in the op table. */
export type SampleFor<K extends OpName> = Sample<AttributesOf<K>, InputsOf<K>>;
/** A sample of any op. */
export type AnySample = Sample<unknown, Inputs>;
/** Samples of every op. The type requires samples for each op in the table. */
export type Samples = { readonly [K in OpName]: readonly SampleFor<K>[] };

export const ABSENT = 'not given';
export const STEP = 'piecewise constant: the derivative is zero wherever it exists';
