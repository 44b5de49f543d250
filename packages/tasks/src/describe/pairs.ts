/** Encoded clips with their sentences, and batches of them. */
import type { MaskedSequence, RandomStream, Tensor } from '@unroll/core';
import { padSequences } from '@unroll/data';
import type { EncodedClip, FrameEncoder } from '../shared/frames/encoder.js';
import { batchesOf } from '../shared/length-batches.js';
import type { DecoderInputs } from '../translate/decode.js';
import { START_ID } from '../translate/encoder.js';
import { CLIP_INPUT } from './network.js';

/** Clips, and the ids of their sentences, which end with `</s>`. */
export interface DescribedClips {
  clips: readonly EncodedClip[];
  target: readonly Int32Array[];
}

/**
 * A batch for teacher forcing: x contains the clips and the previous tokens [B, T], which begin with `<s>`; y [B, T] contains the
 * tokens. The weights are 1 for tokens and 0 for padding; if clips differ in length, the mask marks their valid frames.
 */
export interface DescribeBatch {
  x: [Tensor, Tensor];
  y: Tensor;
  sampleWeights: Tensor;
  mask?: [Tensor, null];
}

/** Returns one batch. @param random random stream for augmentation. Default null: no augmentation */
export function batchOf(
  frames: FrameEncoder,
  { clips, target }: DescribedClips,
  rows: Uint32Array,
  random: RandomStream | null = null,
): DescribeBatch {
  const targets = Array.from(rows, (row) => target[row]);
  const previous = targets.map((ids) => Int32Array.of(START_ID, ...ids.subarray(0, -1)));
  const { values, mask } = padSequences(targets);
  const { x, mask: clipMask } = frames.batch(clips, rows, random);
  return {
    ...{ x: [x, padSequences(previous).values], y: values, sampleWeights: mask },
    ...(clipMask && { mask: [clipMask, null] }),
  };
}

/** Returns clips as the inputs of the decoder. */
export const clipInputs = (
  frames: FrameEncoder,
  clips: readonly EncodedClip[],
  batchSize: number,
): DecoderInputs => ({
  name: CLIP_INPUT,
  batches: (size) => batchesOf(clips, Math.min(size, batchSize)),
  batch: (rows): Tensor | MaskedSequence => {
    const { x, mask } = frames.batch(clips, rows);
    return mask === undefined ? x : { value: x, mask };
  },
  length: (row) => clips[row].length,
});
