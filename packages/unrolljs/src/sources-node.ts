/**
 * Opens files of other tools in Node: by path or URL. Separate from files-node.ts, because `unrolljs/infer` must not
 * contain this code.
 */
import { open, stat } from 'node:fs/promises';
import type { ByteSource } from '@unroll/formats/convert';

const URL_START = /^https?:/;

/** Opens the model at a path or a URL. */
export const sourceAt = async (path: string): Promise<ByteSource> =>
  URL_START.test(path)
    ? (await import('@unroll/formats/convert')).urlSource(path)
    : (await import('@unroll/formats/convert/node')).modelSource(path);

/** Returns the first bytes of a file; an empty array for a URL; null for a folder, or if there is no file. */
export async function headAt(path: string, length: number): Promise<Uint8Array | null> {
  if (URL_START.test(path)) return new Uint8Array();
  const stats = await stat(path).catch(() => null);
  if (!stats?.isFile()) return null;
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
