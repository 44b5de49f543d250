/** Converts texts to lists of token ids, and these lists to padded batches. */
import type { Tensor } from '@unroll/core';
import {
  type Table,
  type Tokenizer,
  type TokenizerConfig,
  tokenizer,
  Vocabulary,
  type VocabularyConfig,
} from '@unroll/data';
import { cellError, filledTexts } from '../shared/cells.js';
import { checkFilled } from '../shared/request.js';
import type { TaskFact } from '../shared/task.js';
import { paddedIds } from '../shared/text-batches.js';
import type { ClassifyEncoder, EncodedInput, TitledInputs } from './inputs.js';
import { type NGramConfig, ngramBatch, ngramParts, ngramText } from './ngrams.js';

/** The special tokens of the vocabulary: padding with id 0, and unknown tokens. */
export const SPECIALS = ['<pad>', '<unk>'];
export const UNKNOWN_ID = 1;

/** What a saved model stores to read texts. */
export interface EncoderConfig {
  tokenizer: TokenizerConfig;
  vocabulary: VocabularyConfig;
  /** Texts are cut to this number of tokens. */
  length: number;
  /** The n-grams, and the weight of the probabilities of the n-gram model. Default: no n-gram model. */
  ngrams?: (NGramConfig & { weight: number }) | undefined;
}

/** An encoded text. */
export interface EncodedText extends EncodedInput {
  /** Ids of the tokens; `length` is their number. */
  readonly ids: Int32Array;
  /** The tokens, for the n-gram model. */
  readonly tokens: readonly string[];
}

/** The parts of an encoder that converts texts to ids. `length` is the maximum number of tokens. */
interface EncoderParts {
  tokenizer: Tokenizer;
  vocabulary: Vocabulary;
  length: number;
}

/** The token that the tokenizer inserts where a space is missing (see `tokenizer`). */
const JOINER = '\uFFED';

/** Splits a text into tokens, without white space and `JOINER`, which say little about a class. */
export const contentTokens = (splitter: Tokenizer, text: string): string[] =>
  splitter.tokens(text).filter((token) => token !== JOINER && token.trim() !== '');

/** Returns the texts of a table. @throws UnrollError `data` for a missing column or an empty text */
export const textsOf = (table: Table, name: string): string[] =>
  filledTexts(table, name, 'text', 'Remove the row or write a text.');

export class TokenEncoder implements ClassifyEncoder {
  readonly kind = 'text';
  readonly batchSize = () => 128;
  readonly column: string;
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
  readonly length: number;
  /** Null if there is no n-gram model. */
  readonly ngrams: NGramConfig | null;

  constructor(
    column: string,
    { tokenizer: splitter, vocabulary, length, ngrams }: EncoderParts & { ngrams: NGramConfig | null },
  ) {
    this.column = column;
    this.tokenizer = splitter;
    this.vocabulary = vocabulary;
    this.length = length;
    this.ngrams = ngrams;
  }

  static fromConfig(column: string, config: EncoderConfig): TokenEncoder {
    const { tokenizer: splitter, vocabulary, length, ngrams = null } = config;
    const parts = { tokenizer: tokenizer(splitter), vocabulary: new Vocabulary(vocabulary), length };
    return new TokenEncoder(column, { ...parts, ngrams });
  }

  /** The config, without n-grams. */
  get config(): EncoderConfig {
    const { tokenizer: splitter, vocabulary, length } = this;
    return { tokenizer: splitter.config as TokenizerConfig, vocabulary: vocabulary.config(), length };
  }

  /** Returns the encoded text, which has at least one id. */
  encode(text: string): EncodedText {
    return this.encodeTokens(contentTokens(this.tokenizer, text));
  }

  encodeTokens(all: readonly string[]): EncodedText {
    const tokens = all.slice(0, this.length);
    const tokenIds = this.vocabulary.encode(tokens);
    const ids = tokenIds.length > 0 ? tokenIds : Int32Array.of(UNKNOWN_ID);
    return { ids, length: ids.length, tokens };
  }

  /** Returns the tokens of an encoded text, with `<unk>` for each unknown token. */
  tokensOf(text: EncodedInput): string[] {
    return this.vocabulary.decode((text as EncodedText).ids, { keepSpecials: true });
  }

  /** Returns whether all tokens of the encoded text are unknown. */
  isUnknown(text: EncodedInput): boolean {
    return (text as EncodedText).ids.every((id) => id === UNKNOWN_ID);
  }

  readTable(table: Table): TitledInputs {
    const titles = textsOf(table, this.column);
    return { titles, encoded: titles.map((text) => this.encode(text)) };
  }

  readTexts(texts: readonly string[]): TitledInputs {
    checkFilled(texts);
    return { titles: texts, encoded: texts.map((text) => this.encode(text)) };
  }

  batch(encoded: readonly EncodedInput[], rows: Uint32Array): { x: Tensor } {
    const ids = Array.from(rows, (row) => (encoded[row] as EncodedText).ids);
    return { x: paddedIds(ids, Uint32Array.from(ids.keys())) };
  }

  ngramBatch(encoded: readonly EncodedInput[], rows: Uint32Array): Tensor | null {
    const tokensOf = (row: number) => (encoded[row] as EncodedText).tokens;
    return this.ngrams && ngramBatch(Array.from(rows, tokensOf), this.ngrams);
  }

  ngramParts(encoded: readonly EncodedInput[], rows: Uint32Array, labels: number): Uint32Array[] {
    const tokensOf = (row: number) => (encoded[row] as EncodedText).tokens;
    return this.ngrams === null ? [rows] : ngramParts(rows, tokensOf, this.ngrams, labels);
  }

  notes(encoded: readonly EncodedInput[], table?: Table): string[] {
    const { tokenizer: splitter, column: name } = this;
    const unknown = encoded.reduce((count, text) => count + Number(this.isUnknown(text)), 0);
    if (unknown === 0) return [...splitter.notes];
    const column = table?.columns.find((candidate) => candidate.name === name);
    if (table !== undefined && column !== undefined && unknown === encoded.length) {
      const problem =
        'neither this text nor any other contains a word of the training data. Check the column and the language.';
      throw cellError(table, 0, column, problem);
    }
    const count = `${unknown} of ${encoded.length} texts`;
    return [...splitter.notes, `${count} contain no known word, so the model can only guess their labels.`];
  }

  get inputSize(): number {
    return this.vocabulary.size;
  }

  properties(): TaskFact[] {
    return [
      { name: 'tokenizer', value: this.tokenizer.kind },
      { name: 'vocabulary', value: this.vocabulary.size },
      { name: 'length', value: this.length },
      ...(this.ngrams === null ? [] : [{ name: 'ngrams', value: ngramText(this.ngrams) }]),
    ];
  }
}
