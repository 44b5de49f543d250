/** Translates a text with an opened model, and returns the attention weights of every token. */
import { TranslateModel } from '@unroll/tasks';
import { InputError } from '../problems/input-error.js';
import { openedModels } from './artifacts.js';

export interface AlignedTranslation {
  text: string;
  sourceTokens: readonly string[];
  tokens: readonly string[];
  /** [tokens, source tokens] */
  weights: Float32Array;
}

/** @throws InputError if the model is not open or the text has no tokens */
export async function translate(path: string, text: string): Promise<AlignedTranslation> {
  const files = openedModels.get(path);
  if (!files) throw new InputError('notOpen', { path });
  const [{ text: translated, sourceTokens, tokens, alignment }] = await TranslateModel.fromFiles(
    files,
  ).translate([text]);
  if (sourceTokens.length === 0) throw new InputError('emptyText');
  const weights = new Float32Array(tokens.length * sourceTokens.length);
  alignment.forEach((row, t) => {
    weights.set(row.subarray(0, sourceTokens.length), t * sourceTokens.length);
  });
  return { text: translated, sourceTokens, tokens, weights };
}
