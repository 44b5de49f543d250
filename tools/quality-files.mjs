// Reads the data files of tools/quality.mjs, which may be compressed with gzip.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decodeText } from '@unroll/data';

/** Returns the bytes of a file, decompressed. */
export const bytesOf = (path) => {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
};

/** Returns the text of a file, decompressed; the encoding is detected. */
export const textOf = (path) => decodeText(bytesOf(path), path).text;
