/** What the functions of tags.ts and infer-tags.ts share: options, and the conversion of inputs and masks. */
import type { Model as Network, PredictOptions as Options, Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { inputsOf, masksOf, type PredictOptions } from './runnable.js';
import type { ModelValues } from './values.js';

/** Calls `decode` with the converted arguments. @param name the calling function, for errors */
export function decodeWith<R>(
  name: string,
  network: Network,
  x: ModelValues,
  { mask, ...options }: PredictOptions,
  decode: (x: Tensor[], options: Options) => Promise<R>,
): Promise<R> {
  checkOptions<PredictOptions>(name, { mask, ...options }, { batchSize: 'count', mask: true });
  return decode(inputsOf(network, x), {
    ...options,
    mask: mask === undefined ? null : masksOf(network, mask),
  });
}
