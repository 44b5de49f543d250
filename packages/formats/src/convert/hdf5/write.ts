/** Writes HDF5 files. */
import type { FloatArray, Shape } from '@unroll/core';
import { discardModule, type Hdf5Module, type Hdf5WriteMetadata, hdf5Module, TYPES } from './module.js';

/** Path of the file in the library's own file system, which is in memory. */
const FILE = '/unroll-write.h5';

export interface Hdf5Writer {
  /** Creates a group, and the groups above it, unless they exist. */
  group(path: string): void;
  /** Writes a dataset (default: of float32 values), and creates the groups above it. */
  dataset(
    path: string,
    shape: Shape,
    values: ArrayLike<number>,
    dtype?: 'float32' | 'int32' | 'uint32',
  ): void;
  /** Writes one string, or a list of strings, as an attribute of a group. */
  strings(path: string, attribute: string, value: string | readonly string[]): void;
}

/** Calls `build`, which writes the content of the file, and returns the bytes of the file. */
export async function writeHdf5(build: (file: Hdf5Writer) => void): Promise<Uint8Array> {
  const module = await hdf5Module();
  try {
    const file = module.open(FILE, module.H5F_ACC_TRUNC, false, -1, -1);
    build(new Writer(module, file));
    module.close_file(file);
    const bytes = module.FS.readFile(FILE);
    module.FS.unlink(FILE);
    return bytes;
  } catch (error) {
    discardModule();
    throw error;
  }
}

class Writer implements Hdf5Writer {
  readonly #module: Hdf5Module;
  readonly #file: bigint;
  readonly #paths = new Set<string>(['']);

  constructor(module: Hdf5Module, file: bigint) {
    this.#module = module;
    this.#file = file;
  }

  group(path: string): void {
    if (this.#paths.has(path)) return;
    this.group(path.slice(0, path.lastIndexOf('/')));
    this.#module.create_group(this.#file, path, false);
    this.#paths.add(path);
  }

  dataset(
    path: string,
    shape: Shape,
    values: ArrayLike<number>,
    dtype: 'float32' | 'int32' | 'uint32' = 'float32',
  ): void {
    this.group(path.slice(0, path.lastIndexOf('/')));
    const bytes = bytesOf(values, dtype);
    const module = this.#module;
    const pointer = module._malloc(Math.max(1, bytes.length));
    module.HEAPU8.set(bytes, pointer);
    try {
      const type = dtype === 'float32' ? TYPES.float : TYPES.integer;
      const metadata = { ...metadataOf(shape), type, size: 4, signed: dtype === 'int32' };
      module.create_dataset(this.#file, path, BigInt(pointer), metadata);
    } finally {
      module._free(pointer);
    }
    this.#paths.add(path);
  }

  strings(path: string, attribute: string, value: string | readonly string[]): void {
    this.group(path);
    const list = typeof value === 'string' ? [value] : value;
    const shape = typeof value === 'string' ? [] : [list.length];
    const metadata = { ...metadataOf(shape), type: TYPES.string, size: 4, vlen: true, cset: 1 };
    this.#module.create_vlen_str_attribute(this.#file, path || '/', attribute, list, metadata);
  }
}

function bytesOf(values: ArrayLike<number>, dtype: 'float32' | 'int32' | 'uint32'): Uint8Array {
  const array: FloatArray | Int32Array | Uint32Array =
    dtype === 'float32'
      ? Float32Array.from(values)
      : dtype === 'int32'
        ? Int32Array.from(values)
        : Uint32Array.from(values);
  return new Uint8Array(array.buffer);
}

function metadataOf(shape: Shape): Omit<Hdf5WriteMetadata, 'type' | 'size'> {
  const extents = shape.map(BigInt);
  return {
    ...{ signed: false, littleEndian: true, vlen: false, shape: extents, maxshape: extents, chunks: null },
    ...{ compression: 0, compression_opts: [], track_order: false },
  };
}
