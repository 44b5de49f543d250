/**
 * The op table: every op that a tape can record. Tests iterate over it: a new op must have samples for its float64
 * gradient check, or the tests do not compile.
 */
import type { Op } from '../op.js';
import { elementwiseOps } from './elementwise.js';
import { gruOps } from './gru.js';
import { likelihoodOps } from './likelihood.js';
import { lstmOps } from './lstm.js';
import { matmulOps } from './matmul.js';
import { pickOps } from './pick.js';
import { reduceOps } from './reduce.js';
import { rnnOps } from './rnn.js';
import { rowOps } from './rows.js';
import { shapeOps } from './shape.js';

const table = {
  ...elementwiseOps,
  ...prefixed(reduceOps),
  ...shapeOps,
  ...matmulOps,
  ...rowOps,
  ...pickOps,
  ...likelihoodOps,
  ...rnnOps,
  ...lstmOps,
  ...gruOps,
};

/** Reductions share names with element-wise ops (max), so they are listed as `reduceMax` and so on. */
function prefixed<T extends Record<string, unknown>>(
  ops: T,
): { [K in keyof T & string as `reduce${Capitalize<K>}`]: T[K] } {
  const renamed = Object.entries(ops).map(([name, op]) => [
    `reduce${name[0].toUpperCase()}${name.slice(1)}`,
    op,
  ]);
  return Object.fromEntries(renamed) as { [K in keyof T & string as `reduce${Capitalize<K>}`]: T[K] };
}

/** The type of an entry. An incomplete op, such as one without a gradient, does not compile. */
type Entry<O> = O extends Op<infer A, infer I, infer R> ? Op<A, I, R> : never;
export type OpName = keyof typeof table;
export type OpTable = { readonly [K in OpName]: Entry<(typeof table)[K]> };
export const opTable: OpTable = table;
