/** A log that a run appends to, and that a resumed run cuts back to where its checkpoint was. */
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

  /** Nothing is touched before the first append: that replaces an older file, unless the log was resumed. */
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

  /** Puts what was written on disk, so that a checkpoint does not count on what a power failure takes. */
  sync(): void {
    if (!this.#opened) return;
    const file = openSync(this.path, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Goes on after `length` bytes; what follows them goes. Returns what to warn of, or null. */
  resume(length: number): string | null {
    if (length === 0) return null;
    const found = existsSync(this.path) ? statSync(this.path).size : null;
    if (found === null || found < length) {
      const what = found === null ? 'is not there any more' : `has ${found} bytes, and had ${length}`;
      return `The log ${this.path} ${what} when the checkpoint was made: it starts anew.`;
    }
    truncateSync(this.path, length);
    this.#length = length;
    this.#opened = true;
    return null;
  }
}
