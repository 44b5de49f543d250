/**
 * The LSTM cell with a recurrent projection (Sak, Senior & Beaufays 2014), like PyTorch's LSTM with `proj_size`: h is a
 * linear projection of the H units to P numbers. The recurrent matrix U then has P rows instead of H, so a large cell
 * state needs few weights.
 *
 *   i = σ(x Wi + h Ui + bi)      f = σ(x Wf + h Uf + bf)      g = φ(x Wg + h Ug + bg)      o = σ(x Wo + h Uo + bo)
 *   c ← f c + i g
 *   h ← (o φ(c)) R
 *
 * W [I, 4H], U [P, 4H] and b [4H] have the gates in the order of the LSTM; R is [H, P]. The states are h [B, P] and
 * c [B, H]. One fused op computes the gates and the cell state of a step.
 */
import { add, matmul, mul, type Parameter, type Tensor } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';
import type { ParameterMaker, StepContext, StepResult } from './cell.js';
import { HoistedCell } from './hoisted.js';
import { type LstmCellOptions, type LstmState, lstmBias } from './lstm.js';
import { cellOwner, checkUnits, recurrentDropout } from './matrix-cell.js';

export interface ProjectedLstmCellOptions extends LstmCellOptions {
  /** P, the width of h and of the output. Normally smaller than `units`, the width of the cell state. */
  projection: number;
  /** Initialiser of R. Default `glorotUniform`. */
  projectionInitializer?: Initializer;
  /** Regulariser of R. Default: none. */
  projectionRegularizer?: Regularizer | null;
  /** Constraint on R after each update. Default: none. */
  projectionConstraint?: Constraint | null;
}

export class ProjectedLstmCell extends HoistedCell<ProjectedLstmCellOptions, LstmState> {
  static readonly className = 'ProjectedLSTMCell';
  /** P, the width of the output. */
  override readonly units: number = this.options.projection;
  readonly stateSizes = { h: this.units, c: this.options.units } as const;
  #R!: Parameter;

  constructor(options: ProjectedLstmCellOptions) {
    super(options);
    checkUnits(cellOwner(options, this.className), options.projection, 'projection');
  }

  build(inputSize: number, make: ParameterMaker): void {
    const o = this.options;
    this.makeMatrices(inputSize, 4, make, { initializer: lstmBias(o) });
    this.#R = make('projection_kernel', [o.units, o.projection], o.projectionInitializer ?? 'glorotUniform', {
      regularizer: o.projectionRegularizer,
      constraint: o.projectionConstraint,
    });
  }

  /** Computes the pre-activations of all gates, [B, 4H]. */
  #preActivations(inputPart: Tensor, { h }: LstmState, context: StepContext): Tensor {
    return add(inputPart, matmul(recurrentDropout(h, context), context.droppedWeights ?? this.U));
  }

  protected override fusedStep(
    inputPart: Tensor,
    state: LstmState,
    context: StepContext,
  ): StepResult<LstmState> | null {
    const fused = this.fusedGates(this.#preActivations(inputPart, state, context), state.c);
    if (fused === null) return null;
    const h = matmul(mul(fused.o, this.phi(fused.c)), this.#R);
    return { y: h, state: { h, c: fused.c } };
  }

  protected stepFrom(inputPart: Tensor, state: LstmState, context: StepContext): StepResult<LstmState> {
    const { phi, sigma } = this;
    const a = this.#preActivations(inputPart, state, context);
    const i = sigma(this.gate(a, 0));
    const f = sigma(this.gate(a, 1));
    const g = phi(this.gate(a, 2));
    const o = sigma(this.gate(a, 3));
    const c = add(mul(f, state.c), mul(i, g));
    const h = matmul(mul(o, phi(c)), this.#R);
    return { y: h, state: { h, c }, gates: { i, f, g, o } };
  }
}

const projectedOptions = (): OptionTypes<ProjectedLstmCellOptions> => ({
  ...gatedCellOptions(),
  unitForgetBias: 'boolean',
  projection: 'count',
  projectionInitializer: true,
  projectionRegularizer: true,
  projectionConstraint: true,
});

/** Creates an LSTM cell with a recurrent projection, for `recurrent` and `stackedCells`. */
export function projectedLstmCell(options: ProjectedLstmCellOptions): ProjectedLstmCell {
  checkOptions('projectedLstmCell', options, projectedOptions());
  return new ProjectedLstmCell(options);
}

/**
 * Creates an LSTM layer with a recurrent projection over sequences x [B, T, I].
 * @returns a layer with the output [B, P], or [B, T, P] with `returnSequences`; with `returnState` also h [B, P] and
 * c [B, H]. Its inputs are x, or x, h0 and c0.
 */
export function projectedLstm(options: ProjectedLstmCellOptions & RecurrentOptions): Recurrent {
  checkOptions('projectedLstm', options, { ...projectedOptions(), ...recurrentOptions() });
  return Recurrent.over(ProjectedLstmCell, options);
}
