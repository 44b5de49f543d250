/** Batches of inputs of similar lengths. */
import type { RandomStream } from '@unroll/core';
import { bucketByLength } from '@unroll/data';

/** Steps of a batch, padded. More would need much memory. */
const MAX_STEPS = 65_536;

/** Returns the batch size for inputs of at most this length. */
export const batchSizeFor = (size: number, longest: number): number =>
  Math.max(1, Math.min(size, Math.floor(MAX_STEPS / longest)));

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
  const longest = lengths.reduce((a, b) => Math.max(a, b), 1);
  return bucketByLength(lengths, { batchSize: batchSizeFor(batchSize, longest), random });
}
