/** Writes the vectors of a vocabulary in the formats of word2vec, GloVe and fastText. */
import { shapeError, UnrollError } from '@unroll/core';
import { checkOptions, encodeUtf8, formatValue } from '@unroll/core/internal';
import { FORMATS, type VectorFormat, type Vectors } from './vectors.js';
import type { Vocabulary } from './vocabulary.js';

export interface WriteVectorsOptions {
  /** Default `word2vec`, the text format with a header line. */
  format?: VectorFormat;
  /**
   * Leaves out tokens that are empty or contain white space, such as a line break: the formats cannot represent them.
   * Default false: such a token raises an error.
   */
  omitWhitespace?: boolean;
}

/** Approximate number of bytes of a chunk. */
const CHUNK = 65_536;

/**
 * Yields the bytes of a file with the vectors of a vocabulary, special tokens included. If there is a mask `found`, as in
 * the result of `readVectors`, only the vectors that it marks are written. Text has as many digits as needed to restore
 * the float32 values exactly.
 * @param vectors `values` [V, width], row by row, such as the weights of an embedding
 * @throws UnrollError `shape` if the values do not fit the vocabulary, `data` for a token that is empty or has white space
 */
export function writeVectors(
  vocabulary: Vocabulary,
  vectors: Pick<Vectors, 'width' | 'values'> & { found?: Uint8Array },
  options: WriteVectorsOptions = {},
): Generator<Uint8Array> {
  checkOptions('writeVectors', options, { format: FORMATS, omitWhitespace: 'boolean' });
  const { format = 'word2vec', omitWhitespace = false } = options;
  const { width, values, found } = vectors;
  if (
    values.length !== vocabulary.size * width ||
    (found !== undefined && found.length !== vocabulary.size)
  ) {
    const mask = found === undefined ? '' : `, and found must have ${vocabulary.size}, got ${found.length}`;
    throw shapeError(
      `writeVectors: values must have ${vocabulary.size * width} entries (${vocabulary.size} tokens of the vocabulary × width ` +
        `${width}), got ${values.length}${mask}.`,
      { rows: vocabulary.size, width, length: values.length },
    );
  }
  const ids = [...vocabulary.tokens.keys()].filter((id) => {
    if (found !== undefined && found[id] === 0) return false;
    const token = vocabulary.tokens[id];
    if (token !== '' && !/\s/.test(token)) return true;
    if (omitWhitespace) return false;
    throw new UnrollError(
      'data',
      `writeVectors: the token ${formatValue(token)} (id ${id}) is empty or contains white space, which vector files ` +
        'cannot represent. Set omitWhitespace to leave out such tokens.',
      { token, id },
    );
  });
  return chunksOf(rows(vocabulary, { width, values }, ids, format));
}

/** Yields the header, then one row for each id. */
function* rows(
  { tokens }: Vocabulary,
  { width, values }: Pick<Vectors, 'width' | 'values'>,
  ids: readonly number[],
  format: VectorFormat,
): Generator<Uint8Array> {
  if (format !== 'glove') yield encodeUtf8(`${ids.length} ${width}\n`);
  for (const id of ids) {
    const row = values.subarray(id * width, (id + 1) * width);
    if (format === 'word2vecBinary')
      yield* [encodeUtf8(`${tokens[id]} `), littleEndian(row), Uint8Array.of(10)];
    else yield encodeUtf8(`${tokens[id]} ${Array.from(row, shortestDecimal).join(' ')}\n`);
  }
}

function littleEndian(row: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * row.length));
  for (const [i, value] of row.entries()) view.setFloat32(4 * i, value, true);
  return new Uint8Array(view.buffer);
}

/** Returns the shortest decimal number that rounds to the float32 value. Nine digits are always enough. */
function shortestDecimal(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}

/** Joins small pieces into chunks of about {@link CHUNK} bytes. */
function* chunksOf(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let chunk: Uint8Array[] = [];
  let length = 0;
  const takeChunk = (): Uint8Array => {
    const bytes = new Uint8Array(length);
    let offset = 0;
    for (const piece of chunk) {
      bytes.set(piece, offset);
      offset += piece.length;
    }
    [chunk, length] = [[], 0];
    return bytes;
  };
  for (const piece of pieces) {
    chunk.push(piece);
    length += piece.length;
    if (length >= CHUNK) yield takeChunk();
  }
  if (length > 0) yield takeChunk();
}
