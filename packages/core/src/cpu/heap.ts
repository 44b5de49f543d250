/**
 * Memory management over one linear memory (WebAssembly's, or the native addon's of the same shape): blocks that live
 * long, and arenas whose memory is given back at once when a scope closes. Addresses are in bytes and may lie above
 * 2 GiB; all blocks are aligned to 64 bytes.
 */
import type { LinearMemory } from '@unroll/kernels';
import { UnrollError } from '../errors.js';

const ALIGNMENT = 64;
const CHUNK = 1 << 20;

interface Range {
  start: number;
  size: number;
}

interface Arena {
  chunks: Range[];
  /** Index of the chunk in use, and the next free address in it. */
  current: number;
  next: number;
}

export class Heap {
  readonly #memory: LinearMemory;
  /** Free ranges below `#top`, by address, never adjacent. */
  readonly #free: Range[] = [];
  readonly #sizes = new Map<number, number>();
  readonly #arenas: Arena[] = [];
  /** A closed arena's memory, kept for the next scope: steady work allocates nothing. */
  #spare: Range | null = null;
  #top: number;

  constructor(memory: LinearMemory) {
    this.#memory = memory;
    this.#top = align(memory.heapBase);
  }

  /** Bytes between the start of the heap and its highest used address. */
  get extent(): number {
    return this.#top - align(this.#memory.heapBase);
  }

  /** Address of a fresh block. */
  allocate(bytes: number): number {
    const size = align(Math.max(bytes, 1));
    const at = this.#free.findIndex((range) => range.size >= size);
    let start: number;
    if (at >= 0) {
      const range = this.#free[at]!;
      start = range.start;
      range.start += size;
      range.size -= size;
      if (range.size === 0) this.#free.splice(at, 1);
    } else {
      start = this.#top;
      this.#reserve(start + size, bytes);
      this.#top += size;
    }
    this.#sizes.set(start, size);
    return start;
  }

  free(start: number): void {
    const size = this.#sizes.get(start);
    if (size === undefined) return;
    this.#sizes.delete(start);
    let at = this.#free.findIndex((range) => range.start > start);
    if (at < 0) at = this.#free.length;
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const joinsBefore = before !== undefined && before.start + before.size === start;
    const joinsAfter = after !== undefined && start + size === after.start;
    if (joinsBefore) {
      before.size += size;
      if (joinsAfter) {
        before.size += after.size;
        this.#free.splice(at, 1);
      }
    } else if (joinsAfter) {
      after.start = start;
      after.size += size;
    } else {
      this.#free.splice(at, 0, { start, size });
    }
    const last = this.#free.at(-1);
    if (last && last.start + last.size === this.#top) {
      this.#top = last.start;
      this.#free.pop();
    }
  }

  openArena(): void {
    const chunks = this.#spare ? [this.#spare] : [];
    this.#spare = null;
    this.#arenas.push({ chunks, current: 0, next: chunks[0]?.start ?? 0 });
  }

  /** Memory of the innermost arena. */
  temporary(bytes: number): number {
    const arena = this.#arenas.at(-1);
    if (!arena) throw new UnrollError('scope', 'Temporary memory is for use inside a scope.');
    const size = align(Math.max(bytes, 1));
    const chunk = arena.chunks[arena.current];
    if (!chunk || arena.next + size > chunk.start + chunk.size) {
      // Chunks grow with what the scope already holds, so a large step needs few of them.
      const held = arena.chunks.reduce((total, range) => total + range.size, 0);
      const fresh = align(Math.max(size, CHUNK, Math.floor(held / 2)));
      arena.chunks.push({ start: this.allocate(fresh), size: fresh });
      arena.current = arena.chunks.length - 1;
      arena.next = arena.chunks[arena.current]!.start;
    }
    const start = arena.next;
    arena.next += size;
    return start;
  }

  closeArena(): void {
    const { chunks } = this.#arenas.pop()!;
    const spare = this.#spare;
    if (spare) {
      // An inner scope has already left its memory here; keep the larger.
      chunks.push(spare);
      this.#spare = null;
    }
    if (chunks.length === 1) {
      this.#spare = chunks[0]!;
      return;
    }
    // Several chunks become one of their total size, so that the next such scope fits one.
    const total = chunks.reduce((sum, range) => sum + range.size, 0);
    for (const chunk of chunks) this.free(chunk.start);
    if (total > 0 && this.#arenas.length === 0) this.#spare = { start: this.allocate(total), size: total };
    else if (total > 0) this.#spare = null;
  }

  #reserve(end: number, asked: number): void {
    if (end <= this.#memory.limit && this.#memory.reserve(end)) return;
    throw new UnrollError(
      'memory',
      `Out of memory: ${megabytes(asked)} more do not fit (${megabytes(this.extent)} in use, the limit is ` +
        `${megabytes(this.#memory.limit)}). Use a smaller batch or shorter sequences` +
        (this.#memory.limit < 2 ** 33 ? ', or the native backend, which is not bound to 4 GiB.' : '.'),
      { bytes: asked, inUse: this.extent, limit: this.#memory.limit },
    );
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 2 : 0)} MiB`;
}
