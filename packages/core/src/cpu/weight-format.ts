/** The format of the packed weights of the recurrent kernels. Pages that only run models use only float32. */
import type { KernelModule } from '@unroll/kernels';
import type { Block, ForwardCall, WeightFormatName } from '../backend.js';
import type { CpuBlock } from './block.js';

/** Records that `format` represents every value of the block exactly, until the next write to its allocation. */
export function setFormat(block: Block, format: WeightFormatName): void {
  const { at, root } = block as CpuBlock;
  root.formats?.set(at, { format, version: root.version });
}

function formatOf(block: Block): WeightFormatName {
  const { at, root } = block as CpuBlock;
  const entry = root.formats?.get(at);
  return entry?.version === root.version ? entry.format : 'float32';
}

/** Returns the format of the packed weights of a call. */
export type FormatChoice = (call: ForwardCall, gates: Block | null) => WeightFormatName;

/**
 * Returns a function that chooses float16, which halves the bytes to read, for inference with few rows and large weight
 * matrices whose values it represents exactly.
 */
export function formatChoice({ kernels }: KernelModule): FormatChoice {
  const minWeightsByRows = Array.from({ length: 16 }, (_, rows) => kernels.float16_from(rows));
  return ({ B, W, U }, gates) => {
    const minWeights = minWeightsByRows[B];
    if (gates !== null || !minWeights || W.length + U.length < minWeights) return 'float32';
    return formatOf(W) === 'float16' ? formatOf(U) : 'float32';
  };
}
