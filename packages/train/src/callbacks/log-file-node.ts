/** A log file that a run appends to. A resumed run first truncates the log to its length at the checkpoint. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { createFolder } from '@unroll/core/node';

export class LogFile {
  readonly path: string;
  #length = 0;
  #opened = false;

  /** The first append replaces an existing file, unless `resume` was called before. */
  constructor(path: string) {
    this.path = path;
  }

  /** Length in bytes. */
  get length(): number {
    return this.#length;
  }

  /** Appends to the file; creates the file and its folder first if necessary. */
  append(bytes: Uint8Array | string): void {
    if (!this.#opened) {
      createFolder(dirname(this.path));
      writeFileSync(this.path, '');
      this.#opened = true;
    }
    appendFileSync(this.path, bytes);
    this.#length += Buffer.byteLength(bytes);
  }

  /** Flushes the file to disk, so that a power failure cannot lose bytes that the next checkpoint counts as written. */
  sync(): void {
    if (!this.#opened) return;
    const file = openSync(this.path, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /**
   * Truncates the log to `length` bytes, so that the next append continues there. Returns a warning if the file is shorter
   * or missing, otherwise null.
   */
  resume(length: number): string | null {
    if (length === 0) return null;
    const size = existsSync(this.path) ? statSync(this.path).size : null;
    if (size === null || size < length) {
      const problem = size === null ? 'no longer exists' : `has ${size} bytes`;
      return `The log ${this.path} ${problem}, but had ${length} bytes at the checkpoint. A new log is started.`;
    }
    truncateSync(this.path, length);
    this.#length = length;
    this.#opened = true;
    return null;
  }
}
