/** Converts texts to token ids and back, and pairs of texts to padded batches. */
import type { RandomStream, Tensor } from '@unroll/core';
import {
  bucketByLength,
  padSequences,
  type Tokenizer,
  type TokenizerConfig,
  tokenizer,
  Vocabulary,
  type VocabularyConfig,
} from '@unroll/data';

/** The special tokens of a vocabulary: padding with id 0, unknown tokens, start and end of a target. */
export const SPECIALS = ['<pad>', '<unk>', '<s>', '</s>'];
export const UNKNOWN_ID = 1;
export const START_ID = 2;
export const END_ID = 3;

/** The part of pipeline.json about the texts of one side: the source or the target. */
export interface SideConfig {
  tokenizer: TokenizerConfig;
  vocabulary: VocabularyConfig;
  /** Texts are cut to this number of tokens. */
  length: number;
}

/** A source text as the network reads it. */
export interface TokenizedText {
  tokens: readonly string[];
  ids: Int32Array;
  /** True if the text had more tokens than the limit and was cut. */
  isCut: boolean;
}

/** Converts the texts of one side, the source or the target, to tokens and ids. */
export class SideEncoder {
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
  readonly length: number;

  constructor(splitter: Tokenizer, vocabulary: Vocabulary, length: number) {
    this.tokenizer = splitter;
    this.vocabulary = vocabulary;
    this.length = length;
  }

  static fromConfig({ tokenizer: splitter, vocabulary, length }: SideConfig): SideEncoder {
    return new SideEncoder(tokenizer(splitter), new Vocabulary(vocabulary), length);
  }

  get config(): SideConfig {
    const { tokenizer: splitter, vocabulary, length } = this;
    return { tokenizer: splitter.config as TokenizerConfig, vocabulary: vocabulary.config(), length };
  }

  /** Returns the first `length` tokens of a text; `<unk>` for a text without tokens. */
  read(text: string): TokenizedText {
    const all = this.tokenizer.tokens(text);
    const tokens = all.length > 0 ? all.slice(0, this.length) : [SPECIALS[UNKNOWN_ID]];
    return { tokens, ids: this.vocabulary.encode(tokens), isCut: all.length > this.length };
  }

  /** Returns the tokens of ids. */
  tokensOf(ids: ArrayLike<number>): string[] {
    return this.vocabulary.decode(ids, { keepSpecials: true });
  }

  /** Joins tokens to a text. */
  join(tokens: readonly string[]): string {
    return this.tokenizer.detokenize(tokens).trim();
  }

  /** Returns true if each token of the encoded text is missing from the vocabulary or does not occur in the training texts. */
  isUnknown(ids: Int32Array): boolean {
    return ids.every((id) => id === UNKNOWN_ID || this.vocabulary.counts[id] === 0);
  }
}

/** Encoded pairs. A target ends with `</s>`, unless it was cut. */
export interface EncodedPairs {
  source: readonly Int32Array[];
  target: readonly Int32Array[];
}

/** Returns the ids of a target and `</s>`. A target of more than `length` tokens is cut and has no `</s>`. */
export function targetIds(encoder: SideEncoder, tokens: readonly string[]): Int32Array {
  const ids = encoder.vocabulary.encode(tokens.slice(0, encoder.length));
  return tokens.length > encoder.length ? ids : Int32Array.of(...ids, END_ID);
}

/**
 * A batch for teacher forcing: x contains the source [B, S] and the previous target tokens [B, T], which begin with `<s>`; y
 * [B, T] contains the target tokens. The weights are 1 for tokens and 0 for padding.
 */
export interface PairBatch {
  x: [Tensor, Tensor];
  y: Tensor;
  sampleWeights: Tensor;
}

/** Returns one batch. */
export function batchOf({ source, target }: EncodedPairs, rows: Uint32Array): PairBatch {
  const targets = Array.from(rows, (row) => target[row]);
  const previous = targets.map((ids) => Int32Array.of(START_ID, ...ids.subarray(0, -1)));
  const { values, mask } = padSequences(targets);
  const sources = padSequences(Array.from(rows, (row) => source[row])).values;
  return { x: [sources, padSequences(previous).values], y: values, sampleWeights: mask };
}

/**
 * Groups the pairs into batches of similar lengths: first by the length of the target, whose steps cost most, then by the length
 * of the source.
 * @param random shuffles the pairs and the batches. Default null: no shuffling
 */
export function pairBatches(
  { source, target }: EncodedPairs,
  batchSize: number,
  random: RandomStream | null = null,
): Uint32Array[] {
  const longest = source.reduce((length, ids) => Math.max(length, ids.length), 0);
  const keys = Float64Array.from(target, (ids, row) => ids.length * (longest + 1) + source[row].length);
  return bucketByLength(keys, { batchSize, random });
}
