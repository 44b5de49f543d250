/**
 * The GRU cell (Cho et al. 2014).
 *
 *   z = σ(x Wz + h Uz + bz)            update gate: how much of the old state to keep
 *   r = σ(x Wr + h Ur + br)            reset gate: how much of the old state the candidate uses
 *   n = φ(x Wn + bn + (r h) Un)        candidate, reset before the product (the paper, most textbooks)
 *   n = φ(x Wn + b0n + r (h Un + b1n)) candidate, reset after the product (Keras's default, cuDNN, PyTorch)
 *   h ← z h + (1 - z) n
 *
 * Many texts swap z and 1 - z in the last line; `updateGate: 'candidate'` does the same. The matrices are
 * concatenated in the order z r n, as in Keras: W [I, 3H], U [H, 3H]. The bias is [3H]; with `resetAfter` it is [2, 3H],
 * with one row for the inputs (b0) and one for the state (b1), and bz and br are the sums of both rows.
 * packages/kernels/cpp/gru.cpp is the fast version of these equations; tests check that both agree.
 */
import { add, gruSequence, matmul, mul, reshape, slice, sub, type Tensor, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { isFused } from '../activations.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import type { ParameterMaker, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { canFuse, type GatedCellOptions, MatrixCell, recurrentDropout } from './matrix-cell.js';

export interface GruCellOptions extends GatedCellOptions {
  /** Apply the reset gate to the product h U instead of to h. Default true. */
  resetAfter?: boolean;
  /** The meaning of the update gate: `keep`, h ← z h + (1-z) n; `candidate`, h ← (1-z) h + z n. Default `keep`. */
  updateGate?: 'keep' | 'candidate';
}

/** The state h [B, H]. */
export type GruState = { h: Tensor };

export class GruCell extends MatrixCell<GruCellOptions, GruState> {
  static readonly className = 'GRUCell';
  readonly stateSizes = { h: this.units } as const;
  readonly #resetAfter: boolean;
  readonly #updateGateOnCandidate: boolean;

  constructor(options: GruCellOptions) {
    super(options);
    const { resetAfter = true, updateGate = 'keep' } = options;
    if (updateGate !== 'keep' && updateGate !== 'candidate') {
      throw valueError(`GRUCell: updateGate must be keep or candidate, got ${String(updateGate)}.`, {
        updateGate,
      });
    }
    this.#resetAfter = resetAfter;
    this.#updateGateOnCandidate = updateGate === 'candidate';
  }

  build(inputSize: number, make: ParameterMaker): void {
    const width = 3 * this.units;
    this.makeMatrices(inputSize, 3, make, { shape: this.#resetAfter ? [2, width] : [width] });
  }

  /**
   * `ax` and `ah` are the parts of the pre-activations that come from x and from h. Without `resetAfter`, `ah` contains only z
   * and r. `an` is the part of the candidate's pre-activation that comes from h, after the reset gate.
   */
  step(x: Tensor, state: GruState, context: StepContext): StepResult<GruState> {
    const { phi, sigma } = this;
    const U = context.droppedWeights ?? this.U;
    const H = this.units;
    const h = state.h;
    const droppedH = recurrentDropout(h, context);
    const ax = this.#addBias(matmul(x, this.W), 0);
    const ah = this.#resetAfter
      ? this.#addBias(matmul(droppedH, U), 1)
      : matmul(droppedH, slice(U, 1, 0, 2 * H));
    const z = sigma(add(this.gate(ax, 0), this.gate(ah, 0)));
    const r = sigma(add(this.gate(ax, 1), this.gate(ah, 1)));
    const an = this.#resetAfter ? mul(r, this.gate(ah, 2)) : matmul(mul(r, droppedH), this.gate(U, 2));
    const n = phi(add(this.gate(ax, 2), an));
    const [keep, write] = this.#updateGateOnCandidate ? [sub(1, z), z] : [z, sub(1, z)];
    const next = add(mul(keep, h), mul(write, n));
    return { y: next, state: { h: next }, gates: { z, r, n } };
  }

  sequence(x: Tensor, state: GruState | null, context: SequenceContext): SequenceResult<GruState> | null {
    const { W, b, phiName, sigmaName } = this;
    if (!isFused(phiName) || !isFused(sigmaName) || !canFuse('gruForward')) return null;
    const { mask, recurrentDropoutMask, returnSequences, reverse, timeOrder, zeroOutputForMask } = context;
    const U = context.droppedWeights ?? this.U;
    const operands = { x, W, U, b, h0: state?.h ?? null, mask, recurrentDropoutMask };
    const { y, h } = gruSequence(operands, {
      activation: phiName,
      recurrentActivation: sigmaName,
      resetAfter: this.#resetAfter,
      updateGateOnCandidate: this.#updateGateOnCandidate,
      returnSequences,
      reverse,
      timeOrder,
      zeroOutputForMask,
    });
    return { y, state: { h } };
  }

  /** Adds the bias of the inputs (row 0) or of the state (row 1). */
  #addBias(product: Tensor, row: 0 | 1): Tensor {
    if (!this.b) return product;
    if (!this.#resetAfter) return add(product, this.b);
    return add(product, reshape(slice(this.b, 0, row, row + 1), [3 * this.units]));
  }
}

/** Creates a GRU cell, for `recurrent` and `stackedCells`. */
export function gruCell(options: GruCellOptions): GruCell {
  checkOptions('gruCell', options, {
    ...gatedCellOptions(),
    resetAfter: 'boolean',
    updateGate: ['keep', 'candidate'],
  });
  return new GruCell(options);
}

export type GruOptions = GruCellOptions & RecurrentOptions;

/**
 * Creates a gated recurrent unit (GRU) layer over sequences x [B, T, I].
 * @returns a layer with the output [B, H], or [B, T, H] with `returnSequences`; with `returnState` also h [B, H]. Its
 * inputs are x, or x and h0.
 */
export function gru(options: GruOptions): Recurrent {
  checkOptions('gru', options, {
    ...gatedCellOptions(),
    resetAfter: 'boolean',
    updateGate: ['keep', 'candidate'],
    ...recurrentOptions(),
  });
  return Recurrent.over(GruCell, options);
}
