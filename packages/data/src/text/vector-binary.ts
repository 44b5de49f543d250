/**
 * Reads vectors in the binary format of word2vec: after the header line, each token is followed by a space and its values
 * as little-endian float32. The original program writes a line break after each vector, gensim does not.
 */
import type { RowReader, VectorTable } from './vector-table.js';

const decoder = new TextDecoder();

export class BinaryRows implements RowReader {
  readonly #table: VectorTable;
  readonly #count: number;
  readonly #width: number;
  #rows = 0;

  constructor(table: VectorTable, count: number, width: number) {
    this.#table = table;
    this.#count = count;
    this.#width = width;
  }

  read(bytes: Uint8Array, atEnd: boolean): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    while (this.#rows < this.#count) {
      let tokenStart = start;
      while (bytes[tokenStart] === 10) tokenStart++;
      const tokenEnd = bytes.indexOf(32, tokenStart);
      const end = tokenEnd + 1 + 4 * this.#width;
      if (tokenEnd < 0 || end > bytes.length) break;
      this.#rows++;
      const id = this.#table.idToFill(decoder.decode(bytes.subarray(tokenStart, tokenEnd)));
      if (id !== undefined) {
        const vector = Float32Array.from({ length: this.#width }, (_, i) =>
          view.getFloat32(tokenEnd + 1 + 4 * i, true),
        );
        this.#table.set(id, vector, `vector ${this.#rows}`);
      }
      start = end;
    }
    if (this.#rows === this.#count) return bytes.length; // what follows the last vector is ignored
    if (atEnd) this.#table.checkCount(this.#count, this.#rows);
    return start;
  }
}
