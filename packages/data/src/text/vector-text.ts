/**
 * Reads vectors as text: one line per token, with the token and its values separated by spaces. Files of word2vec and
 * fastText have a header line with the number of vectors and their width; files of GloVe have none.
 */
import { formatValue } from '@unroll/core/internal';
import type { RowReader, VectorTable } from './vector-table.js';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const SEPARATOR = /[ \t]/;
const decoder = new TextDecoder();

export class TextRows implements RowReader {
  readonly #table: VectorTable;
  /** Number of vectors according to the header, or null if there is none. */
  readonly #count: number | null;
  /** True if the vocabulary has tokens that contain spaces or tabs, so that the first space may not end the token. */
  readonly #spaced: boolean;
  #line: number;
  #rows = 0;

  constructor(table: VectorTable, count: number | null) {
    this.#table = table;
    this.#count = count;
    this.#line = count === null ? 0 : 1;
    this.#spaced = table.vocabulary.tokens.some((token) => SEPARATOR.test(token));
  }

  read(bytes: Uint8Array, atEnd: boolean): number {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(10, start);
      if (end < 0) break;
      this.#addLine(bytes, start, end, false);
      start = end + 1;
    }
    if (!atEnd) return start;
    if (start < bytes.length) this.#addLine(bytes, start, bytes.length, true);
    if (this.#rows === 0) throw this.#table.error('there are no vectors.');
    if (this.#count !== null) this.#table.checkCount(this.#count, this.#rows);
    return bytes.length;
  }

  /**
   * Adds the vector of a line. Most lines belong to tokens outside the vocabulary and are skipped after a look at the
   * token. The first line is read in any case, and so is a last line without a line break, which may be truncated.
   */
  #addLine(bytes: Uint8Array, start: number, lineEnd: number, isOpen: boolean): void {
    this.#line++;
    const end = trimmedEnd(bytes, start, lineEnd);
    if (end === start) return;
    const isFirst = this.#rows === 0;
    this.#rows++;
    if (this.#count !== null && this.#rows > this.#count) this.#table.checkCount(this.#count, this.#rows);
    const tokenEnd = nextSeparator(bytes, start, end);
    const first = decoder.decode(bytes.subarray(start, tokenEnd));
    if (!isFirst && !isOpen && !this.#spaced && this.#table.wanted(first) === undefined) return;
    const line = (): string => decoder.decode(bytes.subarray(start, end));
    if (isFirst && this.#count === null) this.#table.setWidth(this.#measure(line()));
    const width = this.#table.width ?? 0;
    const valuesStart = valuesStartOf(bytes, start, end, width);
    if (valuesStart < 0) throw this.#widthError(first, line().split(SEPARATOR).length - 1, width);
    const token = decoder.decode(bytes.subarray(start, valuesStart - 1));
    const id = this.#table.wanted(token);
    const isChecked = isFirst || isOpen || this.#table.wanted(first) !== undefined;
    if (id === undefined && token !== first && isChecked) this.#checkToken(token, first, width);
    if (id === undefined && !isFirst && !isOpen) return;
    const values = decoder.decode(bytes.subarray(valuesStart, end)).split(SEPARATOR);
    const vector = values.map((value, i) => this.#number(value, i, token));
    if (id !== undefined) this.#table.set(id, vector, `line ${this.#line}`);
  }

  /** Returns the width of the vector in the first line: its last fields that are numbers, but not the token. */
  #measure(line: string): number {
    const fields = line.split(SEPARATOR);
    const lastOther = fields.findLastIndex((field) => !NUMBER.test(field));
    const width = fields.length - Math.max(lastOther + 1, 1);
    if (width > 0) return width;
    throw this.#table.error(
      `line ${this.#line}: a line must be a token and numbers, separated by spaces, got ${formatValue(line)}.`,
    );
  }

  /** Rejects a line with too many values: those before the last ones would otherwise be taken for a part of the token. */
  #checkToken(token: string, first: string, width: number): void {
    const extra = token.slice(first.length + 1).split(SEPARATOR);
    if (first !== '' && extra.every((field) => NUMBER.test(field)))
      throw this.#widthError(first, extra.length + width, width);
  }

  #widthError(token: string, got: number, width: number): Error {
    const hint =
      this.#line === 1 ? '' : ' The line is damaged, or the file is truncated: download or copy it again.';
    return this.#table.error(
      `line ${this.#line}: ${formatValue(token)} must have ${width} values, got ${got}.${hint}`,
    );
  }

  #number(field: string, index: number, token: string): number {
    if (NUMBER.test(field)) return Number(field);
    throw this.#table.error(
      `line ${this.#line}: value ${index + 1} of ${formatValue(token)} must be a number, got ${formatValue(field)}.`,
    );
  }
}

const isSeparator = (byte: number): boolean => byte === 32 || byte === 9;

/** Returns the end of a line without spaces and a carriage return at its end, which some programs write. */
function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let trimmed = end;
  while (trimmed > start && (isSeparator(bytes[trimmed - 1]) || bytes[trimmed - 1] === 13)) trimmed--;
  return trimmed;
}

/** Returns the index of the first space or tab, or `end`. */
function nextSeparator(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && !isSeparator(bytes[i])) i++;
  return i;
}

/** Returns the index at which the last `width` fields begin, or -1 if there are not as many after a token. */
function valuesStartOf(bytes: Uint8Array, start: number, end: number, width: number): number {
  let left = width;
  for (let i = end - 1; i > start; i--) if (isSeparator(bytes[i]) && --left === 0) return i + 1;
  return -1;
}
