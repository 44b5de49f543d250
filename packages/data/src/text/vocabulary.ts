/** The vocabulary of a model: tokens and their ids. It is built from training texts only. */
import { UnrollError, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { countText } from '../count-text.js';

export interface VocabularyOptions {
  /** Tokens with fewer occurrences are left out. Default 1. */
  minCount?: number;
  /** Maximum number of tokens, including special ones. The most frequent tokens are used. Default null: no limit. */
  maxSize?: number | null;
  /**
   * Special tokens, which get the first ids. The first of them, with id 0, is the padding. If `<unk>` is one of them, it
   * replaces tokens that are not in the vocabulary. Default `['<pad>', '<unk>', '<s>', '</s>']`.
   */
  specials?: readonly string[];
  /** Tokens that are always in the vocabulary, such as `allTokens` of a tokenizer of byte pairs. Default none. */
  include?: readonly string[];
}

/** A vocabulary as JSON. */
export interface VocabularyConfig {
  /** The tokens by id. */
  tokens: readonly string[];
  /** Number of occurrences of each token in the training texts. */
  counts: readonly number[];
  /** Number of special tokens, which have the first ids. */
  specials: number;
}

/** Shares of known tokens, between 0 and 1. */
export interface VocabularyCoverage {
  /** Share of the different tokens that are in the vocabulary. */
  types: number;
  /** Share of all tokens that are in the vocabulary. */
  tokens: number;
  /** The most frequent tokens that are not in the vocabulary, with their counts. At most 10. */
  missing: [token: string, count: number][];
}

/** The token that replaces tokens that are not in the vocabulary. */
export const UNKNOWN = '<unk>';
const SPECIALS = ['<pad>', UNKNOWN, '<s>', '</s>'];

export class Vocabulary {
  /** The tokens by id. */
  readonly tokens: readonly string[];
  /** Number of occurrences of each token in the training texts. */
  readonly counts: readonly number[];
  /** The special tokens, which have the first ids. The first one is the padding. */
  readonly specials: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  /** @throws UnrollError `value` if the config is not valid, for example if a token occurs twice */
  constructor({ tokens, counts, specials }: VocabularyConfig) {
    this.#ids = checkTokens(tokens, specials);
    checkCounts(tokens, counts);
    this.tokens = [...tokens];
    this.counts = [...counts];
    this.specials = tokens.slice(0, specials);
  }

  /** Number of tokens, including special ones. */
  get size(): number {
    return this.tokens.length;
  }

  /** Id of `<unk>`, or null if it is not a special token. */
  get unknown(): number | null {
    return this.specials.includes(UNKNOWN) ? (this.id(UNKNOWN) ?? null) : null;
  }

  /** Returns the id of a token, or undefined if it is not in the vocabulary. */
  id(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /**
   * Returns the ids of tokens. A token that is not in the vocabulary becomes `<unk>`.
   * @throws UnrollError `data` for such a token if the vocabulary has no `<unk>`, `value` for a text instead of tokens
   */
  encode(tokens: readonly string[]): Int32Array {
    const { unknown } = this;
    if (!Array.isArray(tokens)) {
      throw valueError(
        `encode takes an array of tokens, got ${formatValue(tokens)}. Call tokens() of a tokenizer first.`,
      );
    }
    return Int32Array.from(tokens, (token, i) => {
      const id = this.#ids.get(token) ?? unknown;
      if (id !== null) return id;
      const hint = `Build the vocabulary with "${UNKNOWN}" among its specials, or use a tokenizer of byte pairs.`;
      const message = `Token ${i}, ${formatValue(token)}, is not in the vocabulary of ${this.size} tokens. ${hint}`;
      throw new UnrollError('data', message, { token, index: i });
    });
  }

  /**
   * Returns the tokens of ids. Special tokens other than `<unk>` are left out unless `keepSpecials` is true.
   * @throws UnrollError `value` for an id outside the vocabulary
   */
  decode(ids: ArrayLike<number>, options: { keepSpecials?: boolean } = {}): string[] {
    checkOptions('decode', options, { keepSpecials: 'boolean' });
    const { unknown } = this;
    const isLeftOut = (id: number): boolean =>
      !options.keepSpecials && id < this.specials.length && id !== unknown;
    return Array.from(ids).flatMap((id, i) => {
      if (Number.isInteger(id) && id >= 0 && id < this.size) return isLeftOut(id) ? [] : [this.tokens[id]];
      throw valueError(`ids[${i}] must be an integer from 0 to ${this.size - 1}, got ${formatValue(id)}.`, {
        id,
        index: i,
      });
    });
  }

  /** Returns how many of the tokens of texts are in the vocabulary. All shares are 1 if there are no tokens. */
  coverage(tokenLists: Iterable<readonly string[]>): VocabularyCoverage {
    const counts = [...countTokens(tokenLists)];
    const missing = counts.filter(([token]) => !this.#ids.has(token)).sort(byCount);
    const total = sumOfCounts(counts);
    return {
      types: counts.length === 0 ? 1 : 1 - missing.length / counts.length,
      tokens: total === 0 ? 1 : 1 - sumOfCounts(missing) / total,
      missing: missing.slice(0, 10),
    };
  }

  /** Returns the vocabulary as JSON. `new Vocabulary(config)` restores it. */
  config(): VocabularyConfig {
    return { tokens: this.tokens, counts: this.counts, specials: this.specials.length };
  }

  /**
   * Checks that another vocabulary has the same tokens, special tokens and ids. Counts may differ.
   * @param owner the owner of the other vocabulary, for the error
   * @throws UnrollError `value` with the first difference
   */
  requireEqual(other: Vocabulary, owner = 'the model'): void {
    const differs = this.tokens.findIndex((token, id) => token !== other.tokens[id]);
    const advice = `Use the vocabulary that is stored with ${owner}, or train again with this one.`;
    const message = (difference: string): string =>
      `The vocabulary must be the same as that of ${owner}: ${difference}. ${advice}`;
    if (this.size !== other.size) {
      const difference = `got ${this.size} tokens instead of ${other.size}`;
      throw valueError(message(difference), { size: this.size, expected: other.size });
    }
    if (differs >= 0) {
      const [got, expected] = [this, other].map(({ tokens }) => formatValue(tokens[differs]));
      throw valueError(message(`id ${differs} is ${got} instead of ${expected}`), { id: differs });
    }
    if (this.specials.length === other.specials.length) return;
    throw valueError(
      message(`got ${this.specials.length} special tokens instead of ${other.specials.length}`),
    );
  }
}

/**
 * Builds a vocabulary from the tokens of training texts: special tokens first, then the others by descending count, in
 * order of code points if the counts are equal. Validation and test texts must not be included. A special token in the
 * texts, such as `<unk>` in prepared corpora, counts as that token.
 * @throws UnrollError `value` for an invalid option
 */
export function buildVocabulary(
  tokenLists: Iterable<readonly string[]>,
  options: VocabularyOptions = {},
): Vocabulary {
  const { minCount = 1, maxSize = null, specials = SPECIALS, include = [] } = options;
  checkOptions(
    'buildVocabulary',
    { ...options, maxSize: maxSize ?? undefined },
    { minCount: 'count', maxSize: 'count', specials: 'array', include: 'array' },
  );
  const counts = countTokens(tokenLists);
  const [specialSet, includeSet] = [new Set(specials), new Set(include)];
  const required = new Set([...specials, ...include]).size;
  if (maxSize !== null && maxSize < required) {
    throw valueError(
      `buildVocabulary: maxSize must be at least ${required}, the number of special and included tokens, got ${maxSize}.`,
      { maxSize, required },
    );
  }
  const frequent = [...counts].filter(
    ([token, count]) => count >= minCount && !specialSet.has(token) && !includeSet.has(token),
  );
  const limit = maxSize === null ? frequent.length : maxSize - required;
  const included = [...includeSet]
    .filter((token) => !specialSet.has(token))
    .map((token): [string, number] => [token, counts.get(token) ?? 0]);
  const others = [...frequent.sort(byCount).slice(0, limit), ...included].sort(byCount);
  const tokens = [...specials, ...others.map(([token]) => token)];
  return new Vocabulary({
    tokens,
    counts: tokens.map((token) => counts.get(token) ?? 0),
    specials: specials.length,
  });
}

function countTokens(tokenLists: Iterable<readonly string[]>): Map<string, number> {
  const counts = new Map<string, number>();
  let index = 0;
  for (const tokens of tokenLists) {
    if (!Array.isArray(tokens)) {
      throw valueError(
        `The tokens of text ${index} must be an array, got ${formatValue(tokens)}. Call tokens() of a tokenizer first.`,
      );
    }
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
    index++;
  }
  return counts;
}

const sumOfCounts = (counts: readonly [string, number][]): number =>
  counts.reduce((sum, [, count]) => sum + count, 0);

/** Compares by descending count, then by code points. */
function byCount([a, countA]: [string, number], [b, countB]: [string, number]): number {
  return countB - countA || compareCodePoints(a, b);
}

/** Compares strings by code points. (Operators compare code units, which sorts emoji before U+E000 to U+FFFF.) */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  // If index i is the second half of a surrogate pair, the first halves are equal, so comparing code units is right.
  return (a.codePointAt(i) ?? 0) - (b.codePointAt(i) ?? 0);
}

/** Returns the ids of the tokens. @throws UnrollError `value` for invalid or repeated tokens */
function checkTokens(tokens: readonly string[], specials: number): Map<string, number> {
  if (!Array.isArray(tokens) || tokens.some((token) => typeof token !== 'string')) {
    throw valueError(`Vocabulary: tokens must be an array of strings, got ${formatValue(tokens)}.`);
  }
  if (!Number.isInteger(specials) || specials < 1 || specials > tokens.length) {
    throw valueError(
      `Vocabulary: specials must be the number of special tokens, from 1 (the padding) to ${tokens.length}, got ${formatValue(specials)}.`,
    );
  }
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const first = ids.get(token);
    if (first !== undefined) {
      throw valueError(
        `Vocabulary: the token ${formatValue(token)} occurs twice, with ids ${first} and ${id}.`,
        {
          token,
        },
      );
    }
    ids.set(token, id);
  }
  return ids;
}

/** @throws UnrollError `value` for counts that are not one non-negative integer per token */
function checkCounts(tokens: readonly string[], counts: readonly number[]): void {
  const isValid = Array.isArray(counts) && counts.every((count) => Number.isInteger(count) && count >= 0);
  if (isValid && counts.length === tokens.length) return;
  const got = isValid ? countText(counts.length, 'count') : formatValue(counts);
  throw valueError(
    `Vocabulary: counts must be one non-negative integer per token (${tokens.length}), got ${got}.`,
  );
}
