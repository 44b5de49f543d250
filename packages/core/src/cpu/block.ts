/** Memory of the compiled kernels: a range of linear memory and its owner. */
import type { Block, WeightFormatName } from '../backend.js';
import { FLOAT } from './memory.js';

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
  /** The blocks whose values a narrower format represents exactly, by address. Null for temporary memory. */
  readonly formats: Map<number, { readonly length: number; readonly format: WeightFormatName }> | null;
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

/** Records a write to the block: weights packed from it become stale, and its values are float32 again. */
export function markDirty(block: Block): void {
  const { at, length, root } = block as CpuBlock;
  root.version++;
  if (!root.formats?.size) return;
  for (const [start, known] of root.formats) {
    if (start < at + length * FLOAT && at < start + known.length * FLOAT) root.formats.delete(start);
  }
}

/** Records that `format` represents every value of the block exactly, until the block's next write. */
export function setFormat({ at, length, root }: CpuBlock, format: WeightFormatName): void {
  if (format === 'float32') root.formats?.delete(at);
  else root.formats?.set(at, { length, format });
}

/** The narrowest format that is known to represent the values exactly. */
export function formatOf({ at, length, root }: CpuBlock): WeightFormatName {
  const known = root.formats?.get(at);
  return known?.length === length ? known.format : 'float32';
}
