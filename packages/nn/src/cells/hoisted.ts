/**
 * The base class of cells that have no fused kernel and whose steps begin with x W + b. These products are hoisted out of
 * the time loop: one large matrix product for all steps is much faster than one small product per step. The rest of each
 * step follows in the time loop.
 */
import { linear, type Tensor } from '@unroll/core';
import { lstmGates } from '@unroll/core/internal';
import { isFused } from '../activations.js';
import { zeroMaskedSteps } from '../masks.js';
import type { CellState, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { canFuse, type GatedCellOptions, MatrixCell } from './matrix-cell.js';
import { timeLoop } from './run.js';

export abstract class HoistedCell<O extends GatedCellOptions, S extends CellState> extends MatrixCell<O, S> {
  /** Computes a step. @param inputPart the part of the pre-activations that comes from the input, x W + b, [B, G*H] */
  protected abstract stepFrom(inputPart: Tensor, state: S, context: StepContext): StepResult<S>;

  /** Like {@link stepFrom}, with fused ops and without `gates`; null: the backend or the activations do not support it. */
  protected fusedStep(_inputPart: Tensor, _state: S, _context: StepContext): StepResult<S> | null {
    return null;
  }

  /** Computes x W + b for all gates, [..., G*H], from x [..., I]. */
  protected inputPart(x: Tensor): Tensor {
    return linear(x, this.W, this.b);
  }

  /**
   * Computes the gates and the cell state of one LSTM step as one op, from the pre-activations a [B, 4H] of the gates i f g o
   * and the previous cell state c.
   * @returns the new cell state and the output gate; null: the backend or the activations do not support it
   */
  protected fusedGates(a: Tensor, c: Tensor): { c: Tensor; o: Tensor } | null {
    const { phiName, sigmaName } = this;
    if (!isFused(phiName) || !isFused(sigmaName) || !canFuse('lstmGates')) return null;
    return lstmGates(a, c, { activation: phiName, recurrentActivation: sigmaName });
  }

  step(x: Tensor, state: S, context: StepContext): StepResult<S> {
    return this.stepFrom(this.inputPart(x), state, context);
  }

  sequence(x: Tensor, state: S | null, context: SequenceContext): SequenceResult<S> {
    const { units, stateSizes } = this;
    const { mask } = context;
    const inputParts = this.inputPart(mask === null ? x : zeroMaskedSteps(x, mask));
    const step = (...call: [Tensor, S, StepContext]): StepResult<S> =>
      this.fusedStep(...call) ?? this.stepFrom(...call);
    return timeLoop({ units, stateSizes, step }, inputParts, state, context) as SequenceResult<S>;
  }
}
