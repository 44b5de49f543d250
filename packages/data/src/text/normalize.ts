/** Options that all tokenizers have: changes to a text before it is split. */
import { valueError } from '@unroll/core';
import { formatValue, type OptionTypes } from '@unroll/core/internal';
import type { NormalizeOptions } from './types.js';

export const NORMALIZE_OPTIONS: OptionTypes<NormalizeOptions> = {
  normalize: true,
  lowercase: 'boolean',
  collapseWhitespace: 'boolean',
};

/** Returns the options with their defaults. @throws UnrollError `value` for an unknown normalisation form */
export function normalizeConfig(owner: string, options: NormalizeOptions): Required<NormalizeOptions> {
  const { normalize = null, lowercase = false, collapseWhitespace = false } = options;
  if (normalize !== null && normalize !== 'NFC' && normalize !== 'NFKC') {
    throw valueError(`${owner}: normalize must be "NFC", "NFKC" or null, got ${formatValue(normalize)}.`, {
      normalize,
    });
  }
  return { normalize, lowercase, collapseWhitespace };
}

/** Returns the text after Unicode normalisation, conversion to lower case and collapsing of white space. */
export function normalizeText(text: string, options: NormalizeOptions): string {
  if (typeof text !== 'string') throw valueError(`A text must be a string, got ${formatValue(text)}.`);
  const { normalize, lowercase, collapseWhitespace } = options;
  let result = normalize ? text.normalize(normalize) : text;
  if (lowercase) result = result.toLowerCase();
  // Lower case can need another normalisation: J with a caron has two code points in NFC, j with a caron has one.
  if (lowercase && normalize) result = result.normalize(normalize);
  return collapseWhitespace ? result.trim().replace(/\s+/g, ' ') : result;
}

/** Yields the texts after checking each. @throws UnrollError `value` for a single text, and for a text that is not a string */
export function* checkedTexts(owner: string, texts: Iterable<string>): Generator<string> {
  if (typeof texts === 'string') {
    throw valueError(`${owner} takes several texts, such as an array of strings, got ${formatValue(texts)}.`);
  }
  let index = 0;
  for (const text of texts) {
    if (typeof text !== 'string') {
      throw valueError(`${owner}: text ${index} must be a string, got ${formatValue(text)}.`, { index });
    }
    yield text;
    index++;
  }
}
