/**
 * The LSTM cell with a coupled input and forget gate, also named CIFG (Greff et al. 2017, "LSTM: A search space
 * odyssey"): a unit writes as much of the candidate as it forgets of its cell state. This cell has a quarter fewer weights
 * than an LSTM.
 *
 *   f = σ(x Wf + h Uf + bf)      forget gate: how much of the old cell state to keep
 *   g = φ(x Wg + h Ug + bg)      candidate
 *   o = σ(x Wo + h Uo + bo)      output gate
 *   c ← f c + (1 - f) g
 *   h ← o φ(c)
 *
 * The matrices of the three gates are concatenated in this order: W [I, 3H], U [H, 3H], b [3H]. This cell has no fused
 * kernel.
 */
import { add, matmul, mul, sub, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Initializer } from '../initializers.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import type { ParameterMaker, StepContext, StepResult } from './cell.js';
import { HoistedCell } from './hoisted.js';
import { type LstmCellOptions, type LstmState, lstmBias } from './lstm.js';
import { recurrentDropout } from './matrix-cell.js';

export type CoupledLstmCellOptions = LstmCellOptions;

export class CoupledLstmCell extends HoistedCell<CoupledLstmCellOptions, LstmState> {
  static readonly className = 'CoupledLSTMCell';
  readonly stateSizes = { h: this.units, c: this.units } as const;

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 3, make, { initializer: coupledBias(this.options) });
  }

  protected stepFrom(inputPart: Tensor, state: LstmState, context: StepContext): StepResult<LstmState> {
    const { phi, sigma } = this;
    const a = add(inputPart, matmul(recurrentDropout(state.h, context), context.droppedWeights ?? this.U));
    const f = sigma(this.gate(a, 0));
    const g = phi(this.gate(a, 1));
    const o = sigma(this.gate(a, 2));
    const c = add(mul(f, state.c), mul(sub(1, f), g));
    const h = mul(o, phi(c));
    return { y: h, state: { h, c }, gates: { f, g, o } };
  }
}

/**
 * Like {@link lstmBias}. `chrono` initialises the forget gate like the update gate of a GRU: both come first among the gates,
 * and both keep the state.
 */
function coupledBias(options: CoupledLstmCellOptions): Initializer {
  const { biasInitializer } = options;
  if (typeof biasInitializer !== 'object' || biasInitializer.className !== 'chrono')
    return lstmBias(options, 0);
  return { className: 'chrono', config: { ...biasInitializer.config, cell: 'gru', updateGate: 'keep' } };
}

/** Creates an LSTM cell with a coupled input and forget gate, for `recurrent` and `stackedCells`. */
export function coupledLstmCell(options: CoupledLstmCellOptions): CoupledLstmCell {
  checkOptions('coupledLstmCell', options, { ...gatedCellOptions(), unitForgetBias: 'boolean' });
  return new CoupledLstmCell(options);
}

/**
 * Creates an LSTM layer with a coupled input and forget gate over sequences x [B, T, I], with the inputs and outputs of
 * `lstm`.
 */
export function coupledLstm(options: CoupledLstmCellOptions & RecurrentOptions): Recurrent {
  checkOptions('coupledLstm', options, {
    ...gatedCellOptions(),
    unitForgetBias: 'boolean',
    ...recurrentOptions(),
  });
  return Recurrent.over(CoupledLstmCell, options);
}
