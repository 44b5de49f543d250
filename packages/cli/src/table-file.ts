/** A table from a file: what it is, is told from its bytes, not from its name. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decodeText, looksLikeJson, parseCsv, parseJsonLines, type Table } from '@unroll/data';
import { looksLikeParquet, parseParquet } from '@unroll/data/parquet';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';

/** A table, and what was found out about its file, for people. */
export interface FileTable {
  table: Table;
  notes: string[];
  /** SHA-256 of the file. */
  fingerprint: string;
}

/**
 * Reads CSV, JSON lines, a JSON array or Parquet; any of them compressed with gzip, text in UTF-8, UTF-16 or Windows-1252.
 * @throws UsageError when the file cannot be read, UnrollError when what it holds is no table
 */
export async function readTable(path: string): Promise<FileTable> {
  const packed = readBytes(path);
  const fingerprint = createHash('sha256').update(packed).digest('hex');
  const bytes = unzipped(packed, path);
  if (looksLikeParquet(bytes)) {
    return { table: await parseParquet(bytes, { source: path }), notes: [], fingerprint };
  }
  const { text, encoding } = decodeText(bytes, path);
  const notes = encoding === 'UTF-8' ? [] : [`The file is read as ${encoding}.`];
  const table = looksLikeJson(text)
    ? parseJsonLines(text, { source: path })
    : parseCsv(text, { source: path });
  return { table, notes, fingerprint };
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
}

function unzipped(bytes: Uint8Array, source: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch {
    throw new UsageError(`${source} begins as a gzip file and cannot be unpacked: it is cut off or damaged.`);
  }
}
