/**
 * Learns the merges of byte-pair encoding (Sennrich et al. 2016): merges the most frequent pair of adjacent tokens, until
 * the vocabulary is full or no pair is frequent enough. After each merge, the counts of the pairs and the lists of words that
 * contain them are updated, not computed again.
 */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { BYTES, type BytePairTokenizer, bytePairs, pairKey } from './byte-pairs.js';
import { checkedTexts, NORMALIZE_OPTIONS, normalizeConfig, normalizeText } from './normalize.js';
import { PairHeap } from './pair-heap.js';
import { ESCAPED_SPACE_MARKER, preTokens, SPACE_MARKER } from './pre-tokens.js';
import type { NormalizeOptions } from './types.js';

export interface BytePairOptions extends NormalizeOptions {
  /** Number of tokens: 256 bytes, the characters, and one per merge. Special tokens are not included. Default 8000. */
  vocabularySize?: number;
  /** A character or pair with fewer occurrences does not become a token. Default 2. */
  minCount?: number;
}

/**
 * Learns a tokenizer of byte pairs from training texts. If pairs have the same count, the one with the lowest token ids is merged
 * first, as in Hugging Face tokenizers, so the result does not depend on the order of the texts.
 * @throws UnrollError `value` for a vocabulary without room for characters, or if there is no text
 */
export function learnBytePairs(texts: Iterable<string>, options: BytePairOptions = {}): BytePairTokenizer {
  const owner = 'learnBytePairs';
  checkOptions(owner, options, { ...NORMALIZE_OPTIONS, vocabularySize: 'count', minCount: 'count' });
  const normalization = normalizeConfig(owner, options);
  const { vocabularySize = 8000, minCount = 2 } = options;
  if (vocabularySize <= BYTES.length) {
    throw valueError(
      `${owner}: vocabularySize must be above ${BYTES.length}, the number of byte tokens, got ${vocabularySize}.`,
      { vocabularySize },
    );
  }
  const preTokenCounts = new Map<string, number>();
  for (const text of checkedTexts(owner, texts)) {
    for (const preToken of preTokens(normalizeText(text, normalization)))
      preTokenCounts.set(preToken, (preTokenCounts.get(preToken) ?? 0) + 1);
  }
  if (preTokenCounts.size === 0)
    throw valueError(`${owner} needs at least one text that is not empty, got none.`);
  const room = vocabularySize - BYTES.length;
  const characters = frequentCharacters(preTokenCounts, room, minCount);
  const merges = new Learner(characters, preTokenCounts).learn(room, minCount);
  return bytePairs({ kind: 'bytePairs', ...normalization, characters: characters.join(''), merges });
}

/** Returns the characters that become tokens, in order of code points: always the space, and the most frequent others. */
function frequentCharacters(
  preTokenCounts: ReadonlyMap<string, number>,
  room: number,
  minCount: number,
): string[] {
  const counts = new Map<string, number>();
  for (const [preToken, count] of preTokenCounts)
    for (const char of preToken) counts.set(char, (counts.get(char) ?? 0) + count);
  counts.delete(ESCAPED_SPACE_MARKER);
  counts.set(SPACE_MARKER, Number.POSITIVE_INFINITY);
  return [...counts]
    .filter(([, count]) => count >= minCount)
    .sort(([a, countA], [b, countB]) => (countA === countB ? byCodePoint(a, b) : countB - countA))
    .slice(0, room)
    .map(([char]) => char)
    .sort(byCodePoint);
}

const byCodePoint = (a: string, b: string): number => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0);

/** A pre-token (see pre-tokens.ts) of the training texts. */
interface Word {
  /** Ids of the tokens; -1 for a character that is not a token. */
  ids: number[];
  count: number;
}

interface Pair {
  left: number;
  right: number;
  count: number;
  /** Words that contain the pair, or contained it before a merge. */
  words: Word[];
}

class Learner {
  readonly #tokens: string[];
  readonly #ids: Map<string, number>;
  readonly #pairs = new Map<number, Pair>();
  readonly #heap = new PairHeap();
  /** Pairs whose count has grown since they were last put into the heap. */
  readonly #grown = new Set<number>();

  constructor(characters: readonly string[], preTokenCounts: ReadonlyMap<string, number>) {
    this.#tokens = [...characters];
    this.#ids = new Map(characters.map((char, id) => [char, id]));
    for (const [preToken, count] of preTokenCounts) {
      const word = { ids: Array.from(preToken, (char) => this.#ids.get(char) ?? -1), count };
      for (let i = 0; i + 1 < word.ids.length; i++) this.#change(word.ids[i], word.ids[i + 1], word, count);
    }
    this.#updateHeap();
  }

  /** Learns merges until there are `size` tokens, or no pair occurs `minCount` times. */
  learn(size: number, minCount: number): string[] {
    const merges: string[] = [];
    while (this.#tokens.length < size) {
      const pair = this.#mostFrequent();
      if (pair === undefined || pair.count < minCount) break;
      const [left, right] = [this.#tokens[pair.left], this.#tokens[pair.right]];
      merges.push(`${left} ${right}`);
      const token = this.#ids.get(left + right) ?? this.#tokens.push(left + right) - 1;
      this.#ids.set(left + right, token);
      for (const word of pair.words) this.#merge(word, pair, token);
      this.#updateHeap();
    }
    return merges;
  }

  /** Takes the most frequent pair from the heap. Entries with outdated counts are put back with the current count. */
  #mostFrequent(): Pair | undefined {
    for (;;) {
      const top = this.#heap.pop();
      if (top === undefined) return undefined;
      const pair = this.#pairs.get(top.key);
      if (pair === undefined) continue;
      if (pair.count === top.count) return pair;
      if (pair.count > 0) this.#heap.push(pair.count, top.key);
      else this.#pairs.delete(top.key);
    }
  }

  /** Replaces the pair in a word by a token, from left to right. */
  #merge(word: Word, { left, right }: Pair, token: number): void {
    const { ids, count } = word;
    const merged: number[] = [];
    for (let i = 0; i < ids.length; i++) {
      if (ids[i] !== left || ids[i + 1] !== right) {
        merged.push(ids[i]);
        continue;
      }
      this.#change(left, right, word, -count);
      if (merged.length > 0) {
        const before = merged[merged.length - 1];
        this.#change(before, left, word, -count);
        this.#change(before, token, word, count);
      }
      if (i + 2 < ids.length) {
        this.#change(right, ids[i + 2], word, -count);
        this.#change(token, ids[i + 2], word, count);
      }
      merged.push(token);
      i++;
    }
    word.ids = merged;
  }

  /** Changes the count of a pair that occurs in a word. */
  #change(left: number, right: number, word: Word, change: number): void {
    if (left < 0 || right < 0) return;
    const key = pairKey(left, right);
    let pair = this.#pairs.get(key);
    if (pair === undefined) this.#pairs.set(key, (pair = { left, right, count: 0, words: [] }));
    pair.count += change;
    if (change < 0) return;
    if (pair.words.at(-1) !== word) pair.words.push(word);
    this.#grown.add(key);
  }

  #updateHeap(): void {
    for (const key of this.#grown) {
      const count = this.#pairs.get(key)?.count ?? 0;
      if (count > 0) this.#heap.push(count, key);
    }
    this.#grown.clear();
  }
}
