/** A variant of the reference backend whose memory can be read only asynchronously, like the memory of a GPU. */
import { type Backend, referenceBackend } from '@unroll/core';
import type { Block } from '@unroll/core/internal';

export interface AsyncReference extends Backend {
  /** Number of calls of `read` so far. */
  reads: number;
}

/** Returns a new backend. It fills temporary and released memory with NaN, which exposes reads before a write or after a release. */
export function asyncReference(): AsyncReference {
  const { readSync: _, ...reference } = referenceBackend();
  const fillWithNaN = (block: Block): void => reference.kernels.fill(block, Number.NaN);
  const arenas: Block[][] = [];
  return {
    ...reference,
    name: 'reference-async',
    description: `${reference.description}, read asynchronously`,
    reads: 0,
    async read(block) {
      this.reads++;
      const values = reference.read(block); // a copy of the current values
      await new Promise((resolve) => setTimeout(resolve));
      return values;
    },
    release: fillWithNaN,
    temporary(length) {
      const block = reference.temporary(length);
      fillWithNaN(block);
      arenas[arenas.length - 1].push(block);
      return block;
    },
    openArena: () => void arenas.push([]),
    closeArena: () => arenas.pop()?.forEach(fillWithNaN),
  };
}
