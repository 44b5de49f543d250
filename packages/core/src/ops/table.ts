/**
 * The op table: every op that can be recorded for gradients. The gradient tests (float64) iterate over it and do not
 * compile if an op has no sample inputs.
 */
import type { Op } from '../op.js';
import { crfOps } from './crf.js';
import { ctcOps } from './ctc.js';
import { elementwiseOps } from './elementwise.js';
import { gruOps } from './gru.js';
import { layerNormOps } from './layer-norm.js';
import { likelihoodOps } from './likelihood.js';
import { lstmOps } from './lstm.js';
import { lstmGatesOps } from './lstm-gates.js';
import { matmulOps } from './matmul.js';
import { pickOps } from './pick.js';
import { reduceOps } from './reduce.js';
import { rnnOps } from './rnn.js';
import { rowOps } from './rows.js';
import { scanOps } from './scan.js';
import { shapeOps } from './shape.js';
import { topKOps } from './top-k.js';

const table = {
  ...elementwiseOps,
  ...withPrefix(reduceOps),
  ...shapeOps,
  ...matmulOps,
  ...rowOps,
  ...pickOps,
  ...topKOps,
  ...layerNormOps,
  ...likelihoodOps,
  ...ctcOps,
  ...crfOps,
  ...rnnOps,
  ...lstmOps,
  ...lstmGatesOps,
  ...gruOps,
  ...scanOps,
};

/** Renames the reductions to `reduceMax` and so on, because elementwise ops have the same names (max). */
function withPrefix<T extends Record<string, unknown>>(
  ops: T,
): { [K in keyof T & string as `reduce${Capitalize<K>}`]: T[K] } {
  const renamed = Object.entries(ops).map(([name, op]) => [
    `reduce${name[0].toUpperCase()}${name.slice(1)}`,
    op,
  ]);
  return Object.fromEntries(renamed) as { [K in keyof T & string as `reduce${Capitalize<K>}`]: T[K] };
}

/** The type of a table entry. An op that lacks a member, such as `backward`, does not compile. */
type TableEntry<O> = O extends Op<infer A, infer I, infer R> ? Op<A, I, R> : never;
export type OpName = keyof typeof table;
export type OpTable = { readonly [K in OpName]: TableEntry<(typeof table)[K]> };
export const opTable: OpTable = table;
