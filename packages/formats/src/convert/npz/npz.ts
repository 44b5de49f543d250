/** Reads and writes NumPy .npz files (zips of arrays), and single .npy files. */
import { type FloatArray, type Shape, UnrollError } from '@unroll/core';
import { toZip } from '../../zip.js';
import { type ByteSource, readAll } from '../source.js';
import { readZipEntry, zipIndex } from '../zip-source.js';
import { type NumpyArray, readNpy, writeNpy } from './npy.js';

/** A decompressed array may have 32 times its compressed size plus this many bytes: zeros compress a thousandfold. */
const MAX_EXTRA = 1 << 22;

/**
 * Returns the arrays of an .npz file, compressed or not, by name. A .npy file has one array, with the name ''.
 * @throws UnrollError `format` for a damaged file or an unsupported data type
 */
export async function readNpz(source: ByteSource): Promise<Map<string, NumpyArray>> {
  const head = await source.read(0, Math.min(4, source.size));
  if (head[0] === 0x93) return new Map([['', readNpy(await readAll(source), source.name)]]);
  if (head[0] !== 0x50)
    throw new UnrollError('format', `${source.name} is neither an .npz nor an .npy file.`);
  const arrays = new Map<string, NumpyArray>();
  for (const [file, entry] of await zipIndex(source, { maxExtra: MAX_EXTRA })) {
    if (!file.endsWith('.npy'))
      throw new UnrollError('format', `${source.name} contains ${file}, which is not an array.`);
    arrays.set(file.slice(0, -4), readNpy(await readZipEntry(source, entry), `${source.name}: ${file}`));
  }
  return arrays;
}

/** Returns the bytes of an uncompressed .npz file, which NumPy reads with `np.load`. */
export function writeNpz(arrays: ReadonlyMap<string, { shape: Shape; values: FloatArray }>): Uint8Array {
  return toZip(
    new Map([...arrays].map(([name, { shape, values }]) => [`${name}.npy`, writeNpy(values, shape)])),
  );
}
