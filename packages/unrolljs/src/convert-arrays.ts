/** Reads and writes NumPy arrays. */
import { blobSource, bytesSource, type NumpyArray, readNpz as readArrays } from '@unroll/formats/convert';
import { sourceAt } from '#sources';

export { type NumpyArray, writeNpz } from '@unroll/formats/convert';

/**
 * Reads the arrays of an .npz or .npy file. The keys of the map are their names; the key of the array of an .npy file is ''.
 * Arrays of Python objects are rejected, so nothing in the file is executed.
 * @param source a path (in Node), a URL, bytes, or a File
 * @throws UnrollError `format` for a damaged file, and for arrays of anything but numbers
 */
export async function readNpz(source: string | Uint8Array | Blob): Promise<Map<string, NumpyArray>> {
  if (typeof source === 'string') return readArrays(await sourceAt(source));
  return readArrays(source instanceof Uint8Array ? bytesSource(source) : blobSource(source));
}
