/**
 * Reads HDF5 files. Only groups, datasets and attributes that are inside the file are read: soft links, external links,
 * virtual datasets and data in other files are refused. Sizes are checked before anything is allocated.
 */
import { type FloatArray, type Shape, UnrollError } from '@unroll/core';
import { fromFloat16Bits } from '@unroll/core/internal';
import { damagedHeap } from './heaps.js';
import { discardModule, type Hdf5Metadata, type Hdf5Module, hdf5Module, TYPES } from './module.js';

/** The content of a file, readable while {@link readHdf5} runs. Paths have the form `/layers/dense/vars/0`. */
export interface Hdf5Reader {
  /** Returns the names in a group. @throws UnrollError `format` if there is no such group */
  keys(group: string): string[];
  /** Returns the kind of the object at a path; null if there is no group or dataset. @throws UnrollError `format` for a link */
  kind(path: string): 'group' | 'dataset' | null;
  /** Returns the strings of an attribute; null if it is missing or has another type. */
  strings(path: string, attribute: string): string[] | null;
  /** Returns the shape and the data type of a dataset. @throws UnrollError `format` if there is no such dataset */
  describe(path: string): Hdf5Array;
  /** Returns a dataset with its values. @throws UnrollError `format` if it is missing, damaged, too large or not numeric */
  read(path: string): Hdf5Array & { values: FloatArray };
}

export interface Hdf5Array {
  shape: Shape;
  /** `float16`, `bfloat16`, `float32`, `float64`, or `int32`, `uint8`, ... */
  dtype: string;
}

/** All values read from a file may take up MAX_RATIO times its size (data may be compressed) plus MAX_EXTRA bytes. */
const MAX_RATIO = 4;
const MAX_EXTRA = 1 << 24;
/** The library's memory may grow to this many bytes, plus {@link MAX_RATIO} times the size of the file. */
const LIBRARY_MEMORY = 1 << 26;
const MAX_OBJECTS = 100_000;
const MAX_STRINGS = 100_000;
const MAX_TEXT = 1 << 26;
/** Path of the file in the library's own file system, which is in memory. */
const FILE = '/unroll.h5';
const [GROUP, DATASET] = [0, 1];

/** The first bytes of every HDF5 file. */
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

export function isHdf5(head: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => head[i] === byte);
}

/**
 * Opens a file, calls `use` with its content, and returns the result.
 * @param name the name of the file, for error messages
 * @throws UnrollError `format` if the file is damaged
 */
export async function readHdf5<T>(bytes: Uint8Array, name: string, use: (file: Hdf5Reader) => T): Promise<T> {
  if (!isHdf5(bytes)) throw hdf5Error(name, 'it does not begin like an HDF5 file');
  const heap = damagedHeap(bytes);
  if (heap !== null) throw hdf5Error(name, `the heap at byte ${heap} is damaged`, { heap });
  const module = await hdf5Module();
  return withLimitedMemory(LIBRARY_MEMORY + MAX_RATIO * bytes.length, () => {
    let file: bigint | null = null;
    try {
      module.FS.writeFile(FILE, bytes, { canOwn: true });
      file = module.open(FILE, module.H5F_ACC_RDONLY, false, -1, -1);
      if (file < 0n) throw hdf5Error(name, 'it is damaged');
      return use(new Reader(module, file, name, bytes.length));
    } catch (error) {
      if (error instanceof UnrollError) throw error;
      throw hdf5Error(name, `it is damaged (${(error as Error)?.message?.split('\n')[0] ?? String(error)})`);
    } finally {
      close(module, file);
    }
  });
}

/** Closes the file. Discards the instance of the library if closing fails or if its memory has become large. */
function close(module: Hdf5Module, file: bigint | null): void {
  try {
    if (file !== null && file >= 0n) module.close_file(file);
    module.FS.unlink(FILE);
    if (module.HEAPU8.length > 2 * LIBRARY_MEMORY) discardModule();
  } catch {
    discardModule();
  }
}

