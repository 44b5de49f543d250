/** Memory of the reference backend: every block is a typed array. */
import type { Block, FloatArray } from '../backend.js';

export interface ArrayBlock extends Block {
  readonly values: FloatArray;
}

/** Returns the array of a block of the reference backend. */
export function values(block: Block): FloatArray {
  return (block as ArrayBlock).values;
}
