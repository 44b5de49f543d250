/**
 * The LSTM cell (Hochreiter & Schmidhuber 1997; with the forget gate of Gers et al. 2000).
 *
 *   i = σ(x Wi + h Ui + bi)      input gate: how much of the candidate to write
 *   f = σ(x Wf + h Uf + bf)      forget gate: how much of the old cell state to keep
 *   g = φ(x Wg + h Ug + bg)      candidate
 *   o = σ(x Wo + h Uo + bo)      output gate: how much of the cell state to show
 *   c ← f c + i g
 *   h ← o φ(c)
 *
 * The four matrices are stacked side by side in this order, as in Keras: W [I, 4H], U [H, 4H], b [4H].
 * packages/kernels/cpp/lstm.cpp is the fast version of these equations; tests check that both agree.
 */
import { add, lstmSequence, mul, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { isFused } from '../activations.js';
import { builders } from '../builders.js';
import type { Initializer } from '../initializers.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import type { ParameterMaker, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { canFuse, dropped, type GatedCellOptions, MatrixCell } from './matrix-cell.js';

export interface LstmCellOptions extends GatedCellOptions {
  /**
   * Initialise the bias of the forget gate to 1, so that the cell initially remembers (Jozefowicz et al. 2015).
   * Default true.
   */
  unitForgetBias?: boolean;
}

/** h and c, [B, H] each. */
export type LstmState = { h: Tensor; c: Tensor };

export class LstmCell extends MatrixCell<LstmCellOptions, LstmState> {
  static readonly className = 'LSTMCell';
  readonly stateSizes = { h: this.units, c: this.units } as const;

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 4, make, { initializer: lstmBias(this.options) });
  }

  step(x: Tensor, state: LstmState, context: StepContext): StepResult<LstmState> {
    const { phi, sigma } = this;
    const a = this.products(x, dropped(state.h, context));
    const i = sigma(this.gate(a, 0));
    const f = sigma(this.gate(a, 1));
    const g = phi(this.gate(a, 2));
    const o = sigma(this.gate(a, 3));
    const c = add(mul(f, state.c), mul(i, g));
    const h = mul(o, phi(c));
    return { y: h, state: { h, c }, gates: { i, f, g, o } };
  }

  sequence(x: Tensor, state: LstmState | null, context: SequenceContext): SequenceResult<LstmState> | null {
    const { W, U, b, phiName, sigmaName } = this;
    if (!isFused(phiName) || !isFused(sigmaName) || !canFuse('lstm')) return null;
    const { mask, recurrentMask, returnSequences, reverse, realign, zeroOutputForMask } = context;
    const operands = { x, W, U, b, h0: state?.h ?? null, c0: state?.c ?? null, mask, recurrentMask };
    const { y, h, c } = lstmSequence(operands, {
      activation: phiName,
      recurrentActivation: sigmaName,
      returnSequences,
      reverse,
      realign,
      zeroOutputForMask,
    });
    return { y, state: { h, c } };
  }
}

/** The initial bias: 1 in the part of the forget gate if `unitForgetBias` is set. */
export function lstmBias(options: LstmCellOptions): Initializer {
  const { biasInitializer = 'zeros', unitForgetBias = true } = options;
  const ownForget = typeof biasInitializer === 'object' && biasInitializer.className === 'chrono';
  if (!unitForgetBias || ownForget) return biasInitializer;
  return (shape, random) => {
    const bias = Float64Array.from(builders('The bias').initialize(biasInitializer, shape, random));
    return bias.fill(1, options.units, 2 * options.units);
  };
}

/** An LSTM cell, for `recurrent` and `stackedCells`. */
export function lstmCell(options: LstmCellOptions): LstmCell {
  checkOptions('lstmCell', options, { ...gatedCellOptions(), unitForgetBias: 'flag' });
  return new LstmCell(options);
}

export type LstmOptions = LstmCellOptions & RecurrentOptions;

/**
 * A long short-term memory layer over sequences x [B, T, I].
 * @returns a layer with the output [B, H], or [B, T, H] with `returnSequences`; with `returnState` also h and c [B,
 * H]. Its inputs are x, or x, h0 and c0.
 */
export function lstm(options: LstmOptions): Recurrent {
  checkOptions('lstm', options, { ...gatedCellOptions(), unitForgetBias: 'flag', ...recurrentOptions() });
  return Recurrent.over(LstmCell, options);
}
