/** Memory of the reference backend: a block is simply an array. */
import type { Block, FloatArray } from '../backend.js';

export interface ArrayBlock extends Block {
  readonly values: FloatArray;
}

export function values(block: Block): FloatArray {
  return (block as ArrayBlock).values;
}
