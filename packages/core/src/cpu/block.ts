/** Memory of the compiled kernels: a range of linear memory and its owner. */
import type { Block, WeightFormatName } from '../backend.js';

/** A part of an allocation. `root` counts its writes, which shows when packed weights are stale. */
export interface CpuBlock extends Block {
  readonly at: number;
  readonly root: Allocation;
}

export interface Allocation {
  readonly start: number;
  version: number;
  /** Packed forms of resident weights; null for temporary memory. */
  readonly packed: PackedForm[] | null;
  /** The format that represents the values of the block at an address exactly, for a version. Null for temporary memory. */
  readonly formats: Map<number, { format: WeightFormatName; version: number }> | null;
}

export interface PackedForm {
  /** The kind of packing. */
  readonly form: string;
  /** The source blocks with the versions that were packed. */
  readonly parts: readonly { readonly at: number; readonly root: Allocation; version: number }[];
  readonly at: number;
}

/** Address of a block; 0 (the kernels' null) for null. */
export function address(block: Block | null): number {
  return block === null ? 0 : (block as CpuBlock).at;
}

/** Records a write to the block: weights packed from it become stale. */
export function markDirty(block: Block): void {
  (block as CpuBlock).root.version++;
}
