/** Converts sentences to word ids and character ids, and to padded batches. */
import { type Tensor, tensor } from '@unroll/core';
import {
  type Tokenizer,
  type TokenizerConfig,
  tokenizer,
  Vocabulary,
  type VocabularyConfig,
} from '@unroll/data';
import { paddedIds } from '../shared/text-batches.js';

/** The special tokens of the vocabularies: padding with id 0, and unknown words or characters. */
export const SPECIALS = ['<pad>', '<unk>'];
export const UNKNOWN_ID = 1;
/** The network reads at most this number of characters of a word: half from its start and half from its end. */
const MAX_CHARACTERS = 24;
/** Longer sentences are processed in pieces of at most this number of tokens. */
export const MAX_TOKENS = 400;
/** The token that the tokenizer inserts where a space is missing (see `tokenizer`). */
const JOINER = '\uFFED';

/** The part of pipeline.json with which a model reads sentences. */
export interface TagEncoderConfig {
  /** Splits texts into tokens. Files have one token per line. */
  tokenizer: TokenizerConfig;
  words: VocabularyConfig;
  /** The characters that the network reads; null if it reads no characters. */
  characters: VocabularyConfig | null;
  /** Convert tokens to lower case. */
  lowercase: boolean;
}

/** A token of a text, from offset `start` to offset `end` (exclusive) in UTF-16 code units. */
export interface TextToken {
  token: string;
  start: number;
  end: number;
}

/**
 * Returns the form of a word in the vocabulary: digits become 0. With `lowercase`, or if the network also reads characters, letters
 * become lower case.
 */
export function wordForm(
  token: string,
  { lowercase, hasCharacters }: { lowercase: boolean; hasCharacters: boolean },
): string {
  const cased = lowercase || hasCharacters ? token.toLowerCase() : token;
  return cased.replace(/\p{Nd}/gu, '0');
}

/** Returns the characters of a word that the network reads. */
export function charactersOf(token: string): string[] {
  const all = Array.from(token);
  if (all.length <= MAX_CHARACTERS) return all;
  return [...all.slice(0, MAX_CHARACTERS / 2), ...all.slice(-MAX_CHARACTERS / 2)];
}

/** An encoded sentence, or a piece of a long one. */
export interface EncodedSentence {
  /** Word ids. */
  ids: Int32Array;
  /** Character ids of each word; null if the network reads no characters. */
  characters: Int32Array[] | null;
}

export class TagEncoder {
  readonly tokenizer: Tokenizer;
  readonly words: Vocabulary;
  readonly characters: Vocabulary | null;
  readonly lowercase: boolean;

  constructor(config: TagEncoderConfig) {
    this.tokenizer = tokenizer(config.tokenizer);
    this.words = new Vocabulary(config.words);
    this.characters = config.characters && new Vocabulary(config.characters);
    this.lowercase = config.lowercase;
  }

  get config(): TagEncoderConfig {
    return {
      tokenizer: this.tokenizer.config as TokenizerConfig,
      words: this.words.config(),
      characters: this.characters?.config() ?? null,
      lowercase: this.lowercase,
    };
  }

  /** Splits a text into tokens without white space. */
  split(text: string): TextToken[] {
    const result: TextToken[] = [];
    let position = 0;
    for (const token of this.tokenizer.tokens(text)) {
      if (token === JOINER || token.trim() === '') continue;
      const start = text.indexOf(token, position);
      if (start < 0) continue; // The text itself contains JOINER, which the tokenizer escapes.
      position = start + token.length;
      result.push({ token, start, end: position });
    }
    return result;
  }

  encode(tokens: readonly string[]): EncodedSentence {
    const { lowercase, characters } = this;
    const options = { lowercase, hasCharacters: characters !== null };
    const ids = this.words.encode(tokens.map((token) => wordForm(token, options)));
    const cased = (token: string): string => (lowercase ? token.toLowerCase() : token);
    return {
      ids,
      characters: characters && tokens.map((token) => characters.encode(charactersOf(cased(token)))),
    };
  }

  /** Returns the share of the tokens whose word is in the vocabulary. */
  coverage(sentences: readonly (readonly string[])[]): number {
    const options = { lowercase: this.lowercase, hasCharacters: this.characters !== null };
    return this.words.coverage(sentences.map((tokens) => tokens.map((token) => wordForm(token, options))))
      .tokens;
  }
}

/** Cuts a list into pieces of nearly equal length, each with at most `MAX_TOKENS` elements. */
export function piecesOf<T>(list: readonly T[]): (readonly T[])[] {
  const count = Math.ceil(list.length / MAX_TOKENS);
  if (count <= 1) return [list];
  const size = Math.ceil(list.length / count);
  return Array.from({ length: count }, (_, i) => list.slice(i * size, (i + 1) * size));
}

/** Returns sentences as inputs of the network: word ids [B, T] and, if the network reads characters, character ids [B, T, C]. */
export function inputsOf(sentences: readonly EncodedSentence[], rows: ArrayLike<number>): Tensor[] {
  const chosen = Array.from(rows, (row) => sentences[row]);
  const all = Uint32Array.from(chosen.keys());
  const ids = paddedIds(
    chosen.map((sentence) => sentence.ids),
    all,
  );
  if (chosen[0].characters === null) return [ids];
  const [B, T] = ids.shape;
  const width = chosen.reduce(
    (longest, { characters }) =>
      (characters ?? []).reduce((most, word) => Math.max(most, word.length), longest),
    1,
  );
  const values = new Float32Array(B * T * width);
  for (const [b, { characters }] of chosen.entries()) {
    for (const [t, word] of (characters ?? []).entries()) values.set(word, (b * T + t) * width);
  }
  return [ids, tensor(values, [B, T, width])];
}
