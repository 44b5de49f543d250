/** Blocks of the linear memory of the compiled kernels. */
import type { Block, WeightFormatName } from '../backend.js';

/** A range of an allocation. `address` is in bytes. */
export interface CpuBlock extends Block {
  readonly address: number;
  readonly root: Allocation;
}

export interface Allocation {
  readonly start: number;
  /** The number of writes to the allocation. Packed weights of an earlier version are stale. */
  version: number;
  /** Cached packed weights, for parameters; null for temporary memory. */
  readonly packed: PackedWeights[] | null;
  /**
   * By address of a block: the format that represents its values exactly, and the version for which it was set. Null for
   * temporary memory.
   */
  readonly formats: Map<number, { format: WeightFormatName; version: number }> | null;
}

/** A copy of weights in the layout that a recurrent kernel reads. */
export interface PackedWeights {
  /** The name of the layout, such as `lstm float16`. */
  readonly layout: string;
  /** The blocks of the weights, with the versions that were packed. */
  readonly parts: readonly { readonly address: number; readonly root: Allocation; version: number }[];
  /** The address of the copy. */
  readonly address: number;
}

/** Returns the address of a block; for null, 0 (null in the kernels). */
export function addressOf(block: Block | null): number {
  return block === null ? 0 : (block as CpuBlock).address;
}

/** Records a write to the block, which makes weights packed from it stale. */
export function markDirty(block: Block): void {
  (block as CpuBlock).root.version++;
}
