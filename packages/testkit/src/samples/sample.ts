/** Defines the type of a sample: one call of an op, which runs on every backend and in the gradient checks. */
import type { Inputs, Op, OpName, OpTable, Outputs } from '@unroll/core/internal';
import type { TensorGenerator } from '../draw.js';

export interface Sample<A, I extends Inputs> {
  /** Unique among the samples of the op. */
  readonly name: string;
  readonly inputs: { readonly [K in keyof I]: null extends I[K] ? TensorGenerator | null : TensorGenerator };
  readonly attrs: A;
  /** For each input: true if its gradient is checked, otherwise the reason why it has none. */
  readonly gradients: { readonly [K in keyof I]: true | string };
  /** Number of elements of each input to check one at a time, in addition to the directional check. Default 40. */
  readonly checkedElements?: number;
}

type OpTypes<O> = O extends Op<infer A, infer I, Outputs> ? { attrs: A; inputs: I } : never;
export type AttributesOf<K extends OpName> = OpTypes<OpTable[K]>['attrs'];
export type InputsOf<K extends OpName> = OpTypes<OpTable[K]>['inputs'];
/** A sample of one op in the op table. */
export type SampleFor<K extends OpName> = Sample<AttributesOf<K>, InputsOf<K>>;
/** A sample of any op. */
export type AnySample = Sample<unknown, Inputs>;
/** Samples of every op. The type requires samples for each op in the table. */
export type Samples = { readonly [K in OpName]: readonly SampleFor<K>[] };

/** Reasons why an input has no gradient. */
export const ABSENT = 'not given';
export const PIECEWISE_CONSTANT = 'piecewise constant: the derivative is zero wherever it exists';
