/** In which format the fused kernels read their weights. Pages that only run models have float32 alone. */
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
  const known = root.formats?.get(at);
  return known?.version === root.version ? known.format : 'float32';
}

/** The format in which a call reads its weights. */
export type FormatChoice = (call: ForwardCall, gates: Block | null) => WeightFormatName;

/** float16 for inference of few rows with large matrices whose values it represents exactly: half the bytes to read. */
export function formatChoice({ kernels }: KernelModule): FormatChoice {
  const float16From = Array.from({ length: 16 }, (_, rows) => kernels.float16_from(rows));
  return ({ B, W, U }, gates) => {
    const from = float16From[B];
    if (gates !== null || !from || W.length + U.length < from) return 'float32';
    return formatOf(W) === 'float16' ? formatOf(U) : 'float32';
  };
}
