/** Reads parts of a model file: bytes in memory, a Blob or a File. For URLs, see source-url.ts; for disks, source-node.ts. */
import { UnrollError, valueError } from '@unroll/core';

/** A file that can be read in parts, so that a header can be read without the weights. */
export interface ByteSource {
  /** The file's name or URL, for error messages. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Reads the bytes from `begin` up to, but not including, `end`.
   * @throws UnrollError `format` if the range is outside the file
   */
  read(begin: number, end: number): Promise<Uint8Array>;
  /** Opens a file that this file refers to, by its path relative to this file's folder. Default: there is no other file. */
  sibling?(path: string): Promise<ByteSource>;
}

/** Reads from bytes in memory. The parts are views, not copies. */
export function bytesSource(bytes: Uint8Array, name = 'The file'): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(begin, end) {
      checkRange(this, begin, end);
      return bytes.subarray(begin, end);
    },
  };
}

/** Reads from a Blob or a File, for example a file dropped on a page. */
export function blobSource(blob: Blob & { readonly name?: string }): ByteSource {
  return {
    name: blob.name ?? 'The file',
    size: blob.size,
    async read(begin, end) {
      checkRange(this, begin, end);
      return new Uint8Array(await blob.slice(begin, end).arrayBuffer());
    },
  };
}

/** Checks a range of bytes. @throws UnrollError `format` if it exceeds the file, `value` if it is not valid */
export function checkRange({ name, size }: ByteSource, begin: number, end: number): void {
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || begin < 0 || end < begin) {
    throw valueError(`${name}: the range ${begin} to ${end} is not a range of bytes.`, { begin, end });
  }
  if (end <= size) return;
  throw new UnrollError('format', `${name} is truncated: it has ${size} bytes, and byte ${end} is needed.`, {
    size,
    end,
  });
}

/** Reads the whole file. */
export function readAll(source: ByteSource): Promise<Uint8Array> {
  return source.read(0, source.size);
}
