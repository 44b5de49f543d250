/** Reads pretrained vectors for the tokens of a vocabulary. The file is read chunk by chunk, never as a whole. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { BinaryRows } from './vector-binary.js';
import { NOT_VECTORS, type RowReader, VectorTable } from './vector-table.js';
import { TextRows } from './vector-text.js';
import { Vocabulary } from './vocabulary.js';

/** Formats of vector files. `fastText` (.vec) is the same as `word2vec` text. */
export type VectorFormat = 'word2vec' | 'word2vecBinary' | 'glove' | 'fastText';
export const FORMATS = ['word2vec', 'word2vecBinary', 'glove', 'fastText'] satisfies VectorFormat[];

/** The part of `ReadableStream` that is needed to read it. */
export interface ByteStream {
  getReader(): {
    read(): Promise<{ done: boolean; value?: Uint8Array }>;
    cancel(): Promise<void>;
  };
}

/** The bytes of a file: a stream of Node, the stream of a `Blob` or of a response to `fetch`, or arrays. */
export type ByteChunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array> | ByteStream;

export interface ReadVectorsOptions {
  /** Only vectors of its tokens are stored. */
  vocabulary: Vocabulary;
  /** Default: detected. */
  format?: VectorFormat;
  /** The width that the vectors must have, such as `outputDim` of an embedding. Default: any width. */
  width?: number;
  /** Name of the file for messages. Default `The vectors`. */
  source?: string;
}

/** Vectors of the tokens of a vocabulary of V tokens. */
export interface Vectors {
  /** Number of values of each vector. */
  width: number;
  /** [V, width], row by row. The rows of tokens without a vector are 0. */
  values: Float32Array;
  /** [V]: 1 for tokens with a vector, otherwise 0. */
  found: Uint8Array;
  format: VectorFormat;
  /**
   * The part of the vocabulary that has vectors, without special tokens, from 0 to 1: as a share of the different tokens (`types`),
   * and as a share of their occurrences in the training texts (`tokens`).
   */
  coverage: { types: number; tokens: number };
}

/**
 * Reads the vectors of the tokens of a vocabulary from a file of word2vec (text or binary), GloVe or fastText (.vec).
 * Rows of other tokens are skipped, most of them unchecked. If a token occurs twice, its first vector is used, as in
 * gensim. Compressed files must be decompressed first, for example by `stream.pipeThrough(new DecompressionStream('gzip'))`.
 *
 *     const stream = createReadStream('glove.6B.100d.txt');
 *     const { width, values } = await readVectors(stream, { vocabulary });
 *     const weights = tensor(values, [vocabulary.size, width]);
 *     embedding({ inputDim: vocabulary.size, outputDim: width, weights, maskZero: true });
 *
 * @throws UnrollError `format` for a damaged or truncated file, or one in another format (the message gives the line); `value` for
 * vectors of another width
 */
export async function readVectors(chunks: ByteChunks, options: ReadVectorsOptions): Promise<Vectors> {
  checkOptions('readVectors', options, {
    ...{ vocabulary: true, format: FORMATS, width: 'count', source: 'string' },
  });
  const { vocabulary, format, width = null, source = 'The vectors' } = options;
  if (!(vocabulary instanceof Vocabulary)) {
    throw valueError(
      `readVectors: vocabulary must be a Vocabulary, got ${formatValue(vocabulary)}. Build one with buildVocabulary.`,
    );
  }
  const table = new VectorTable(source, vocabulary, width);
  let file: VectorFile | undefined;
  let unread: Uint8Array = new Uint8Array(0);
  for await (const chunk of iterate(chunks)) {
    if (!(chunk instanceof Uint8Array)) {
      throw valueError(
        `${source}: chunks must be of type Uint8Array, got ${formatValue(chunk)}. Pass a stream without an encoding, or ` +
          'bytes in memory as [bytes].',
      );
    }
    let bytes = concat(unread, chunk);
    if (file === undefined && (file = readHeader(bytes, format, table, false)) !== undefined)
      bytes = bytes.subarray(file.start);
    // A copy, because the source may use the memory of the chunk again.
    unread = bytes.slice(file?.rows.read(bytes, false) ?? 0);
    if (unread.length > MAX_ROW) throw table.error(`a line must not exceed ${MAX_ROW} bytes. ${NOT_VECTORS}`);
  }
  if (file === undefined && (file = readHeader(unread, format, table, true)) !== undefined)
    unread = unread.subarray(file.start);
  if (file === undefined) throw table.error('the file is empty.');
  file.rows.read(unread, true);
  const { values, found } = table;
  return {
    width: table.width ?? 0,
    values,
    found,
    format: file.format,
    coverage: coverageOf(vocabulary, found),
  };
}

