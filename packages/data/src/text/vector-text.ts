/**
 * Reads vectors as text: one line per token, with the token and its values separated by spaces. Files of word2vec and
 * fastText have a header line with the number of vectors and their width; files of GloVe have none.
 */
import { formatValue } from '@unroll/core/internal';
import { countText } from '../count-text.js';
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
   * Adds the vector of a line. Most lines belong to tokens outside the vocabulary; their values are not read. Two lines are always
   * read and checked: the first one, and a last one without a line break (`isOpen`), which may be truncated.
   */
  #addLine(bytes: Uint8Array, start: number, lineEnd: number, isOpen: boolean): void {
    this.#line++;
    const end = trimmedEnd(bytes, start, lineEnd);
    if (end === start) return;
    const isFirst = this.#rows === 0;
    this.#rows++;
    if (this.#count !== null && this.#rows > this.#count) this.#table.checkCount(this.#count, this.#rows);
    const tokenEnd = nextSeparator(bytes, start, end);
    const firstField = decoder.decode(bytes.subarray(start, tokenEnd));
    if (!isFirst && !isOpen && !this.#spaced && this.#table.idToFill(firstField) === undefined) return;
    const line = (): string => decoder.decode(bytes.subarray(start, end));
    if (isFirst && this.#count === null) this.#table.setWidth(this.#measure(line()));
    const width = this.#table.width ?? 0;
    const valuesStart = valuesStartOf(bytes, start, end, width);
    if (valuesStart < 0) throw this.#widthError(firstField, line().split(SEPARATOR).length - 1, width);
    const token = decoder.decode(bytes.subarray(start, valuesStart - 1));
    const id = this.#table.idToFill(token);
    const isChecked = isFirst || isOpen || this.#table.idToFill(firstField) !== undefined;
    if (id === undefined && token !== firstField && isChecked) this.#checkToken(token, firstField, width);
    if (id === undefined && !isFirst && !isOpen) return;
    const values = decoder.decode(bytes.subarray(valuesStart, end)).split(SEPARATOR);
    const vector = values.map((value, i) => this.#number(value, i, token));
    if (id !== undefined) this.#table.set(id, vector, `line ${this.#line}`);
  }

  /** Returns the width of the vector in the first line: how many of its last fields are numbers, not counting the first field. */
  #measure(line: string): number {
    const fields = line.split(SEPARATOR);
    const lastOther = fields.findLastIndex((field) => !NUMBER.test(field));
    const width = fields.length - Math.max(lastOther + 1, 1);
    if (width > 0) return width;
    throw this.#table.error(
      `line ${this.#line}: a line must be a token and numbers, separated by spaces, got ${formatValue(line)}.`,
    );
  }

  /** Rejects a line with too many values, whose first values would otherwise be taken for a part of the token. */
  #checkToken(token: string, firstField: string, width: number): void {
    const extra = token.slice(firstField.length + 1).split(SEPARATOR);
    if (firstField !== '' && extra.every((field) => NUMBER.test(field)))
      throw this.#widthError(firstField, extra.length + width, width);
  }

  #widthError(token: string, got: number, width: number): Error {
    const hint =
      this.#line === 1 ? '' : ' The line is damaged, or the file is truncated: download or copy it again.';
    return this.#table.error(
      `line ${this.#line}: ${formatValue(token)} must have ${countText(width, 'value')}, got ${got}.${hint}`,
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

/** Returns the end of a line without the spaces and the carriage return that some programs write at its end. */
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

/** Returns the index at which the last `width` fields begin, or -1 if fewer than `width` fields follow the token. */
function valuesStartOf(bytes: Uint8Array, start: number, end: number, width: number): number {
  let left = width;
  for (let i = end - 1; i > start; i--) if (isSeparator(bytes[i]) && --left === 0) return i + 1;
  return -1;
}
