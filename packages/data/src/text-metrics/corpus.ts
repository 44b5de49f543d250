/** Checks the inputs of text metrics, and splits text at whitespace as the reference libraries of the metrics define it. */
import { shapeError, type UnrollError, valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';

/** One reference, or several references of the same hypothesis. */
export type References = string | readonly string[];

/** @throws UnrollError `value` if an argument is not an array or there is no hypothesis, `shape` if the lengths differ */
export function checkPairs(
  owner: string,
  hypotheses: readonly unknown[],
  references: readonly unknown[],
): void {
  checkArray(owner, 'hypotheses', hypotheses);
  checkArray(owner, 'references', references);
  if (hypotheses.length !== references.length) {
    throw shapeError(
      `${owner}: hypotheses and references must have the same length, got ${hypotheses.length} and ` +
        `${references.length}. references[i] belongs to hypotheses[i].`,
      { hypotheses: hypotheses.length, references: references.length },
    );
  }
  if (hypotheses.length === 0) {
    throw valueError(`${owner} needs at least one hypothesis, got none. Check that the corpus was read.`);
  }
}

function checkArray(owner: string, name: string, value: unknown): void {
  if (Array.isArray(value)) return;
  throw valueError(`${owner}: ${name} must be an array, got ${formatValue(value)}.`, { [name]: value });
}

/** Returns `value` if it is a string. @param path name of the value in messages, such as `hypotheses[3]` */
export function checkText(owner: string, path: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw textError(owner, path, 'a string (it may be empty)', value);
}

/** Returns the error for a value that is not `expected`. */
export function textError(owner: string, path: string, expected: string, value: unknown): UnrollError {
  return valueError(`${owner}: ${path} must be ${expected}, got ${formatValue(value)}.`, {
    place: path,
    value,
  });
}

/** Returns the hypotheses, each with its list of references. @throws UnrollError for wrong inputs; the message gives the index */
export function pairsOf(
  owner: string,
  hypotheses: readonly string[],
  references: readonly References[],
): { hypothesis: string; references: readonly string[] }[] {
  checkPairs(owner, hypotheses, references);
  return hypotheses.map((hypothesis, i) => ({
    hypothesis: checkText(owner, `hypotheses[${i}]`, hypothesis),
    references: referenceList(owner, `references[${i}]`, references[i]),
  }));
}

function referenceList(owner: string, path: string, references: References): readonly string[] {
  if (typeof references === 'string') return [references];
  if (!Array.isArray(references) || references.length === 0)
    throw textError(owner, path, 'a string or an array of at least one string', references);
  return references.map((reference: unknown, k) => checkText(owner, `${path}[${k}]`, reference));
}

/** The characters that Python counts as whitespace. JavaScript's \s also has U+FEFF, but not U+001C to U+001F and U+0085. */
const SPACE = String.raw`[\p{White_Space}\u001c-\u001f]`;
const SPACES = new RegExp(`${SPACE}+`, 'u');
const TWO_SPACES = new RegExp(`${SPACE}{2,}`, 'gu');
const ALL_SPACES = new RegExp(`${SPACE}+`, 'gu');
const LEADING = new RegExp(`^${SPACE}+`, 'u');

/** Splits a text at whitespace. */
export const splitWords = (text: string): string[] => text.split(SPACES).filter((word) => word !== '');

export const removeWhitespace = (text: string): string => text.replace(ALL_SPACES, '');

/** Replaces each run of two or more whitespace characters by a space. */
export const collapseSpaces = (text: string): string => text.replace(TWO_SPACES, ' ');

const isSpace = (character: string): boolean => SPACES.test(character);

export function trimEnd(text: string): string {
  let end = text.length; // all whitespace characters are one UTF-16 unit
  while (end > 0 && isSpace(text[end - 1])) end--;
  return text.slice(0, end);
}

export const trim = (text: string): string => trimEnd(text.replace(LEADING, ''));
