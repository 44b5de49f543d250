/**
 * Chooses the format, float32 or float16, of the packed weights of a recurrent kernel. Pages that only run models do not contain
 * this file: they use float32.
 */
import type { KernelModule } from '@unroll/kernels';
import type { Block, RecurrentForwardCall, WeightFormatName } from '../backend.js';
import type { CpuBlock } from './block.js';

/** Records that `format` represents every value of the block exactly, until the next write to its allocation. */
export function setFormat(block: Block, format: WeightFormatName): void {
  const { address, root } = block as CpuBlock;
  root.formats?.set(address, { format, version: root.version });
}

function formatOf(block: Block): WeightFormatName {
  const { address, root } = block as CpuBlock;
  const entry = root.formats?.get(address);
  return entry?.version === root.version ? entry.format : 'float32';
}

/** Returns the format of the packed weights of a call. `gates` is null in inference. */
export type FormatChoice = (call: RecurrentForwardCall, gates: Block | null) => WeightFormatName;

/**
 * Returns a function that chooses float16, which halves the bytes to read, for inference with a small batch and large weight
 * matrices whose values float16 represents exactly. In all other cases, the function chooses float32.
 */
export function formatChoice({ kernels }: KernelModule): FormatChoice {
  const minWeightsByBatchSize = Array.from({ length: 16 }, (_, batchSize) => kernels.float16_from(batchSize));
  return ({ B, W, U }, gates) => {
    const minWeights = minWeightsByBatchSize[B];
    if (gates !== null || !minWeights || W.length + U.length < minWeights) return 'float32';
    return formatOf(W) === 'float16' ? formatOf(U) : 'float32';
  };
}
