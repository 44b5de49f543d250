/**
 * The minLSTM cell (Feng et al. 2024): an LSTM without an output gate. Its gates and candidate depend on x only, and its
 * input and forget gates are normalised. min-cell.ts runs it as matrix products over all steps and one linear scan.
 *
 *   f = σ(x Wf + bf)             forget gate
 *   i = σ(x Wi + bi)             input gate
 *   h̃ = φ(x Wh + bh)             candidate (`gates.g`); φ as in min-cell.ts
 *   f' = f / (f + i)      i' = i / (f + i)      normalised gates (`gates.f` and `gates.i`)
 *   h ← f' h + i' h̃
 *
 * The matrices are concatenated in this order: W [I, 3H], b [3H].
 */
import { mul, neg, sigmoid, softplus, sub, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { Recurrent } from '../layers/recurrent.js';
import {
  MinCell,
  type MinCellOptions,
  type MinGates,
  type MinOptions,
  minCellOptions,
  minOptions,
} from './min-cell.js';

export class MinLstmCell extends MinCell {
  static readonly className = 'MinLSTMCell';
  protected readonly gateCount = 3;

  coefficients(preActivation: (gate: number) => Tensor): MinGates {
    // i' = σ(log i - log f) is defined even if both gates underflow to 0; log σ(s) = -softplus(-s).
    const [logF, logI] = [0, 1].map((gate) => neg(softplus(neg(preActivation(gate)))));
    const i = sigmoid(sub(logI, logF));
    const f = sub(1, i);
    const g = this.phi(preActivation(2));
    return { a: f, b: mul(i, g), gates: { i, f, g } };
  }
}

/** Creates a minLSTM cell, for `recurrent` and `stackedCells`. */
export function minLstmCell(options: MinCellOptions): MinLstmCell {
  checkOptions('minLstmCell', options, minCellOptions());
  return new MinLstmCell(options);
}

/** Creates a minLSTM layer over sequences x [B, T, I], with the inputs and outputs of `minGru`. */
export function minLstm(options: MinOptions): Recurrent {
  checkOptions('minLstm', options, minOptions());
  return Recurrent.over(MinLstmCell, options);
}
