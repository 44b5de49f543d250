/** Decoding of taggers: models with an output layer `crf`. */
import { type Model as Network, type RankedTagPath, ready } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import * as nn from '@unroll/nn';
import { inputsOf, masksOf, type PredictOptions } from './runnable.js';
import type { ModelValues } from './values.js';

/** Converts the options as `predict` does, once a backend is loaded. @param name the calling function, for errors */
async function prepare(name: string, network: Network, { mask, ...options }: PredictOptions) {
  checkOptions<PredictOptions>(name, { mask, ...options }, { batchSize: 'count', mask: true });
  await ready();
  return { ...options, mask: mask === undefined ? null : masksOf(network, mask) };
}

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
  const prepared = await prepare('decodeTags', network, options);
  return nn.decodeTags(network, inputsOf(network, x), prepared);
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
  const prepared = await prepare('nBestTags', network, options);
  return nn.nBestTags(network, inputsOf(network, x), n, prepared);
}

/** Returns the probability of each tag at each valid step of each sequence, [N][steps][K]. See {@link decodeTags}. */
export async function tagMarginals(
  network: Network,
  x: ModelValues,
  options: PredictOptions = {},
): Promise<number[][][]> {
  const prepared = await prepare('tagMarginals', network, options);
  return nn.tagMarginals(network, inputsOf(network, x), prepared);
}
