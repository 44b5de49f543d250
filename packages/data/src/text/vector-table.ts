/** Collects the vectors of the tokens of a vocabulary while a file is read. */
import { UnrollError, valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { countText } from '../count-text.js';
import type { Vocabulary } from './vocabulary.js';

/** A larger width shows that the file has another format. */
const MAX_WIDTH = 65_536;

export class VectorTable {
  /** Name of the file, for messages. */
  readonly source: string;
  readonly vocabulary: Vocabulary;
  /** 1 for each token with a vector. */
  readonly found: Uint8Array;
  /** The expected width, or null if it is not known yet. */
  width: number | null;
  #values = new Float32Array(0);

  constructor(source: string, vocabulary: Vocabulary, width: number | null) {
    this.source = source;
    this.vocabulary = vocabulary;
    this.width = width;
    this.found = new Uint8Array(vocabulary.size);
  }

  /** [V, width]. */
  get values(): Float32Array {
    return this.#values;
  }

  /** Sets the width of the vectors in the file. @throws UnrollError `format` if it is invalid, `value` if another was requested */
  setWidth(width: number): void {
    if (!(width >= 1 && width <= MAX_WIDTH)) {
      throw this.error(
        `the width of the vectors must be between 1 and ${MAX_WIDTH}, got ${width}. ${NOT_VECTORS}`,
      );
    }
    if (this.width !== null && this.width !== width) {
      throw valueError(
        `${this.source}: the vectors have ${countText(width, 'value')}, but width is ${this.width}. Set the width of the embedding to ` +
          `${width}, or use vectors of width ${this.width}.`,
        { source: this.source, width, expected: this.width },
      );
    }
    this.width = width;
    this.#values = new Float32Array(this.vocabulary.size * width);
  }

  /** Returns the id of a token that is in the vocabulary and has no vector yet, or undefined. */
  idToFill(token: string): number | undefined {
    const id = this.vocabulary.id(token);
    return id === undefined || this.found[id] === 1 ? undefined : id;
  }

  /**
   * Stores the vector of a token.
   * @param where the position in the file
   * @throws UnrollError `format` for a value that is not a finite number
   */
  set(id: number, vector: ArrayLike<number>, where: string): void {
    const offset = id * vector.length;
    for (let i = 0; i < vector.length; i++) {
      const value = Math.fround(vector[i]);
      if (!Number.isFinite(value)) {
        const token = formatValue(this.vocabulary.tokens[id]);
        throw this.error(`${where}: value ${i + 1} of ${token} must be a finite number, got ${vector[i]}.`);
      }
      this.#values[offset + i] = value;
    }
    this.found[id] = 1;
  }

  /** @throws UnrollError `format` if the number of vectors differs from the number in the header of the file */
  checkCount(expected: number, count: number): void {
    if (count === expected) return;
    const problem =
      count < expected
        ? `the header announces ${countText(expected, 'vector')}, but the file ends after ${count}. It is truncated: download or copy it again`
        : `the header announces ${countText(expected, 'vector')}, but there are more. Correct the first line`;
    throw this.error(`${problem}.`);
  }

  error(message: string): UnrollError {
    const separator = /^(?:line|vector) \d/.test(message) ? ', ' : ': ';
    return new UnrollError('format', `${this.source}${separator}${message}`, { source: this.source });
  }
}

export const NOT_VECTORS =
  'The file must contain vectors in the format of word2vec, GloVe or fastText (.vec).';

/** Reads the rows of a file from consecutive chunks. */
export interface RowReader {
  /** Reads all complete rows, and at the end of the file also an incomplete one. Returns the number of bytes that were read. */
  read(bytes: Uint8Array, atEnd: boolean): number;
}
