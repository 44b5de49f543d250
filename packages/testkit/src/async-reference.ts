/** A backend whose memory can only be read asynchronously, as that of a GPU: the reference behind a delay. */
import { type Backend, referenceBackend } from '@unroll/core';
import type { Block } from '@unroll/core/internal';

export interface AsyncReference extends Backend {
  /** Reads so far. */
  reads: number;
}

/** Memory that is given back becomes NaN, so that nothing reads it by accident. */
export function asyncReference(): AsyncReference {
  const { readSync: _, ...reference } = referenceBackend();
  const spoil = (block: Block): void => reference.kernels.fill(block, Number.NaN);
  const arenas: Block[][] = [];
  return {
    ...reference,
    name: 'reference-async',
    description: `${reference.description}, read asynchronously`,
    reads: 0,
    async read(block) {
      this.reads++;
      const values = reference.read(block); // a copy of what it holds now
      await new Promise((resolve) => setTimeout(resolve));
      return values;
    },
    release: spoil,
    temporary(length) {
      const block = reference.temporary(length);
      spoil(block);
      arenas[arenas.length - 1].push(block);
      return block;
    },
    openArena: () => void arenas.push([]),
    closeArena: () => arenas.pop()?.forEach(spoil),
  };
}
