/**
 * The simple recurrent cell (Elman 1990).
 *
 *   h ← φ(x W + h U + b)
 *
 * W [I, H], U [H, H], b [H]. packages/kernels/cpp/rnn.cpp is the fast version of this equation; tests check that both
 * agree.
 */
import { rnnSequence, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { isFused } from '../activations.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { CELL, recurrentOptions } from '../option-names.js';
import type { ParameterMaker, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { type CellOptions, canFuse, MatrixCell, recurrentDropout } from './matrix-cell.js';

export type SimpleRnnCellOptions = CellOptions;

/** The state h [B, H]. */
export type SimpleRnnState = { h: Tensor };

export class SimpleRnnCell extends MatrixCell<SimpleRnnCellOptions, SimpleRnnState> {
  static readonly className = 'SimpleRNNCell';
  readonly stateSizes = { h: this.units } as const;

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 1, make);
  }

  step(x: Tensor, state: SimpleRnnState, context: StepContext): StepResult<SimpleRnnState> {
    const h = this.phi(this.gateSums(x, recurrentDropout(state.h, context), context));
    return { y: h, state: { h } };
  }

  sequence(
    x: Tensor,
    state: SimpleRnnState | null,
    context: SequenceContext,
  ): SequenceResult<SimpleRnnState> | null {
    const { W, b, phiName } = this;
    if (!isFused(phiName) || !canFuse('rnnForward')) return null;
    const { mask, recurrentDropoutMask, returnSequences, reverse, timeOrder, zeroOutputForMask } = context;
    const U = context.droppedWeights ?? this.U;
    const operands = { x, W, U, b, h0: state?.h ?? null, mask, recurrentDropoutMask };
    const { y, h } = rnnSequence(operands, {
      activation: phiName,
      returnSequences,
      reverse,
      timeOrder,
      zeroOutputForMask,
    });
    return { y, state: { h } };
  }
}

/** Creates a simple recurrent cell, for `recurrent` and `stackedCells`. */
export function simpleRNNCell(options: SimpleRnnCellOptions): SimpleRnnCell {
  checkOptions('simpleRNNCell', options, CELL);
  return new SimpleRnnCell(options);
}

export type SimpleRnnOptions = SimpleRnnCellOptions & RecurrentOptions;

/**
 * Creates a simple recurrent layer over sequences x [B, T, I].
 * @returns a layer with the output [B, H], or [B, T, H] with `returnSequences`; with `returnState` also h [B, H]. Its
 * inputs are x, or x and h0.
 */
export function simpleRNN(options: SimpleRnnOptions): Recurrent {
  checkOptions('simpleRNN', options, { ...CELL, ...recurrentOptions() });
  return Recurrent.over(SimpleRnnCell, options);
}
