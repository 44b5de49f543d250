// Reads the data files of tools/quality.mjs, which may be compressed with gzip.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decodeText } from '@unroll/data';

export const bytesOf = (path) => {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
};

export const textOf = (path) => decodeText(bytesOf(path), path).text;