/** Runs `work`, which is synchronous. Until it ends, no WebAssembly memory can grow beyond `limit` bytes. */
function withLimitedMemory<T>(limit: number, work: () => T): T {
  const prototype = WebAssembly.Memory.prototype;
  const { grow } = prototype;
  prototype.grow = function (this: WebAssembly.Memory, pages: number) {
    if (this.buffer.byteLength + pages * 65536 > limit)
      throw new RangeError(`memory limit of ${limit} bytes`);
    return grow.call(this, pages);
  };
  try {
    return work();
  } finally {
    prototype.grow = grow;
  }
}

function hdf5Error(name: string, problem: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('format', `${name} cannot be read: ${problem}.`, data);
}

class Reader implements Hdf5Reader {
  readonly #module: Hdf5Module;
  readonly #file: bigint;
  readonly #name: string;
  readonly #limit: number;
  readonly #kinds = new Map<string, 'group' | 'dataset' | null>([['/', 'group']]);
  #objects = 0;
  #bytesRead = 0;

  constructor(module: Hdf5Module, file: bigint, name: string, size: number) {
    this.#module = module;
    this.#file = file;
    this.#name = name;
    this.#limit = MAX_RATIO * size + MAX_EXTRA;
  }

  keys(group: string): string[] {
    if (this.kind(group) !== 'group') throw hdf5Error(this.#name, `it has no group ${group}`, { group });
    const names = this.#module.get_names(this.#file, group, false);
    this.#objects += names.length;
    if (this.#objects > MAX_OBJECTS) throw hdf5Error(this.#name, `it has more than ${MAX_OBJECTS} objects`);
    return names;
  }

  kind(path: string): 'group' | 'dataset' | null {
    const known = this.#kinds.get(path);
    if (known !== undefined) return known;
    const parent = path.slice(0, path.lastIndexOf('/')) || '/';
    const kind = this.kind(parent) === 'group' ? this.#kindOf(path) : null;
    this.#kinds.set(path, kind);
    return kind;
  }

  #kindOf(path: string): 'group' | 'dataset' | null {
    const [module, file] = [this.#module, this.#file];
    const type = module.get_type(file, path);
    if (type === -1) return null;
    if (module.get_symbolic_link(file, path) !== null)
      throw hdf5Error(this.#name, `${path} is a soft link, and links are not followed`, { path });
    if (module.get_external_link(file, path).filename !== undefined)
      throw hdf5Error(this.#name, `${path} refers to another file, and links are not followed`, { path });
    return type === GROUP ? 'group' : type === DATASET ? 'dataset' : null;
  }

  strings(path: string, attribute: string): string[] | null {
    const [module, file] = [this.#module, this.#file];
    if (this.kind(path) === null || !module.get_attribute_names(file, path).includes(attribute)) return null;
    const metadata = module.get_attribute_metadata(file, path, attribute);
    const { shape, total_size: count, size, vlen } = metadata;
    if (shape === null || count === 0) return [];
    if (metadata.type !== TYPES.string) return null;
    if (count > MAX_STRINGS || count * size > MAX_TEXT)
      throw hdf5Error(this.#name, `the attribute ${attribute} of ${path} is too large`, { attribute, path });
    return this.#withMemory(count * size, (pointer) => {
      if (module.get_attribute_data(file, path, attribute, BigInt(pointer)) < 0)
        throw hdf5Error(this.#name, `the attribute ${attribute} of ${path} is damaged`, { attribute, path });
      const bytes = module.HEAPU8.slice(pointer, pointer + count * size);
      if (!vlen)
        return Array.from({ length: count }, (_, i) => textOf(bytes.subarray(i * size, (i + 1) * size)));
      const texts = Array.from(new Uint32Array(bytes.buffer), (at) => this.#text(at));
      module.reclaim_vlen_memory(file, path, attribute, BigInt(pointer));
      return texts;
    });
  }

  /** Returns the string in the library's memory from `pointer` to the next zero byte. */
  #text(pointer: number): string {
    if (pointer === 0) return '';
    const heap = this.#module.HEAPU8;
    const end = heap.indexOf(0, pointer);
    if (pointer >= heap.length || end < 0 || end - pointer > MAX_TEXT)
      throw hdf5Error(this.#name, 'a string is damaged');
    return textOf(heap.subarray(pointer, end));
  }

  describe(path: string): Hdf5Array {
    const metadata = this.#metadata(path);
    return { shape: metadata.shape ?? [], dtype: this.#dtypeOf(path, metadata) };
  }

  read(path: string): Hdf5Array & { values: FloatArray } {
    const [module, file] = [this.#module, this.#file];
    const metadata = this.#metadata(path);
    const { total_size: count, size } = metadata;
    const dtype = this.#dtypeOf(path, metadata);
    this.#bytesRead += count * size;
    if (!(this.#bytesRead <= this.#limit))
      throw hdf5Error(this.#name, `${path} has more values than the file can contain`, { path, count, size });
    const shape = metadata.shape ?? [];
    const values = this.#withMemory(count * size, (pointer) => {
      if (count > 0 && module.get_dataset_data(file, path, null, null, null, BigInt(pointer)) < 0)
        throw hdf5Error(this.#name, `${path} is damaged`, { path });
      const bytes = module.HEAPU8.slice(pointer, pointer + count * size);
      return numbersOf(isBigEndian(metadata) ? reversed(bytes, size) : bytes, dtype);
    });
    if (values === null)
      throw hdf5Error(this.#name, `${path} has the data type ${dtype}, which is not numeric`, {
        path,
        dtype,
      });
    return { shape, dtype, values };
  }

  #metadata(path: string): Hdf5Metadata {
    if (this.kind(path) !== 'dataset') throw hdf5Error(this.#name, `it has no dataset ${path}`, { path });
    const metadata = this.#module.get_dataset_metadata(this.#file, path);
    if (metadata.virtual_sources)
      throw hdf5Error(this.#name, `${path} is a virtual dataset, whose values are elsewhere`, { path });
    return metadata;
  }

  /**
   * Returns the data type of a dataset. HDF5 has no bfloat16: Keras writes opaque values of 2 bytes. In `.keras` files, Keras
   * marks them by the attribute `dtype`. In `.h5` files they are not marked, and Keras cannot read them.
   */
  #dtypeOf(path: string, { type, size, signed }: Hdf5Metadata): string {
    if (size === 2 && type === TYPES.opaque) return 'bfloat16';
    if (size === 2 && this.strings(path, 'dtype')?.[0] === 'bfloat16') return 'bfloat16';
    if (type === TYPES.float) return `float${8 * size}`;
    if (type === TYPES.integer) return `${signed ? '' : 'u'}int${8 * size}`;
    if (type === TYPES.enumeration && size === 1) return 'uint8';
    return type === TYPES.string ? 'string' : `class ${type}`;
  }

  #withMemory<T>(bytes: number, use: (pointer: number) => T): T {
    const module = this.#module;
    const pointer = module._malloc(Math.max(1, bytes));
    if (pointer === 0) throw hdf5Error(this.#name, 'it needs too much memory', { bytes });
    try {
      return use(pointer);
    } finally {
      module._free(pointer);
    }
  }
}

const textOf = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes.slice() : bytes.slice(0, end));
};

/** h5py stores bfloat16 as opaque values, which have no byte order. */
const isBigEndian = ({ type, littleEndian }: Hdf5Metadata): boolean =>
  !littleEndian && (type === TYPES.float || type === TYPES.integer);

/** Returns a copy in which the bytes of each element have the opposite order. */
function reversed(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = bytes[i - (i % size) + size - 1 - (i % size)];
  return out;
}

/** Converts little-endian bytes to numbers. Returns null if the data type is not numeric. */
function numbersOf({ buffer }: Uint8Array<ArrayBuffer>, dtype: string): FloatArray | null {
  if (dtype === 'float32') return new Float32Array(buffer);
  if (dtype === 'float64') return new Float64Array(buffer);
  if (dtype === 'float16') return Float32Array.from(new Uint16Array(buffer), fromFloat16Bits);
  if (dtype === 'bfloat16')
    return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
  const integers = {
    ...{ int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array },
    ...{ int32: Int32Array, uint32: Uint32Array },
  }[dtype];
  if (integers) return Float64Array.from(new integers(buffer));
  const large = { int64: BigInt64Array, uint64: BigUint64Array }[dtype];
  return large ? Float64Array.from(new large(buffer), Number) : null;
}
