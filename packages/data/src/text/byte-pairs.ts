/**
 * Byte-pair encoding (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"): the tokens of
 * a word are its characters, merged pair by pair in the order in which the merges were learned. A character that is not a
 * token is encoded as the bytes of its UTF-8 form (ä: `<0xC3>`, `<0xA4>`), so every text can be encoded.
 */
import { valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { normalizeText } from './normalize.js';
import { ESCAPED_SPACE_MARKER, preTokens, SPACE_MARKER } from './pre-tokens.js';
import type { BytePairsConfig, Tokenizer } from './types.js';

export interface BytePairTokenizer extends Tokenizer {
  readonly kind: 'bytePairs';
  readonly config: Readonly<Required<BytePairsConfig>>;
  /**
   * All tokens: the 256 bytes, the characters and the results of the merges. Pass them to `buildVocabulary` as `include`,
   * so that the vocabulary has an entry for each.
   */
  readonly allTokens: readonly string[];
}

/** The tokens of the bytes 0 to 255. */
export const BYTES: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
);
const BYTE_OF = new Map(BYTES.map((token, byte) => [token, byte]));

/** The tokens of recent words are cached. The cache is emptied when it has this number of words. */
const CACHE_SIZE = 50_000;

/**
 * Creates a tokenizer of byte pairs.
 * @throws UnrollError `value` if the characters do not include U+2581 for the space, or a merge is not two earlier tokens
 */
export function bytePairs(config: Required<BytePairsConfig>): BytePairTokenizer {
  const table = new MergeTable(config);
  const cache = new Map<string, readonly string[]>();
  const tokensOf = (preToken: string): readonly string[] => {
    const cached = cache.get(preToken);
    if (cached !== undefined) return cached;
    const tokens = table.split(preToken);
    if (cache.size >= CACHE_SIZE) cache.clear();
    cache.set(preToken, tokens);
    return tokens;
  };
  return {
    kind: 'bytePairs',
    config,
    notes: [],
    allTokens: [...BYTES, ...table.tokens],
    normalize: (text) => normalizeText(text, config).replace(/\p{Surrogate}/gu, '\uFFFD'),
    tokens(text) {
      const tokens: string[] = [];
      for (const preToken of preTokens(normalizeText(text, config))) {
        for (const token of tokensOf(preToken)) tokens.push(token);
      }
      return tokens;
    },
    detokenize,
  };
}

interface Merge {
  /** Position in the order in which the merges were learned. */
  rank: number;
  /** Id of the result. */
  token: number;
}

/** The merges by the ids of their two tokens. */
class MergeTable {
  /** Characters, then results of merges. */
  readonly tokens: string[];
  readonly #ids: Map<string, number>;
  readonly #merges = new Map<number, Merge>();

  constructor({ characters, merges }: BytePairsConfig) {
    this.tokens = Array.from(characters);
    if (!this.tokens.includes(SPACE_MARKER)) {
      throw valueError(
        `tokenizer of bytePairs: characters must contain "${SPACE_MARKER}", which stands for a space, got ` +
          `${formatValue(characters)}. Learn them with learnBytePairs.`,
      );
    }
    this.#ids = new Map(this.tokens.map((token, id) => [token, id]));
    for (const [rank, merge] of merges.entries()) {
      const [left, right] =
        typeof merge === 'string' ? merge.split(' ').map((token) => this.#ids.get(token)) : [];
      if (left === undefined || right === undefined) {
        throw valueError(
          `tokenizer of bytePairs: merges[${rank}] must be two tokens, separated by a space, that are characters or ` +
            `results of earlier merges, got ${formatValue(merge)}.`,
          { rank, merge },
        );
      }
      this.#merges.set(pairKey(left, right), {
        rank,
        token: this.#add(this.tokens[left] + this.tokens[right]),
      });
    }
  }

  #add(token: string): number {
    const id = this.#ids.get(token) ?? this.tokens.push(token) - 1;
    this.#ids.set(token, id);
    return id;
  }

  /** Returns the tokens of a pre-token (see pre-tokens.ts): applies the earliest merge, at its first position, until none applies. */
  split(preToken: string): string[] {
    const chars = Array.from(preToken);
    const ids = chars.map((char) => this.#ids.get(char) ?? UNKNOWN);
    // The merge of each token with the next one.
    const merges = ids.map((id, i) => this.#mergeOf(id, ids[i + 1]));
    for (let at = earliest(merges); at >= 0; at = earliest(merges)) {
      ids.splice(at, 2, merges[at]?.token ?? UNKNOWN);
      merges.splice(at, 1);
      merges[at] = this.#mergeOf(ids[at], ids[at + 1]);
      if (at > 0) merges[at - 1] = this.#mergeOf(ids[at - 1], ids[at]);
    }
    const unknown = chars.filter((char) => !this.#ids.has(char));
    let next = 0;
    return ids.flatMap((id) => (id === UNKNOWN ? bytesOf(unknown[next++]) : this.tokens[id]));
  }

  #mergeOf(left: number, right: number | undefined): Merge | undefined {
    return right === undefined || left === UNKNOWN ? undefined : this.#merges.get(pairKey(left, right));
  }
}

/** The id of a character that is not a token. It is never merged. */
const UNKNOWN = -1;

/** Returns the index of the merge with the lowest rank, or -1 if there are none. */
function earliest(merges: readonly (Merge | undefined)[]): number {
  let best = -1;
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < merges.length; i++) {
    const rank = merges[i]?.rank;
    if (rank !== undefined && rank < lowest) [best, lowest] = [i, rank];
  }
  return best;
}

/** Returns a number that identifies a pair of ids. Ids are below 2^26. */
export const pairKey = (left: number, right: number): number => left * 0x4000000 + right;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const bytesOf = (char: string): string[] =>
  Array.from(encoder.encode(char === ESCAPED_SPACE_MARKER ? SPACE_MARKER : char), (byte) => BYTES[byte]);

/** Joins tokens into a text. Byte tokens that are not valid UTF-8, which a model can generate, become U+FFFD. */
function detokenize(tokens: readonly string[]): string {
  let text = '';
  let bytes: number[] = [];
  const decodeBytes = (): void => {
    if (bytes.length > 0) text += decoder.decode(Uint8Array.from(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const byte = BYTE_OF.get(token);
    if (byte !== undefined) {
      bytes.push(byte);
      continue;
    }
    decodeBytes();
    text += token.replaceAll(SPACE_MARKER, ' ');
  }
  decodeBytes();
  return text.startsWith(' ') ? text.slice(1) : text;
}
