/**
 * Splits a text into the units within which byte pairs are merged: words with the space before them, numbers, runs of
 * punctuation marks, and white space. No token extends beyond a unit, and no unit mixes letters with marks like `<`, so no text is
 * encoded as a special token such as `<s>` or a byte token such as `<0xE4>`.
 */

/** The character that stands for a space in tokens (U+2581), as in SentencePiece. */
export const SPACE = '\u2581';

/** Longer units, such as Chinese without punctuation, are cut, because merging takes time proportional to their squared length. */
const MAX_LENGTH = 64;

const UNIT =
  /\u2581?\p{L}[\p{L}\p{M}]*(?:['\u2019]\p{L}[\p{L}\p{M}]*)*|\u2581?\p{N}+|\u2581?[^\s\u2581\p{L}\p{N}]+|[\s\u2581]+(?=\u2581[^\s\u2581])|[\s\u2581]+/gu;

/** Stands for the character {@link SPACE} in a text. It has no other meaning, because lone surrogates in the text are replaced. */
export const LITERAL_SPACE_MARK = '\uDC00';

/**
 * Returns the units of a text. A space is put before the text, so that its first word is the same token as elsewhere.
 * Lone surrogates become U+FFFD, because they have no bytes in UTF-8.
 */
export function preTokens(text: string): string[] {
  if (text === '') return [];
  const marked = text
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replaceAll(SPACE, LITERAL_SPACE_MARK)
    .replaceAll(' ', SPACE);
  const units = (SPACE + marked).match(UNIT) ?? [];
  return units.some((unit) => unit.length > MAX_LENGTH) ? units.flatMap(cut) : units;
}

/** Cuts a unit into pieces of at most {@link MAX_LENGTH} code units, not within a surrogate pair. */
function cut(unit: string): string[] {
  return unit.length > MAX_LENGTH ? (unit.match(/.{1,32}/gsu) ?? []) : [unit];
}
