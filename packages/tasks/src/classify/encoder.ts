/** Converts texts to sequences of token ids, and sequences to padded batches. */
import type { Tensor } from '@unroll/core';
import { valueError } from '@unroll/core';
import {
  type Table,
  type Tokenizer,
  type TokenizerConfig,
  tokenizer,
  Vocabulary,
  type VocabularyConfig,
} from '@unroll/data';
import { cellError, filledTexts } from '../shared/cells.js';
import type { TaskFact } from '../shared/task.js';
import { padded } from '../shared/text-batches.js';
import type { ClassifyEncoder, Encoded, EncodedInputs } from './inputs.js';

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

  constructor(column: string, splitter: Tokenizer, vocabulary: Vocabulary, length: number) {
    this.column = column;
    this.tokenizer = splitter;
    this.vocabulary = vocabulary;
    this.length = length;
  }

  static fromConfig(
    column: string,
    { tokenizer: splitter, vocabulary, length }: EncoderConfig,
  ): TokenEncoder {
    return new TokenEncoder(column, tokenizer(splitter), new Vocabulary(vocabulary), length);
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

  /** Returns the tokens of an encoded text. */
  tokensOf(ids: Encoded): string[] {
    return this.vocabulary.decode(ids as Int32Array, { keepSpecials: true });
  }

  /** True if no token of the encoded text is known. */
  isUnknown(ids: Int32Array): boolean {
    return ids.every((id) => id === UNKNOWN_ID);
  }

  readTable(table: Table): EncodedInputs {
    const shown = textsOf(table, this.column);
    return { shown, encoded: shown.map((text) => this.encode(text)) };
  }

  readTexts(texts: readonly string[]): EncodedInputs {
    if (texts.some((text) => text.trim() === ''))
      throw valueError('The text is empty. Pass a text with at least one word.');
    return { shown: texts, encoded: texts.map((text) => this.encode(text)) };
  }

  batch(encoded: readonly Encoded[], rows: Uint32Array): { x: Tensor } {
    return { x: padded(encoded as readonly Int32Array[], rows) };
  }

  notes(encoded: readonly Encoded[], table?: Table): string[] {
    const { tokenizer: splitter, column: name } = this;
    const unknown = encoded.reduce((count, ids) => count + Number(this.isUnknown(ids as Int32Array)), 0);
    if (unknown === 0) return [...splitter.notes];
    const column = table?.columns.find((each) => each.name === name);
    if (table !== undefined && column !== undefined && unknown === encoded.length) {
      const problem =
        'no word of the text occurs in the training data. Check the column and the language of the text.';
      throw cellError(table, 0, column, problem);
    }
    const count = `${unknown} of ${encoded.length} texts`;
    return [...splitter.notes, `${count} contain no known word, so the model can only guess their labels.`];
  }

  get inputSize(): number {
    return this.vocabulary.size;
  }

  facts(): TaskFact[] {
    return [
      { name: 'tokenizer', value: this.tokenizer.kind },
      { name: 'vocabulary', value: this.vocabulary.size },
      { name: 'length', value: this.length },
    ];
  }
}
