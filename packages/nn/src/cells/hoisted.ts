/**
 * The base class of cells without a fused kernel whose steps begin with x W + b. The products of all steps are computed
 * first, as one large matrix product, which is much faster than one small product per step. The rest of each step follows
 * in the time loop.
 */
import { linear, type Tensor } from '@unroll/core';
import { zeroMaskedSteps } from '../masks.js';
import type { CellState, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { type GatedCellOptions, MatrixCell } from './matrix-cell.js';
import { timeLoop } from './run.js';

export abstract class HoistedCell<O extends GatedCellOptions, S extends CellState> extends MatrixCell<O, S> {
  /** Computes a step from its input sums x W + b, [B, G*H]. */
  protected abstract stepFrom(sums: Tensor, state: S, context: StepContext): StepResult<S>;

  /** Computes x W + b for all gates, [..., G*H], from x [..., I]. */
  protected inputSums(x: Tensor): Tensor {
    return linear(x, this.W, this.b);
  }

  step(x: Tensor, state: S, context: StepContext): StepResult<S> {
    return this.stepFrom(this.inputSums(x), state, context);
  }

  sequence(x: Tensor, state: S | null, context: SequenceContext): SequenceResult<S> {
    const { units, stateSizes } = this;
    const { mask } = context;
    const sums = this.inputSums(mask === null ? x : zeroMaskedSteps(x, mask));
    const step = (...call: [Tensor, S, StepContext]): StepResult<S> => this.stepFrom(...call);
    return timeLoop({ units, stateSizes, step }, sums, state, context) as SequenceResult<S>;
  }
}
