/** Groups inputs of similar lengths into batches. */
import type { RandomStream } from '@unroll/core';
import { bucketByLength } from '@unroll/data';

/** Maximum number of steps in a batch, including padding, to limit the memory. */
const MAX_STEPS = 65_536;

/** Returns `size`, or a smaller batch size if the longest input is very long. */
export const batchSizeFor = (size: number, longest: number): number =>
  Math.max(1, Math.min(size, Math.floor(MAX_STEPS / longest)));

/** Returns the length of the longest input; at least 1. */
export const longestOf = (inputs: readonly { readonly length: number }[]): number =>
  inputs.reduce((longest, { length }) => Math.max(longest, length), 1);

/**
 * Groups inputs into batches of similar lengths.
 * @param random shuffles the inputs and the batches. Default null: no shuffling
 */
export function batchesOf(
  inputs: readonly { readonly length: number }[],
  batchSize: number,
  random: RandomStream | null = null,
): Uint32Array[] {
  const lengths = Uint32Array.from(inputs, ({ length }) => length);
  return bucketByLength(lengths, { batchSize: batchSizeFor(batchSize, longestOf(inputs)), random });
}
