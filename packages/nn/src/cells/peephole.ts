/**
 * The LSTM cell with peephole connections (Gers, Schraudolph & Schmidhuber 2002): the gates of each unit also depend on
 * the unit's own cell state, through the weights p.
 *
 *   i = σ(x Wi + h Ui + pi c + bi)
 *   f = σ(x Wf + h Uf + pf c + bf)
 *   g = φ(x Wg + h Ug + bg)
 *   c ← f c + i g
 *   o = σ(x Wo + h Uo + po c + bo)       with the new c
 *   h ← o φ(c)
 *
 * W [I, 4H], U [H, 4H] and b [4H] have the layout of the LSTM; the peephole weights are p [3, H] in the order i f o.
 * This cell has no fused kernel.
 */
import { add, matmul, mul, type Parameter, reshape, slice, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Initializer } from '../initializers.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import type { ParameterMaker, StepContext, StepResult } from './cell.js';
import { HoistedCell } from './hoisted.js';
import { type LstmCellOptions, type LstmState, lstmBias } from './lstm.js';
import { recurrentDropout } from './matrix-cell.js';

export interface PeepholeLstmCellOptions extends LstmCellOptions {
  /** Initialiser of p. Default `zeros`: an untrained cell then equals an LSTM. */
  peepholeInitializer?: Initializer;
}

export class PeepholeLstmCell extends HoistedCell<PeepholeLstmCellOptions, LstmState> {
  static readonly className = 'PeepholeLSTMCell';
  readonly stateSizes = { h: this.units, c: this.units } as const;
  #p!: Parameter;

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 4, make, { initializer: lstmBias(this.options) });
    this.#p = make('peephole', [3, this.units], this.options.peepholeInitializer ?? 'zeros');
  }

  protected stepFrom(inputPart: Tensor, state: LstmState, context: StepContext): StepResult<LstmState> {
    const { phi, sigma } = this;
    const U = context.droppedWeights ?? this.U;
    const a = add(inputPart, matmul(recurrentDropout(state.h, context), U));
    const p = [0, 1, 2].map((row) => reshape(slice(this.#p, 0, row, row + 1), [this.units]));
    const i = sigma(add(this.gate(a, 0), mul(p[0], state.c)));
    const f = sigma(add(this.gate(a, 1), mul(p[1], state.c)));
    const g = phi(this.gate(a, 2));
    const c = add(mul(f, state.c), mul(i, g));
    const o = sigma(add(this.gate(a, 3), mul(p[2], c)));
    const h = mul(o, phi(c));
    return { y: h, state: { h, c }, gates: { i, f, g, o } };
  }
}

/** Creates a peephole LSTM cell, for `recurrent` and `stackedCells`. */
export function peepholeLstmCell(options: PeepholeLstmCellOptions): PeepholeLstmCell {
  checkOptions('peepholeLstmCell', options, {
    ...gatedCellOptions(),
    unitForgetBias: 'boolean',
    peepholeInitializer: true,
  });
  return new PeepholeLstmCell(options);
}

/** Creates a peephole LSTM layer over sequences x [B, T, I], with the inputs and outputs of `lstm`. */
export function peepholeLstm(options: PeepholeLstmCellOptions & RecurrentOptions): Recurrent {
  checkOptions('peepholeLstm', options, {
    ...gatedCellOptions(),
    unitForgetBias: 'boolean',
    peepholeInitializer: true,
    ...recurrentOptions(),
  });
  return Recurrent.over(PeepholeLstmCell, options);
}
