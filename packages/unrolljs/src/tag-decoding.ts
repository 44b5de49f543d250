/**
 * The functions that decode the output of taggers (models whose output layer is `crf`). The entry points `unrolljs` and
 * `unrolljs/infer` have their own copies, which load different kernels.
 */
import type { Model as Network, PredictOptions as Options, RankedTagPath, Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import * as nn from '@unroll/nn';
import { inputsOf, masksOf, type PredictOptions } from './runnable.js';
import type { ModelValues } from './values.js';

export interface TagDecoders {
  /**
   * Returns the best tags of each sequence (Viterbi), without tags of masked steps.
   *
   *     const tags = await decodeTags(tagger, x);    // [[0, 3, 4, 0], [1, 2], ...]
   *
   * @param network a model with a `crf` layer as an output
   * @throws UnrollError `value` for a model without a `crf` output, for a sequence without a valid step, and if the
   * constraints of the layer allow no sequence of tags of this length
   */
  decodeTags(network: Network, x: ModelValues, options?: PredictOptions): Promise<number[][]>;
  /**
   * Returns the n best sequences of tags for each input sequence with their scores and probabilities, the best one first;
   * fewer if fewer are possible. See {@link decodeTags}.
   */
  nBestTags(
    network: Network,
    x: ModelValues,
    n: number,
    options?: PredictOptions,
  ): Promise<RankedTagPath[][]>;
  /** Returns the probability of each tag at each valid step of each sequence, [N][steps][K]. See {@link decodeTags}. */
  tagMarginals(network: Network, x: ModelValues, options?: PredictOptions): Promise<number[][][]>;
}

/** Returns the functions. @param ready loads the kernels of the entry point */
export function tagDecoders(ready: () => Promise<unknown>): TagDecoders {
  const run = async <R>(
    name: string,
    network: Network,
    x: ModelValues,
    { mask, ...options }: PredictOptions,
    decode: (x: Tensor[], options: Options) => Promise<R>,
  ): Promise<R> => {
    await ready();
    checkOptions<PredictOptions>(name, { mask, ...options }, { batchSize: 'count', mask: true });
    const masks = mask === undefined ? null : masksOf(network, mask);
    return decode(inputsOf(network, x), { ...options, mask: masks });
  };
  return {
    decodeTags: (network, x, options = {}) =>
      run('decodeTags', network, x, options, (...call) => nn.decodeTags(network, ...call)),
    nBestTags: (network, x, n, options = {}) =>
      run('nBestTags', network, x, options, (inputs, rest) => nn.nBestTags(network, inputs, n, rest)),
    tagMarginals: (network, x, options = {}) =>
      run('tagMarginals', network, x, options, (...call) => nn.tagMarginals(network, ...call)),
  };
}
