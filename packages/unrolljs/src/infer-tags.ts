/** The functions of tags.ts for unrolljs/infer: they load the kernels for inference. */
import type { Model as Network, RankedTagPath } from '@unroll/core';
import * as nn from '@unroll/nn';
import { readyToRun } from '#files';
import type { PredictOptions } from './runnable.js';
import { decodeWith } from './tag-decoding.js';
import type { ModelValues } from './values.js';

/** Returns the best tags of each sequence (Viterbi), without those of masked steps. */
export async function decodeTags(
  network: Network,
  x: ModelValues,
  options: PredictOptions = {},
): Promise<number[][]> {
  await readyToRun();
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
  await readyToRun();
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
  await readyToRun();
  return decodeWith('tagMarginals', network, x, options, (...call) => nn.tagMarginals(network, ...call));
}
