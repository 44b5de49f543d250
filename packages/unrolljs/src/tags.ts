/** Decoding of taggers: models with an output layer `crf`. */
import { type Model as Network, type RankedTagPath, ready } from '@unroll/core';
import * as nn from '@unroll/nn';
import type { PredictOptions } from './runnable.js';
import { decodeWith } from './tag-decoding.js';
import type { ModelValues } from './values.js';

/**
 * Returns the best tags of each sequence (Viterbi), without those of masked steps.
 *
 *     const tags = await decodeTags(tagger, x);    // [[0, 3, 4, 0], [1, 2], ...]
 *
 * @param network a model with a layer `crf` as an output
 * @throws UnrollError `value` for another model, for a sequence without a valid step, and if the constraints of the layer
 * allow no tags of this length
 */
export async function decodeTags(
  network: Network,
  x: ModelValues,
  options: PredictOptions = {},
): Promise<number[][]> {
  await ready();
  return decodeWith('decodeTags', network, x, options, (...call) => nn.decodeTags(network, ...call));
}

/**
 * Returns the n best sequences of tags of each sequence with their scores and probabilities, the best one first; fewer if
 * fewer are possible. See {@link decodeTags}.
 */
export async function nBestTags(
  network: Network,
  x: ModelValues,
  n: number,
  options: PredictOptions = {},
): Promise<RankedTagPath[][]> {
  await ready();
  return decodeWith('nBestTags', network, x, options, (inputs, rest) =>
    nn.nBestTags(network, inputs, n, rest),
  );
}

/** Returns the probability of each tag at each valid step of each sequence, [N][steps][K]. See {@link decodeTags}. */
export async function tagMarginals(
  network: Network,
  x: ModelValues,
  options: PredictOptions = {},
): Promise<number[][][]> {
  await ready();
  return decodeWith('tagMarginals', network, x, options, (...call) => nn.tagMarginals(network, ...call));
}
