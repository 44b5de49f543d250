/** Converts texts to sequences of token ids, and sequences to padded batches. */
import { type Tensor, tensor } from '@unroll/core';
import {
  type Tokenizer,
  type TokenizerConfig,
  tokenizer,
  Vocabulary,
  type VocabularyConfig,
} from '@unroll/data';
import { padded } from '../shared/text-batches.js';

/** The special tokens of the vocabulary: padding with id 0, and unknown tokens. */
export const SPECIALS = ['<pad>', '<unk>'];
export const UNKNOWN_ID = 1;

/** What a saved model stores to read texts. */
export interface EncoderConfig {
  tokenizer: TokenizerConfig;
  vocabulary: VocabularyConfig;
  /** Texts are cut to this number of tokens. */
  length: number;
}

/** The mark of the tokenizer for a missing space (see `tokenizer`). */
const JOINER = '\uFFED';

/** Splits a text into tokens. White space, and the mark of a missing space, are left out: they say little about a class. */
export const contentTokens = (splitter: Tokenizer, text: string): string[] =>
  splitter.tokens(text).filter((token) => token !== JOINER && token.trim() !== '');

export class TokenEncoder {
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
  readonly length: number;

  constructor(splitter: Tokenizer, vocabulary: Vocabulary, length: number) {
    this.tokenizer = splitter;
    this.vocabulary = vocabulary;
    this.length = length;
  }

  static fromConfig({ tokenizer: splitter, vocabulary, length }: EncoderConfig): TokenEncoder {
    return new TokenEncoder(tokenizer(splitter), new Vocabulary(vocabulary), length);
  }

  get config(): EncoderConfig {
    const { tokenizer: splitter, vocabulary, length } = this;
    return { tokenizer: splitter.config as TokenizerConfig, vocabulary: vocabulary.config(), length };
  }

  /** Returns the ids of a text, at least one. */
  encode(text: string): Int32Array {
    return this.encodeTokens(contentTokens(this.tokenizer, text));
  }

  encodeTokens(tokens: readonly string[]): Int32Array {
    const ids = this.vocabulary.encode(tokens.slice(0, this.length));
    return ids.length > 0 ? ids : Int32Array.of(UNKNOWN_ID);
  }

  /** True if no token of the encoded text is known. */
  isUnknown(ids: Int32Array): boolean {
    return ids.every((id) => id === UNKNOWN_ID);
  }
}

/** Encoded texts with their classes. */
export interface EncodedTexts {
  ids: readonly Int32Array[];
  classes: Int32Array;
}

/** A batch: ids x [B, T], padded with 0, and classes y [B]. */
export interface TextBatch {
  x: Tensor;
  y: Tensor;
}

/** Returns one batch. */
export function batchOf({ ids, classes }: EncodedTexts, rows: Uint32Array): TextBatch {
  return { x: padded(ids, rows), y: tensor(Array.from(rows, (row) => classes[row])) };
}
