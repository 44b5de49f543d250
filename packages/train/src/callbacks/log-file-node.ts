/** A log that a run appends to. A resumed run truncates it to its length at the checkpoint. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

export class LogFile {
  readonly path: string;
  #length = 0;
  #opened = false;

  /** The first append replaces an older file, unless the log was resumed. */
  constructor(path: string) {
    this.path = path;
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array | string): void {
    if (!this.#opened) {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(this.path, '');
      this.#opened = true;
    }
    appendFileSync(this.path, bytes);
    this.#length += Buffer.byteLength(bytes);
  }

  /** Flushes the file to disk, so that a power failure cannot lose lines that a checkpoint counts. */
  sync(): void {
    if (!this.#opened) return;
    const file = openSync(this.path, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Truncates the log to `length` bytes and appends from there. Returns a warning, or null. */
  resume(length: number): string | null {
    if (length === 0) return null;
    const found = existsSync(this.path) ? statSync(this.path).size : null;
    if (found === null || found < length) {
      const what = found === null ? 'no longer exists' : `has ${found} bytes`;
      return `The log ${this.path} ${what}, but had ${length} bytes at the checkpoint: a new log is started.`;
    }
    truncateSync(this.path, length);
    this.#length = length;
    this.#opened = true;
    return null;
  }
}
