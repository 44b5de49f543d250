/**
 * The allocator of the linear memory of the kernels, for long-lived blocks, and for arenas whose memory is released when a
 * scope closes. Addresses are in bytes and may exceed 2 GiB; all blocks are aligned to 64 bytes.
 */
import type { KernelModule, LinearMemory } from '@unroll/kernels';
import { UnrollError } from '../errors.js';
import { outsideScope } from '../runtime.js';

const ALIGNMENT = 64;
/** The smallest size of a chunk of arena memory, in bytes. */
const MIN_CHUNK = 1 << 20;

interface Range {
  start: number;
  size: number;
}

/** A position in the memory of the arenas. All chunks before index `chunk` are in use, and `used` bytes of that chunk. */
interface Mark {
  chunk: number;
  used: number;
}

export class Heap {
  readonly #memory: LinearMemory;
  readonly #kind: KernelModule['kind'];
  /** Free ranges below `#top`, by address; adjacent ranges are merged. */
  readonly #free: Range[] = [];
  /** The size of each allocated block, by address. */
  readonly #sizes = new Map<number, number>();
  /** The memory of all arenas. Closing an arena keeps its chunks, so that repeated steps allocate nothing. */
  #chunks: Range[] = [];
  /** The position at which each open arena begins, the innermost last. */
  readonly #arenaStarts: Mark[] = [];
  /** The position at which the next temporary block is allocated. */
  #mark: Mark = { chunk: 0, used: 0 };
  #top: number;

  /** @param kind the kind of the kernels; for `wasm`, the out-of-memory error recommends the native backend */
  constructor(memory: LinearMemory, kind: KernelModule['kind'] = 'wasm') {
    this.#memory = memory;
    this.#kind = kind;
    this.#top = align(memory.heapBase);
  }

  /** The number of bytes from the start of the heap to its highest used address. */
  get extent(): number {
    return this.#top - align(this.#memory.heapBase);
  }

  /** Allocates a block and returns its address. */
  allocate(bytes: number): number {
    const start = this.#place(align(Math.max(bytes, 1)));
    if (start !== null) return start;
    throw new UnrollError(
      'memory',
      `Out of memory: another ${megabytes(bytes)} do not fit (${megabytes(this.extent)} in use, limit ` +
        `${megabytes(this.#memory.limit)}). Use a smaller batch or shorter sequences` +
        // WebAssembly has at most 4 GiB; native kernels usually have 16 GiB.
        (this.#kind === 'wasm' ? ', or the native backend.' : '.'),
      { bytes, inUse: this.extent, limit: this.#memory.limit },
    );
  }

  /** Allocates `size` bytes and returns their address, or null if there is not enough memory. */
  #place(size: number): number | null {
    if (size > 8e9) return null; // kernels index the elements of a block with 31-bit integers
    const index = this.#free.findIndex((range) => range.size >= size);
    let start: number;
    if (index >= 0) {
      const range = this.#free[index];
      start = range.start;
      range.start += size;
      range.size -= size;
      if (range.size === 0) this.#free.splice(index, 1);
    } else {
      start = this.#top;
      const end = start + size;
      if (end > this.#memory.limit || !this.#memory.reserve(end)) return null;
      this.#top = end;
    }
    this.#sizes.set(start, size);
    return start;
  }

  /** Frees the block at an address. */
  free(start: number): void {
    const size = this.#sizes.get(start);
    if (size === undefined) return;
    this.#sizes.delete(start);
    let index = this.#free.findIndex((range) => range.start > start);
    if (index < 0) index = this.#free.length;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const joinsBefore = before !== undefined && before.start + before.size === start;
    const joinsAfter = after !== undefined && start + size === after.start;
    if (joinsBefore) {
      before.size += size;
      if (joinsAfter) {
        before.size += after.size;
        this.#free.splice(index, 1);
      }
    } else if (joinsAfter) {
      after.start = start;
      after.size += size;
    } else {
      this.#free.splice(index, 0, { start, size });
    }
    const last = this.#free.at(-1);
    if (last && last.start + last.size === this.#top) {
      this.#top = last.start;
      this.#free.pop();
    }
  }

  /** Opens an arena inside the current one. */
  openArena(): void {
    this.#arenaStarts.push({ ...this.#mark });
  }

  /** Allocates in the innermost arena and returns the address. */
  temporary(bytes: number): number {
    if (this.#arenaStarts.length === 0) throw outsideScope();
    const size = align(Math.max(bytes, 1));
    const mark = this.#mark;
    while (!this.#fits(size)) {
      const next = mark.chunk + (this.#chunks.length > 0 ? 1 : 0);
      if (next === this.#chunks.length) this.#addChunk(size);
      mark.chunk = next;
      mark.used = 0;
    }
    const start = this.#chunks[mark.chunk].start + mark.used;
    mark.used += size;
    return start;
  }

  /** Closes the innermost arena; other arenas can reuse its memory. */
  closeArena(): void {
    this.#mark = this.#arenaStarts.pop()!;
    if (this.#arenaStarts.length > 0 || this.#chunks.length < 2) return;
    // Several chunks are merged into one of the same total size, so that the next scope of this size needs only one.
    let size = 0;
    for (const chunk of this.#chunks) {
      size += chunk.size;
      this.free(chunk.start);
    }
    const start = this.#place(size);
    this.#chunks = start === null ? [] : [{ start, size }];
  }

  #fits(size: number): boolean {
    const chunk = this.#chunks[this.#mark.chunk];
    return chunk !== undefined && this.#mark.used + size <= chunk.size;
  }

  /**
   * Adds a chunk for `needed` bytes. Chunks grow with the total size, so that large steps need few of them; near the limit of
   * the memory, a chunk is only as large as needed.
   */
  #addChunk(needed: number): void {
    const allocated = this.#chunks.reduce((total, chunk) => total + chunk.size, 0);
    const size = align(Math.max(needed, MIN_CHUNK, allocated / 2));
    const start = this.#place(size) ?? this.allocate(needed);
    this.#chunks.push({ start, size: this.#sizes.get(start) as number });
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 2 : 0)} MiB`;
}
