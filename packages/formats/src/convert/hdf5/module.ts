/**
 * Loads the HDF5 library (h5wasm: the HDF5 C library, compiled to WebAssembly) when the first file is opened. The build
 * with a file system in memory is used everywhere, also in Node, so no file can refer to another one on the disk.
 *
 * A damaged file can stop the library in the middle of an operation (abort, memory access out of bounds). The instance is
 * then discarded with its memory. In Node, the next file gets a new instance; a web page has only one instance.
 */
import { UnrollError } from '@unroll/core';

/** A data type and a data space, as the library describes them. */
export interface Hdf5Metadata {
  /** Class of the data type; see {@link TYPES}. */
  type: number;
  /** Bytes per element. */
  size: number;
  signed: boolean;
  littleEndian: boolean;
  /** True for strings of variable length. */
  vlen: boolean;
  /** Character set of strings: 0 for ASCII, 1 for UTF-8. */
  cset?: number;
  /** Null: an empty data space. */
  shape: number[] | null;
  /** Number of elements. */
  total_size: number;
  virtual_sources?: unknown[];
  chunks?: number[] | null;
}

export const TYPES = { integer: 0, float: 1, string: 3, opaque: 5, enumeration: 8 } as const;

/** The functions of the library that this package uses. Paths are absolute. */
export interface Hdf5Module {
  HEAPU8: Uint8Array;
  FS: {
    writeFile(path: string, bytes: Uint8Array, options?: { canOwn?: boolean }): void;
    readFile(path: string): Uint8Array;
    unlink(path: string): void;
  };
  H5F_ACC_RDONLY: number;
  H5F_ACC_TRUNC: number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  UTF8ToString(pointer: number): string;
  open(path: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(file: bigint): number;
  get_type(file: bigint, path: string): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_symbolic_link(file: bigint, path: string): string | null;
  get_external_link(file: bigint, path: string): { filename?: string };
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): Hdf5Metadata;
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number;
  get_dataset_metadata(file: bigint, path: string): Hdf5Metadata;
  get_dataset_data(
    file: bigint,
    path: string,
    count: bigint[] | null,
    offset: bigint[] | null,
    strides: bigint[] | null,
    pointer: bigint,
  ): number;
  reclaim_vlen_memory(file: bigint, path: string, attribute: string, pointer: bigint): number;
  create_group(file: bigint, path: string, trackOrder: boolean): number;
  create_attribute(
    file: bigint,
    path: string,
    name: string,
    pointer: bigint,
    metadata: Hdf5WriteMetadata,
  ): number;
  create_vlen_str_attribute(
    file: bigint,
    path: string,
    name: string,
    values: readonly string[],
    metadata: Hdf5WriteMetadata,
  ): number;
  create_dataset(file: bigint, path: string, pointer: bigint, metadata: Hdf5WriteMetadata): number;
}

export interface Hdf5WriteMetadata {
  type: number;
  size: number;
  signed: boolean;
  littleEndian: boolean;
  vlen: boolean;
  cset?: number;
  shape: bigint[];
  maxshape: bigint[];
  chunks: null;
  compression: number;
  compression_opts: number[];
  track_order: boolean;
}

type Factory = (options: object) => Promise<Hdf5Module>;

let current: Promise<Hdf5Module> | null = null;
/** True after an instance was discarded. A web page has only one instance. */
let isDiscarded = false;

/** Returns the current instance, or a new one. @throws UnrollError `state` in a web page whose instance was discarded */
export function hdf5Module(): Promise<Hdf5Module> {
  current ??= instantiate();
  current.catch(() => {
    current = null;
  });
  return current;
}

/** Discards the instance, because a file stopped it or its memory has become large. */
export function discardModule(): void {
  current = null;
  isDiscarded = true;
}

async function instantiate(): Promise<Hdf5Module> {
  const quiet = { noInitialRun: true, print() {}, printErr() {} };
  const url = moduleUrl();
  if (url) return ((await import(url)) as { default: Factory }).default(quiet);
  if (isDiscarded) {
    throw new UnrollError(
      'state',
      'No further HDF5 file can be opened after a damaged or very large one. Reload the page.',
    );
  }
  const loading = quietLibrary();
  try {
    const { ready } = (await import('h5wasm')) as unknown as { ready: Promise<Hdf5Module> };
    return await ready;
  } finally {
    loading.end();
  }
}

/**
 * While the library is loaded, replaces `console.error` by a function that becomes silent when loading ends. The library
 * keeps a reference to this function, and calls it to print its error stack when a file is damaged. That output is not
 * needed, because the thrown error already describes the damage.
 */
function quietLibrary(): { end(): void } {
  const { error } = console;
  let isLoading = true;
  console.error = (...values) => {
    if (isLoading) error.apply(console, values);
  };
  return {
    end() {
      isLoading = false;
      console.error = error;
    },
  };
}

/**
 * Returns the URL of the module that creates instances of the library; null outside Node. h5wasm does not export this module,
 * so bundlers for browsers cannot resolve it. A web page therefore uses the single instance that h5wasm exports.
 */
function moduleUrl(): string | null {
  const { versions } = (globalThis as { process?: { versions?: { node?: string } } }).process ?? {};
  if (!versions?.node) return null;
  return new URL('./hdf5_util.js', import.meta.resolve('h5wasm')).href;
}
