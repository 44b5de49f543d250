/**
 * The LSTM cell (Hochreiter & Schmidhuber 1997; with the forget gate of Gers et al. 2000).
 *
 *   i = σ(x Wi + h Ui + bi)      input gate: how much of the candidate to write
 *   f = σ(x Wf + h Uf + bf)      forget gate: how much of the old cell state to keep
 *   g = φ(x Wg + h Ug + bg)      candidate
 *   o = σ(x Wo + h Uo + bo)      output gate: how much of the cell state to output
 *   c ← f c + i g
 *   h ← o φ(c)
 *
 * The matrices of the four gates are concatenated in this order, as in Keras: W [I, 4H], U [H, 4H], b [4H].
 * packages/kernels/cpp/lstm.cpp is the fast version of these equations; tests check that both agree.
 */
import { add, lstmSequence, mul, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { isFused } from '../activations.js';
import type { Initializer } from '../initializers.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import { optionalFunctions } from '../optional-functions.js';
import type { ParameterMaker, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { canFuse, type GatedCellOptions, MatrixCell, recurrentDropout } from './matrix-cell.js';

export interface LstmCellOptions extends GatedCellOptions {
  /**
   * Initialise the bias of the forget gate to 1, so that an untrained cell keeps its state (Jozefowicz et al. 2015).
   * Default true.
   */
  unitForgetBias?: boolean;
}

/** The states h and c, [B, H] each. */
export type LstmState = { h: Tensor; c: Tensor };

export class LstmCell extends MatrixCell<LstmCellOptions, LstmState> {
  static readonly className = 'LSTMCell';
  readonly stateSizes = { h: this.units, c: this.units } as const;

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 4, make, { initializer: lstmBias(this.options) });
  }

  step(x: Tensor, state: LstmState, context: StepContext): StepResult<LstmState> {
    const { phi, sigma } = this;
    const a = this.gateSums(x, recurrentDropout(state.h, context), context);
    const i = sigma(this.gate(a, 0));
    const f = sigma(this.gate(a, 1));
    const g = phi(this.gate(a, 2));
    const o = sigma(this.gate(a, 3));
    const c = add(mul(f, state.c), mul(i, g));
    const h = mul(o, phi(c));
    return { y: h, state: { h, c }, gates: { i, f, g, o } };
  }

  sequence(x: Tensor, state: LstmState | null, context: SequenceContext): SequenceResult<LstmState> | null {
    const { W, b, phiName, sigmaName } = this;
    if (!isFused(phiName) || !isFused(sigmaName) || !canFuse('lstmForward')) return null;
    const { mask, recurrentDropoutMask, returnSequences, reverse, timeOrder, zeroOutputForMask } = context;
    const U = context.droppedWeights ?? this.U;
    const operands = { x, W, U, b, h0: state?.h ?? null, c0: state?.c ?? null, mask, recurrentDropoutMask };
    const { y, h, c } = lstmSequence(operands, {
      activation: phiName,
      recurrentActivation: sigmaName,
      returnSequences,
      reverse,
      timeOrder,
      zeroOutputForMask,
    });
    return { y, state: { h, c } };
  }
}

/**
 * Returns the initialiser of the bias: with `unitForgetBias`, 1 for the forget gate. The initialiser `chrono` computes its
 * own values for the forget gate.
 * @param forgetGate the position of the forget gate among the gates
 */
export function lstmBias(options: LstmCellOptions, forgetGate = 1): Initializer {
  const { biasInitializer = 'zeros', unitForgetBias = true } = options;
  const isChrono = typeof biasInitializer === 'object' && biasInitializer.className === 'chrono';
  if (!unitForgetBias || isChrono) return biasInitializer;
  return (shape, random) => {
    const bias = Float64Array.from(optionalFunctions('The bias').initialize(biasInitializer, shape, random));
    return bias.fill(1, forgetGate * options.units, (forgetGate + 1) * options.units);
  };
}

/** Creates an LSTM cell, for `recurrent` and `stackedCells`. */
export function lstmCell(options: LstmCellOptions): LstmCell {
  checkOptions('lstmCell', options, { ...gatedCellOptions(), unitForgetBias: 'boolean' });
  return new LstmCell(options);
}

export type LstmOptions = LstmCellOptions & RecurrentOptions;

/**
 * Creates a long short-term memory (LSTM) layer over sequences x [B, T, I].
 * @returns a layer with the output [B, H], or [B, T, H] with `returnSequences`; with `returnState` also h and c,
 * [B, H] each. Its inputs are x, or x, h0 and c0.
 */
export function lstm(options: LstmOptions): Recurrent {
  checkOptions('lstm', options, { ...gatedCellOptions(), unitForgetBias: 'boolean', ...recurrentOptions() });
  return Recurrent.over(LstmCell, options);
}
