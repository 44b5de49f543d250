// The call area: the memory from which kernels read a struct (see calls.generated.ts).
import { callSlots, type Pointer } from './interface.generated.js';

export type Slots = Float64Array | Int32Array | Float32Array;

/** Size of the call area in bytes. */
export const CALL_BYTES = 8 * callSlots;

/**
 * The call area of a linear memory. In WebAssembly it has the layout of the struct, with four bytes per field. For the addon,
 * whose addresses are longer, it has one double per field.
 */
export interface CallArea {
  /** Address of the call area. */
  readonly address: Pointer;
  /** For the integers and addresses of a struct. Like `floats`, it is replaced when the memory grows. */
  readonly slots: Slots;
  /** For the floats of a struct. */
  readonly floats: Slots;
}
