/**
 * The GRU cell (Cho et al. 2014).
 *
 *   z = σ(x Wz + h Uz + bz)            update gate: how much of the old state to keep
 *   r = σ(x Wr + h Ur + br)            reset gate: how much of the old state the candidate sees
 *   n = φ(x Wn + bn + r (h Un + bu))   candidate, reset after the product (Keras's default, cuDNN, PyTorch)
 *   n = φ(x Wn + bn + (r h) Un)        candidate, reset before the product (the paper, most textbooks)
 *   h ← z h + (1 - z) n
 *
 * Many texts exchange z and 1 - z in the last line; `updateGate: 'candidate'` selects that form. The matrices are
 * stacked in the order z r n, as in Keras: W [I, 3H], U [H, 3H]; the bias is [2, 3H] (row 0 for the inputs, row 1 for
 * the state) with `resetAfter`, else [3H]. packages/kernels/cpp/gru.cpp is the fast version of these equations; tests
 * check that both agree.
 */
import { add, gruSequence, matmul, mul, reshape, slice, sub, type Tensor, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { isFused } from '../activations.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import type { ParameterMaker, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { canFuse, dropped, type GatedCellOptions, MatrixCell } from './matrix-cell.js';

export interface GruCellOptions extends GatedCellOptions {
  /** Apply the reset gate to the product h U instead of to h. Default true. */
  resetAfter?: boolean;
  /** The meaning of the update gate: `keep`, h ← z h + (1-z) n; `candidate`, h ← (1-z) h + z n. Default `keep`. */
  updateGate?: 'keep' | 'candidate';
}

/** h [B, H]. */
export type GruState = { h: Tensor };

export class GruCell extends MatrixCell<GruCellOptions, GruState> {
  static readonly className = 'GRUCell';
  readonly stateSizes = { h: this.units } as const;
  readonly #resetAfter: boolean;
  readonly #textbook: boolean;

  constructor(options: GruCellOptions) {
    super(options);
    const { resetAfter = true, updateGate = 'keep' } = options;
    if (updateGate !== 'keep' && updateGate !== 'candidate') {
      throw valueError(`GRUCell: updateGate must be keep or candidate, got ${String(updateGate)}.`, {
        updateGate,
      });
    }
    this.#resetAfter = resetAfter;
    this.#textbook = updateGate === 'candidate';
  }

  build(inputSize: number, make: ParameterMaker): void {
    const width = 3 * this.units;
    this.makeMatrices(inputSize, 3, make, { shape: this.#resetAfter ? [2, width] : [width] });
  }

  step(x: Tensor, state: GruState, context: StepContext): StepResult<GruState> {
    const { U, phi, sigma } = this;
    const H = this.units;
    const h = state.h;
    const seen = dropped(h, context);
    const ax = this.#biased(matmul(x, this.W), 0);
    const ah = this.#resetAfter ? this.#biased(matmul(seen, U), 1) : matmul(seen, slice(U, 1, 0, 2 * H));
    const z = sigma(add(this.gate(ax, 0), this.gate(ah, 0)));
    const r = sigma(add(this.gate(ax, 1), this.gate(ah, 1)));
    const q = this.#resetAfter ? mul(r, this.gate(ah, 2)) : matmul(mul(r, seen), this.gate(U, 2));
    const n = phi(add(this.gate(ax, 2), q));
    const [keep, write] = this.#textbook ? [sub(1, z), z] : [z, sub(1, z)];
    const next = add(mul(keep, h), mul(write, n));
    return { y: next, state: { h: next }, gates: { z, r, n } };
  }

  sequence(x: Tensor, state: GruState | null, context: SequenceContext): SequenceResult<GruState> | null {
    const { W, U, b, phiName, sigmaName } = this;
    if (!isFused(phiName) || !isFused(sigmaName) || !canFuse('gru')) return null;
    const { mask, recurrentMask, returnSequences, reverse, realign, zeroOutputForMask } = context;
    const operands = { x, W, U, b, h0: state?.h ?? null, mask, recurrentMask };
    const { y, h } = gruSequence(operands, {
      activation: phiName,
      recurrentActivation: sigmaName,
      resetAfter: this.#resetAfter,
      textbook: this.#textbook,
      returnSequences,
      reverse,
      realign,
      zeroOutputForMask,
    });
    return { y, state: { h } };
  }

  /** Adds the bias of the inputs (row 0) or of the state (row 1). */
  #biased(product: Tensor, row: 0 | 1): Tensor {
    if (!this.b) return product;
    if (!this.#resetAfter) return add(product, this.b);
    return add(product, reshape(slice(this.b, 0, row, row + 1), [3 * this.units]));
  }
}

/** A GRU cell, for `recurrent` and `stackedCells`. */
export function gruCell(options: GruCellOptions): GruCell {
  checkOptions('gruCell', options, {
    ...gatedCellOptions(),
    resetAfter: 'flag',
    updateGate: ['keep', 'candidate'],
  });
  return new GruCell(options);
}

export type GruOptions = GruCellOptions & RecurrentOptions;

/**
 * A gated recurrent unit layer over sequences x [B, T, I].
 * @returns a layer with the output [B, H], or [B, T, H] with `returnSequences`; with `returnState` also h [B, H]. Its
 * inputs are x, or x and h0.
 */
export function gru(options: GruOptions): Recurrent {
  checkOptions('gru', options, {
    ...gatedCellOptions(),
    resetAfter: 'flag',
    updateGate: ['keep', 'candidate'],
    ...recurrentOptions(),
  });
  return Recurrent.over(GruCell, options);
}
