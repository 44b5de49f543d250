// Where kernels that take a struct read it: see calls.generated.ts.
import { callSlots, type Pointer } from './interface.generated.js';

/** Bytes of the call area. */
export const CALL_BYTES = 8 * callSlots;

/** The call area of a linear memory: one double for each field of a struct. */
export class CallArea {
  readonly at: Pointer;
  readonly #memory: { readonly buffer: ArrayBuffer | SharedArrayBuffer };
  #slots: Float64Array = new Float64Array(0);

  constructor(memory: { readonly buffer: ArrayBuffer | SharedArrayBuffer }, at: Pointer) {
    this.#memory = memory;
    this.at = at;
  }

  get slots(): Float64Array {
    const { buffer } = this.#memory;
    if (this.#slots.buffer !== buffer) this.#slots = new Float64Array(buffer, this.at, callSlots);
    return this.#slots;
  }
}
