/** Batches of texts as padded token ids. */
import type { RandomStream, Tensor } from '@unroll/core';
import { bucketByLength, padSequences } from '@unroll/data';

/**
 * Groups the texts into batches of similar lengths.
 * @param random shuffles the texts and the batches. Default null: no shuffling
 */
export function textBatches(
  ids: readonly Int32Array[],
  batchSize: number,
  random: RandomStream | null = null,
): Uint32Array[] {
  const lengths = Uint32Array.from(ids, ({ length }) => length);
  return bucketByLength(lengths, { batchSize, random });
}

/** Returns the padded ids [B, T] of some of the texts. */
export const paddedIds = (ids: readonly Int32Array[], rows: Uint32Array): Tensor =>
  padSequences(Array.from(rows, (row) => ids[row])).values;
