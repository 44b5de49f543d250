/** Checks the inputs of the functions that `pipeline` returns. */
import { valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';

/** Checks that all values are strings that contain more than white space. @throws UnrollError `value` otherwise */
export function checkTexts(texts: readonly unknown[]): asserts texts is readonly string[] {
  const wrong = texts.findIndex((text) => typeof text !== 'string' || text.trim() === '');
  if (wrong < 0) return;
  const which = texts.length === 1 ? '' : ` at index ${wrong}`;
  throw valueError(`The text${which} must be a non-blank string, got ${formatValue(texts[wrong])}.`);
}

/**
 * Returns one text or a list of texts as a list.
 * @throws UnrollError `value` for other values, see {@link checkTexts}
 */
export function textsOf(input: unknown): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(input) ? input : [input];
  checkTexts(texts);
  return texts;
}