/** A longer row shows that the file has another format. */
const MAX_ROW = 2 ** 20;

/** What the beginning of a file shows: its format, and the reader of its rows. */
interface VectorFile {
  format: VectorFormat;
  rows: RowReader;
  /** Index of the first byte after the header. */
  start: number;
}

/** Reads the header, if there is one, and detects the format. Returns undefined if more bytes are needed. */
function readHeader(
  bytes: Uint8Array,
  requested: VectorFormat | undefined,
  table: VectorTable,
  atEnd: boolean,
): VectorFile | undefined {
  checkContainer(bytes, table);
  const lineEnd = bytes.indexOf(10);
  if (bytes.length === 0 || (lineEnd < 0 && !atEnd)) return undefined;
  const line = new TextDecoder().decode(
    bytes.subarray(0, lineEnd < 0 ? bytes.length : Math.min(lineEnd, 1000)),
  );
  const header = requested === 'glove' ? null : /^(\d+)[ \t](\d+)\s*$/.exec(line);
  if (header === null) {
    if (requested !== undefined && requested !== 'glove') {
      const advice = "If the file has no header, set format: 'glove'.";
      const expected = 'a header with the number of vectors and their width, such as "400000 300"';
      throw table.error(`the first line must be ${expected}, got ${formatValue(line)}. ${advice}`);
    }
    return { format: 'glove', rows: new TextRows(table, null), start: 0 };
  }
  const [count, width] = [Number(header[1]), Number(header[2])];
  const start = lineEnd < 0 ? bytes.length : lineEnd + 1;
  const isBinary =
    requested === undefined
      ? looksBinary(bytes.subarray(start), width, atEnd)
      : requested === 'word2vecBinary';
  if (isBinary === undefined) return undefined;
  table.setWidth(width);
  const rows = isBinary ? new BinaryRows(table, count, width) : new TextRows(table, count);
  return { format: requested ?? (isBinary ? 'word2vecBinary' : 'word2vec'), rows, start };
}

/** @throws UnrollError `format` for compressed files */
function checkContainer(bytes: Uint8Array, table: VectorTable): void {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
  if (isGzip) {
    const example = "stream.pipeThrough(new DecompressionStream('gzip'))";
    throw table.error(`the file is compressed (gzip). Decompress it, for example with ${example}.`);
  }
  if (isZip) throw table.error('the file is a zip archive. Unpack it first.');
}

/** The bytes that occur in numbers as text: digits, signs, `.`, `e`, `E`, spaces, and the letters of `nan` and `inf`. */
const NUMERIC = new Set(new TextEncoder().encode('0123456789+-.eE \t\rnaifNAIF'));

/**
 * Returns whether the bytes after the first token are not numbers as text; undefined if more bytes are needed. It is very
 * unlikely that binary values contain only bytes of `NUMERIC`.
 */
function looksBinary(bytes: Uint8Array, width: number, atEnd: boolean): boolean | undefined {
  const start = bytes.indexOf(32) + 1;
  const length = Math.min(4 * width, 64);
  if (start === 0 || start + length > bytes.length) {
    if (!atEnd) return undefined;
  }
  const sample = bytes.subarray(start, start + length);
  const lineEnd = sample.indexOf(10);
  const values = lineEnd < 0 ? sample : sample.subarray(0, lineEnd);
  return start > 0 && !(values.length > 0 && values.every((byte) => NUMERIC.has(byte)));
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Iterates over chunks. Streams are read by their reader, because not all browsers can iterate over them. */
async function* iterate(chunks: ByteChunks): AsyncGenerator<Uint8Array> {
  if (!('getReader' in chunks)) {
    yield* chunks;
    return;
  }
  const reader = chunks.getReader();
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read())
      if (value !== undefined) yield value;
  } finally {
    await reader.cancel(); // closes the file after an error; does nothing at the end
  }
}

function coverageOf(vocabulary: Vocabulary, found: Uint8Array): { types: number; tokens: number } {
  let [types, tokens, foundTypes, foundTokens] = [0, 0, 0, 0];
  for (let id = vocabulary.specials.length; id < vocabulary.size; id++) {
    types++;
    tokens += vocabulary.counts[id];
    foundTypes += found[id];
    foundTokens += found[id] * vocabulary.counts[id];
  }
  const share = types === 0 ? 1 : foundTypes / types;
  return { types: share, tokens: tokens === 0 ? share : foundTokens / tokens };
}
