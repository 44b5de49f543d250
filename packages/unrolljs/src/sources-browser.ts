/** Opens files of other tools in browsers: by URL. Apart from files-browser.ts, so that `unrolljs/infer` has none of it. */
import type { ByteSource } from '@unroll/formats/convert';

/** Opens the model at a URL. */
export const sourceAt = async (address: string): Promise<ByteSource> =>
  (await import('@unroll/formats/convert')).urlSource(address);

const OTHER_FILE = /\.(keras|h5|hdf5|onnx|pth?|ckpt|bin|safetensors|json)(?:[?#].*)?$/i;

/**
 * Returns the first bytes of a file; null for a folder, or a zip of Unroll. In a page, extensions tell them apart, so that
 * an artifact needs no additional request.
 */
export const headAt = async (address: string, _length: number): Promise<Uint8Array | null> =>
  OTHER_FILE.test(address) ? new Uint8Array() : null;
