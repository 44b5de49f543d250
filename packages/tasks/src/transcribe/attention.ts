/**
 * Transcription with an attention decoder instead of CTC (Chan et al. 2016, "Listen, attend and spell"): the decoder writes one
 * token after another and attends to the encoded sound. It is trained with teacher forcing, and used with beam search. As in the
 * other text tasks, the first ids are padding, unknown, start and end.
 */
import type { MaskedSequence, RandomStream, Tensor } from '@unroll/core';
import { padSequences } from '@unroll/data';
import { type Functional, input, model } from '@unroll/nn';
import type { EncodedSound, FrontEnd } from '../shared/front-end.js';
import { batchesOf } from '../shared/length-batches.js';
import { decodedTokens } from '../shared/token-decoder.js';
import { type DecodedTarget, decodeInputs } from '../translate/decode.js';
import { END_ID, SPECIALS, START_ID } from '../translate/encoder.js';
import type { LabelSteps } from './align.js';
import { encodedFrames, FRAMES_INPUT, stepsOf, type TranscriberSizes } from './network.js';
import type { TranscriptTokens } from './tokens.js';

/** The id of a token in the decoder is its id in transcripts (from 1) plus this offset. */
const OFFSET = SPECIALS.length - 1;
/** Width of the embedding of tokens and of the output of the decoder. */
const EMBEDDING = 128;

/** Two untrained models that share their weights. */
export interface AttentionTranscribers {
  /** Maps frames [B, T, F] and previous tokens [B, L] to logits [B, L, V]. */
  training: Functional;
  /** Maps the same inputs to logits and alignments [B, L, ceil(T / reduction)]. */
  inference: Functional;
}

/** Builds the networks. @param tokens number of tokens */
export function attentionTranscribers(
  sizes: TranscriberSizes,
  { inputs, tokens, seed }: { inputs: number; tokens: number; seed: number },
): AttentionTranscribers {
  const frames = input({ shape: [null, inputs], name: FRAMES_INPUT });
  const previous = input({ shape: [null], name: 'previous' });
  const memory = encodedFrames(frames, sizes);
  const [logits, alignment] = decodedTokens(previous, memory, {
    ...{ ...sizes, units: 2 * sizes.units, layers: 1, embedding: EMBEDDING },
    vocabulary: tokens + SPECIALS.length,
  });
  const networkInputs = [frames, previous];
  const shapes = [[-1, -1, inputs], [-1, -1]]; // biome-ignore format: one line
  const inference = model({ inputs: networkInputs, outputs: [logits, alignment], seed });
  inference.build(shapes);
  const training = model({ inputs: networkInputs, outputs: logits });
  training.build(shapes);
  return { training, inference };
}

/** Sounds with their transcripts as ids. */
interface Transcripts {
  sounds: readonly EncodedSound[];
  ids: readonly Int32Array[];
}

/**
 * Returns a batch for teacher forcing: x contains the frames and the previous tokens, which begin with `<s>`; y contains the
 * tokens, which end with `</s>`. The weights are 1 for tokens and 0 for padding.
 */
export function attentionBatch(
  frontEnd: FrontEnd,
  { sounds, ids }: Transcripts,
  rows: Uint32Array,
  random: RandomStream | null = null,
) {
  const { x, mask } = frontEnd.batch(sounds, rows, random);
  const shifted = Array.from(rows, (row) => ids[row].map((id) => id + OFFSET));
  const previous = padSequences(shifted.map((tokens) => Int32Array.of(START_ID, ...tokens))).values;
  const targets = padSequences(shifted.map((tokens) => Int32Array.of(...tokens, END_ID)));
  return {
    ...{ x: [x, previous], y: targets.values, sampleWeights: targets.mask },
    ...(mask && { mask: [mask, null] }),
  };
}

/** The ids of a transcript, and for each id the attention weights of the steps of the encoder. */
export interface AttendedIds {
  ids: number[];
  alignment: Float32Array[];
}

/** Returns the transcripts of sounds as ids, in the order of the sounds. */
export async function decodeSounds(
  network: Functional,
  sounds: readonly EncodedSound[],
  { frontEnd, reduction, maxLength, beam }: DecodeParts,
): Promise<AttendedIds[]> {
  const inputs = {
    name: FRAMES_INPUT,
    batches: (size: number) => batchesOf(sounds, size),
    batch(rows: Uint32Array): Tensor | MaskedSequence {
      const { x, mask } = frontEnd.batch(sounds, rows);
      return mask === undefined ? x : { value: x, mask };
    },
    length: (row: number) => stepsOf(sounds[row].length, reduction),
  };
  const decoded = await decodeInputs(network, inputs, { maxLength, allowUnknown: false }, { beam });
  return decoded.map(({ ids, alignment }: DecodedTarget) => ({
    ids: ids.map((id) => id - OFFSET),
    alignment,
  }));
}

export interface DecodeParts {
  frontEnd: FrontEnd;
  reduction: number;
  /** Largest number of tokens. */
  maxLength: number;
  beam: number;
}

/** Largest number of tokens of a transcript. */
export const MAX_LENGTH = 10_000;

/** Returns the largest number of tokens that the decoder writes: 1.5 times the longest training transcript, plus 10. */
export function maxLengthOf(ids: readonly Int32Array[]): number {
  const longest = ids.reduce((most, { length }) => Math.max(most, length), 0);
  return Math.min(MAX_LENGTH, Math.ceil(1.5 * longest) + 10);
}

/** The steps of a token are the step with the largest weight and the adjacent steps with at least this fraction of that weight. */
const MIN_RELATIVE_WEIGHT = 0.25;

/** Returns the steps to which the decoder attends while it writes a token (see MIN_RELATIVE_WEIGHT). */
function attendedSteps(weights: Float32Array): LabelSteps {
  const peak = weights.indexOf(weights.reduce((a, b) => Math.max(a, b), 0));
  const belongs = (step: number): boolean => weights[step] >= MIN_RELATIVE_WEIGHT * weights[peak];
  let [from, last] = [Math.max(0, peak), Math.max(0, peak)];
  while (from > 0 && belongs(from - 1)) from--;
  while (last + 1 < weights.length && belongs(last + 1)) last++;
  return { from, to: last + 1 };
}

/** Returns the words of a transcript, each with the steps from its first token to its last. */
export const attendedWords = (
  tokens: TranscriptTokens,
  { ids, alignment }: AttendedIds,
): { word: string; steps: LabelSteps }[] =>
  tokens.wordsOf(ids).map(({ word, from, to }) => {
    const [first, last] = [alignment[from], alignment[to - 1]].map(attendedSteps);
    return { word, steps: { from: first.from, to: Math.max(first.to, last.to) } };
  });
