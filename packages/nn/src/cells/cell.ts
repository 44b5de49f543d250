/**
 * The cell: one time step of a recurrent network, as a pure function of the input and the state. `recurrent(cell)` turns
 * any cell into a layer over sequences; a cell may also offer the whole sequence as one fused op.
 */
import type { Parameter, Shape, Tensor } from '@unroll/core';
import type { Initializer } from '../initializers.js';

/** The state of a cell: named tensors [B, size], in the order in which `returnState` gives them (h first). */
export type CellState = Record<string, Tensor>;

/** What a step is told besides its input and state. */
export interface StepContext {
  /** Recurrent dropout mask [B, H], already scaled, the same for every step of a sequence; null: none. */
  recurrentMask: Tensor | null;
}

/** What a fused sequence is told. */
export interface SequenceContext extends StepContext {
  returnSequences: boolean;
  reverse: boolean;
  realign: boolean;
  zeroOutputForMask: boolean;
  /** [B, T], 1: valid; null: every step is. */
  mask: Tensor | null;
}

/** How a cell asks for its parameters. */
export type ParameterMaker = (name: string, shape: Shape, initializer: Initializer) => Parameter;

export interface Cell {
  /** Keras's class name of the layer over this cell: `LSTM`, `GRU`, ... */
  readonly className: string;
  /** Width of the output y. */
  readonly units: number;
  /** Width of each state. */
  readonly stateSizes: Readonly<Record<string, number>>;
  /** Options that rebuild the cell, as JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Makes the parameters for inputs of width I, in Keras's order. */
  build(inputSize: number, make: ParameterMaker): void;
  zeroState(batch: number): CellState;
  /** One step: x [B, I] and the state before it give the output y [B, units] and the state after it. */
  step(x: Tensor, state: CellState, context: StepContext): { y: Tensor; state: CellState };
  /**
   * All steps at once, where a fused kernel can: x [B, T, I] to y ([B, T, units], or the last [B, units]). `state` null:
   * zeros. Returns null where it cannot for these options; then the cell is stepped.
   */
  sequence?(
    x: Tensor,
    state: CellState | null,
    context: SequenceContext,
  ): { y: Tensor; state: CellState } | null;
}
