/**
 * Opens files of other tools in browsers: by URL. Separate from files-browser.ts, because `unrolljs/infer` must not
 * contain this code.
 */
import type { ByteSource } from '@unroll/formats/convert';

/** Opens the model at a URL. */
export const sourceAt = async (address: string): Promise<ByteSource> =>
  (await import('@unroll/formats/convert')).urlSource(address);

const FOREIGN_FILE = /\.(keras|h5|hdf5|onnx|pth?|ckpt|bin|safetensors|json)(?:[?#].*)?$/i;

/**
 * Returns an empty array for a file of another tool; null for a folder or a zip of Unroll. Unlike in Node, no bytes are read:
 * the extension decides, so that an artifact needs no additional request.
 */
export const headAt = async (address: string, _length: number): Promise<Uint8Array | null> =>
  FOREIGN_FILE.test(address) ? new Uint8Array() : null;
