/**
 * The base class of cells that have no fused kernel and whose steps begin with x W + b. The products of all steps are computed
 * first, as one large matrix product, which is much faster than one small product per step. The rest of each step follows
 * in the time loop.
 */
import { linear, type Tensor } from '@unroll/core';
import { lstmGates } from '@unroll/core/internal';
import { isFused } from '../activations.js';
import { zeroMaskedSteps } from '../masks.js';
import type { CellState, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { canFuse, type GatedCellOptions, MatrixCell } from './matrix-cell.js';
import { timeLoop } from './run.js';

export abstract class HoistedCell<O extends GatedCellOptions, S extends CellState> extends MatrixCell<O, S> {
  /** Computes a step from its input sums x W + b, [B, G*H]. */
  protected abstract stepFrom(sums: Tensor, state: S, context: StepContext): StepResult<S>;

  /** Like {@link stepFrom}, with fused ops and without `gates`; null: the backend or the activations do not support it. */
  protected fusedStep(_sums: Tensor, _state: S, _context: StepContext): StepResult<S> | null {
    return null;
  }

  /** Computes x W + b for all gates, [..., G*H], from x [..., I]. */
  protected inputSums(x: Tensor): Tensor {
    return linear(x, this.W, this.b);
  }

  /**
   * Computes one step of an LSTM as one op, from the sums a [B, 4H] of the gates i f g o and the previous cell state c.
   * @returns the new cell state and the output gate; null: the backend or the activations do not support it
   */
  protected fusedGates(a: Tensor, c: Tensor): { c: Tensor; o: Tensor } | null {
    const { phiName, sigmaName } = this;
    if (!isFused(phiName) || !isFused(sigmaName) || !canFuse('lstmGates')) return null;
    return lstmGates(a, c, { activation: phiName, recurrentActivation: sigmaName });
  }

  step(x: Tensor, state: S, context: StepContext): StepResult<S> {
    return this.stepFrom(this.inputSums(x), state, context);
  }

  sequence(x: Tensor, state: S | null, context: SequenceContext): SequenceResult<S> {
    const { units, stateSizes } = this;
    const { mask } = context;
    const sums = this.inputSums(mask === null ? x : zeroMaskedSteps(x, mask));
    const step = (...call: [Tensor, S, StepContext]): StepResult<S> =>
      this.fusedStep(...call) ?? this.stepFrom(...call);
    return timeLoop({ units, stateSizes, step }, sums, state, context) as SequenceResult<S>;
  }
}
