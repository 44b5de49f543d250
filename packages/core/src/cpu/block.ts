/** Memory of the compiled kernels: a stretch of linear memory, and whose it is. */
import type { Block } from '../backend.js';

/** A part of an allocation; `root` counts its writes, so that packed weights know when they are stale. */
export interface CpuBlock extends Block {
  readonly at: number;
  readonly root: Allocation;
}

export interface Allocation {
  readonly start: number;
  version: number;
  /** Null for temporary memory. Packed forms of resident weights. */
  readonly packed: PackedForm[] | null;
  /** Whether float16 holds all values of the matrix at an address, as of a version. Null for temporary memory. */
  readonly halfWeights: Map<number, { version: number; yes: boolean }> | null;
}

export interface PackedForm {
  /** Which packing. */
  readonly form: string;
  /** What it is made from, with the versions that were packed. */
  readonly parts: readonly { readonly at: number; readonly root: Allocation; version: number }[];
  readonly at: number;
}

/** Address of a block; 0, the kernels' null, for none. */
export function address(block: Block | null): number {
  return block === null ? 0 : (block as CpuBlock).at;
}

/** Records a write to the block: weights packed from it become stale. */
export function markDirty(block: Block): void {
  (block as CpuBlock).root.version++;
}
