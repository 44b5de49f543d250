/** Reads tables and texts from files. The format is detected from the content, not from the name of the file. */
import { constants } from 'node:buffer';
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readFileSync, readSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gunzipSync } from 'node:zlib';
import {
  decodeText,
  looksLikeJson,
  looksLikeParquet,
  looksLikeTsFile,
  parseCsv,
  parseJsonLines,
  parseTsFile,
  type Table,
} from '@unroll/data';
import type { TextFile } from '@unroll/tasks';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';
import { queryFile } from './query.js';
import type { ReadOptions } from './reading-options.js';

/** Notes and fingerprint of a file that was read. */
export interface FileInfo {
  /** Sentences for the user, such as the detected encoding. */
  notes: string[];
  /** SHA-256 of the file. */
  fingerprint: string;
}

/** A table that was read from a file. */
export interface FileTable extends FileInfo {
  table: Table;
}

/** A text that was read from a file. */
export interface FileText extends FileInfo {
  file: TextFile;
}

/** A query over a file, in which the file is the table `data`. */
export interface Query {
  sql: string;
  /** Number of threads; default: the number of cores. */
  threads?: number;
}

/**
 * Reads the rows that a query returns, without loading the whole file. Without a query, reads all rows.
 * @throws UsageError if the file cannot be read or the query is invalid, UnrollError if the content is not a table
 */
export async function readRows(path: string, reading: ReadOptions, query?: Query): Promise<FileTable> {
  if (query === undefined) return readTable(path, reading);
  if (reading.header === false) throw new UsageError('--no-header cannot be combined with --sql.');
  const table = await queryFile(path, reading, query);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const sql = query.sql.replace(/\s+/g, ' ').trim();
  const notes = [
    `The query "${sql.length > 40 ? `${sql.slice(0, 39)}…` : sql}" returns ${table.rowCount} rows.`,
  ];
  return { table, notes, fingerprint: hash.digest('hex') };
}

/**
 * Reads CSV, JSON lines, a JSON array, Parquet or a `.ts` file of sktime, optionally compressed with gzip. Text may be in
 * UTF-8, UTF-16 or an older encoding.
 * @throws UsageError if the file cannot be read, UnrollError if the content is not a table
 */
export async function readTable(path: string, reading: ReadOptions = {}): Promise<FileTable> {
  const { bytes, fingerprint } = readBytes(path, TABLE_ADVICE);
  if (looksLikeParquet(bytes)) {
    const { parseParquet } = await import('@unroll/data/parquet'); // Only if needed, to start faster.
    return { table: await parseParquet(bytes, { source: path }), notes: [], fingerprint };
  }
  const { encoding, header, ...separators } = reading;
  const { text, notes } = decode(bytes, path, { encoding, advice: TABLE_ADVICE });
  const options = { source: path, ...separators };
  const table = looksLikeTsFile(text)
    ? parseTsFile(text, { source: path })
    : looksLikeJson(text)
      ? parseJsonLines(text, options)
      : parseCsv(text, { ...options, ...(header !== undefined && { header }), ...tabOf(path, text) });
  return { table, notes, fingerprint };
}

/**
 * Reads a text file, optionally compressed with gzip, in UTF-8, UTF-16 or an older encoding.
 * @throws UsageError if the file cannot be read, UnrollError if it is not text
 */
export function readText(path: string, reading: Pick<ReadOptions, 'encoding'> = {}): FileText {
  const { bytes, fingerprint } = readBytes(path, TEXT_ADVICE);
  const { text, notes } = decode(bytes, path, { encoding: reading.encoding, advice: TEXT_ADVICE });
  return { file: { source: path, text }, notes, fingerprint };
}

/** Opens a file as a stream of bytes, decompressed if its name ends in .gz. */
export function openStream(path: string): AsyncIterable<Uint8Array> {
  const file = createReadStream(path);
  return path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
}

/** Returns the SHA-256 of a file. The file is read in parts. @throws UsageError if it cannot be read */
export function fingerprintOf(path: string): string {
  const hash = createHash('sha256');
  try {
    const file = openSync(path, 'r');
    try {
      const part = new Uint8Array(2 ** 20);
      for (let count = readSync(file, part); count > 0; count = readSync(file, part))
        hash.update(part.subarray(0, count));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
  return hash.digest('hex');
}

/** Decodes a text. The notes name an encoding that was detected and is not UTF-8. */
function decode(
  bytes: Uint8Array,
  path: string,
  { encoding: requested, advice }: { encoding?: string | undefined; advice: string },
): { text: string; notes: string[] } {
  if (bytes.length > constants.MAX_STRING_LENGTH) throw tooLarge(path, advice);
  const { text, encoding } = decodeText(bytes, path, requested);
  if (encoding === 'UTF-8' || requested !== undefined) return { text, notes: [] };
  const statement = `${path} is read as ${encoding}`;
  const hint = encoding === 'UTF-16' ? '.' : '. If that is not its encoding, set --encoding.';
  return { text, notes: [statement + hint] };
}

/** Returns the tab as the delimiter of a .tsv file. Detection could choose the comma if the texts contain many commas. */
const tabOf = (path: string, text: string): { delimiter?: string } =>
  /\.tsv(\.gz)?$/i.test(path) && text.slice(0, text.indexOf('\n') + 1 || undefined).includes('\t')
    ? { delimiter: '\t' }
    : {};

/**
 * Reads and decompresses a file. The fingerprint is that of the compressed file.
 * @param advice what to do about a file that is too large
 */
function readBytes(path: string, advice: string): { bytes: Uint8Array; fingerprint: string } {
  try {
    const bytes = readFileSync(path);
    return {
      bytes: unzip(bytes, path, advice),
      fingerprint: createHash('sha256').update(bytes).digest('hex'),
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_FS_FILE_TOO_LARGE') throw tooLarge(path, advice);
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
}

/** Decompresses gzip; returns other bytes unchanged. */
function unzip(bytes: Uint8Array, source: string, advice: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: constants.MAX_STRING_LENGTH });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(source, advice);
    throw new UsageError(`${source}: the gzip file is truncated or damaged and cannot be decompressed.`);
  }
}

const TABLE_ADVICE =
  'Remove columns and rows that are not needed. unroll forecast, predict, evaluate and inspect can do so with a query, in ' +
  'which the file is the table "data": --sql "select day, sum(units) as units from data group by day".';
const TEXT_ADVICE = 'Split the file, or shorten it.';

const tooLarge = (path: string, advice: string): UsageError =>
  new UsageError(`${path} is too large to load. ${advice}`);
