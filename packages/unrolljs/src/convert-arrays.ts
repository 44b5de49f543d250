/** Reads and writes NumPy arrays. */
import { blobSource, bytesSource, type NumpyArray, readNpz as readArrays } from '@unroll/formats/convert';
import { sourceAt } from '#sources';

export { type NumpyArray, writeNpz } from '@unroll/formats/convert';

/**
 * Reads the arrays of an .npz or .npy file by name; the array of an .npy file has the name ''. Arrays of Python objects are
 * refused: nothing is executed.
 * @param source a path (in Node), a URL, bytes, or a File
 * @throws UnrollError `format` for a damaged file, and for arrays of anything but numbers
 */
export async function readNpz(source: string | Uint8Array | Blob): Promise<Map<string, NumpyArray>> {
  if (typeof source === 'string') return readArrays(await sourceAt(source));
  return readArrays(source instanceof Uint8Array ? bytesSource(source) : blobSource(source));
}
