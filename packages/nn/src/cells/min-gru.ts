/**
 * The minGRU cell (Feng et al. 2024): a GRU whose gate and candidate depend on x only. min-cell.ts runs it as matrix
 * products over all steps and one linear scan.
 *
 *   z = σ(x Wz + bz)             update gate: how much of the candidate to write
 *   h̃ = φ(x Wh + bh)             candidate (`gates.n`); φ as in min-cell.ts
 *   h ← (1 - z) h + z h̃
 *
 * The matrices are concatenated in this order: W [I, 2H], b [2H].
 */
import { mul, sigmoid, sub, type Tensor } from '@unroll/core';
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

export class MinGruCell extends MinCell {
  static readonly className = 'MinGRUCell';
  protected readonly gateCount = 2;

  coefficients(preActivation: (gate: number) => Tensor): MinGates {
    const z = sigmoid(preActivation(0));
    const n = this.phi(preActivation(1));
    return { a: sub(1, z), b: mul(z, n), gates: { z, n } };
  }
}

/** Creates a minGRU cell, for `recurrent` and `stackedCells`. */
export function minGruCell(options: MinCellOptions): MinGruCell {
  checkOptions('minGruCell', options, minCellOptions());
  return new MinGruCell(options);
}

/**
 * Creates a minGRU layer over sequences x [B, T, I].
 * @returns a layer with the output [B, H], or [B, T, H] with `returnSequences`; with `returnState` also h [B, H]. Its
 * inputs are x, or x and h0.
 */
export function minGru(options: MinOptions): Recurrent {
  checkOptions('minGru', options, minOptions());
  return Recurrent.over(MinGruCell, options);
}
