// Where kernels that take a struct read it: see calls.generated.ts.
import { callSlots, type Pointer } from './interface.generated.js';

export type Slots = Float64Array | Int32Array | Float32Array;

/** Bytes of the call area. */
export const CALL_BYTES = 8 * callSlots;

/**
 * The call area of a linear memory. In WebAssembly it is the struct itself, whose fields take four bytes each; the addon,
 * whose addresses are longer, reads the struct from doubles.
 */
export interface CallArea {
  readonly at: Pointer;
  /** Where the integers and the addresses of a struct are written. Replaced when the memory grows, as `floats` is. */
  readonly slots: Slots;
  /** Where its floats are written. */
  readonly floats: Slots;
}
