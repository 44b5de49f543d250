/**
 * Splits a text into pre-tokens, within which byte pairs are merged: words with the space before them, numbers, runs of
 * punctuation marks, and white space. No token extends beyond a pre-token, and no pre-token mixes letters with marks like `<`, so no
 * text is encoded as a special token such as `<s>` or a byte token such as `<0xE4>`.
 */

/** The character that stands for a space in tokens (U+2581), as in SentencePiece. */
export const SPACE_MARKER = '\u2581';

/**
 * Longer pre-tokens (in code units), such as Chinese without punctuation, are cut, because merging takes time proportional to their
 * squared length.
 */
const MAX_LENGTH = 64;

const PRE_TOKEN =
  /\u2581?\p{L}[\p{L}\p{M}]*(?:['\u2019]\p{L}[\p{L}\p{M}]*)*|\u2581?\p{N}+|\u2581?[^\s\u2581\p{L}\p{N}]+|[\s\u2581]+(?=\u2581[^\s\u2581])|[\s\u2581]+/gu;

/**
 * Replaces a U+2581 that occurs in the text itself, so that it is not taken for a space. This lone surrogate cannot come from the
 * text, because lone surrogates of the text become U+FFFD.
 */
export const ESCAPED_SPACE_MARKER = '\uDC00';

/**
 * Returns the pre-tokens of a text. A space is put before the text, so that its first word is the same token as elsewhere.
 * Lone surrogates become U+FFFD, because they have no bytes in UTF-8.
 */
export function preTokens(text: string): string[] {
  if (text === '') return [];
  const marked = text
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replaceAll(SPACE_MARKER, ESCAPED_SPACE_MARKER)
    .replaceAll(' ', SPACE_MARKER);
  const parts = (SPACE_MARKER + marked).match(PRE_TOKEN) ?? [];
  return parts.some((part) => part.length > MAX_LENGTH) ? parts.flatMap(cut) : parts;
}

/** Cuts a pre-token that is too long into pieces of 32 code points, that is, at most {@link MAX_LENGTH} code units. */
function cut(preToken: string): string[] {
  return preToken.length > MAX_LENGTH ? (preToken.match(/.{1,32}/gsu) ?? []) : [preToken];
}
