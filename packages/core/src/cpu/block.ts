/** Blocks of the linear memory of the compiled kernels. */
import type { Block, WeightFormatName } from '../backend.js';

/** A range of an allocation. `root` counts the writes to the allocation, to detect stale packed weights. */
export interface CpuBlock extends Block {
  readonly at: number;
  readonly root: Allocation;
}

export interface Allocation {
  readonly start: number;
  version: number;
  /** Packed forms of resident weights; null for temporary memory. */
  readonly packed: PackedForm[] | null;
  /**
   * By address of a block: the format that represents its values exactly, and the version for which it was set. Null for
   * temporary memory.
   */
  readonly formats: Map<number, { format: WeightFormatName; version: number }> | null;
}

export interface PackedForm {
  /** The kind of packing. */
  readonly form: string;
  /** The source blocks with the versions that were packed. */
  readonly parts: readonly { readonly at: number; readonly root: Allocation; version: number }[];
  readonly at: number;
}

/** Returns the address of a block; for null, 0 (null in the kernels). */
export function address(block: Block | null): number {
  return block === null ? 0 : (block as CpuBlock).at;
}

/** Records a write to the block, which makes weights packed from it stale. */
export function markDirty(block: Block): void {
  (block as CpuBlock).root.version++;
}
