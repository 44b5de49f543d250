/**
 * The LSTM cell with layer normalisation (Ba, Kiros & Hinton 2016, equations 20 to 22). LN(v) normalises each row of
 * v [B, n]: (row - mean) / √(variance + ε). γ and β are learned.
 *
 *   a = γx LN(x W) + γh LN(h U) + b        pre-activations of the gates i f g o; LN runs over all four together
 *   i = σ(ai)      f = σ(af)      g = φ(ag)      o = σ(ao)
 *   c ← f c + i g
 *   h ← o φ(γc LN(c) + βc)
 *
 * W [I, 4H], U [H, 4H] and b [4H] have the layout of the LSTM; γx and γh are [4H], γc and βc [H].
 *
 * With a single input feature, LN(x W) depends almost only on the sign of x, because all numbers of x W are proportional to x.
 * Put a dense layer with a bias between such an input and this cell.
 *
 * `LayerNormLSTMCell` in PyTorch's fastrnns benchmark keeps the normalised c as the state, unlike the paper. The option
 * `normalizeState` does the same; b then corresponds to the sum of that cell's two biases.
 *
 * The cell uses two fused ops if the backend supports them: one for layer normalisation, and one for the gates and the cell
 * state of a step.
 */
import {
  add,
  div,
  layerNorm,
  matmul,
  mean,
  mul,
  type Parameter,
  sqrt,
  square,
  sub,
  type Tensor,
} from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import type { Initializer } from '../initializers.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { gatedCellOptions, recurrentOptions } from '../option-names.js';
import type { ParameterMaker, StepContext, StepResult } from './cell.js';
import { HoistedCell } from './hoisted.js';
import { type LstmCellOptions, type LstmState, lstmBias } from './lstm.js';
import { canFuse, recurrentDropout } from './matrix-cell.js';

export interface LayerNormLstmCellOptions extends LstmCellOptions {
  /** ε, added to the variance to avoid a division by 0. Default 1e-5, as in PyTorch (Keras's layers use 1e-3). */
  epsilon?: number;
  /** Initialiser of γx, γh and γc. Default `ones`. */
  gammaInitializer?: Initializer;
  /**
   * Keep the normalised c as the state, as PyTorch's benchmark cell does. Default false: as in the paper, only the output
   * uses the normalised c.
   */
  normalizeState?: boolean;
}

export class LayerNormLstmCell extends HoistedCell<LayerNormLstmCellOptions, LstmState> {
  static readonly className = 'LayerNormLSTMCell';
  readonly stateSizes = { h: this.units, c: this.units } as const;
  #gammaX!: Parameter;
  #gammaH!: Parameter;
  #gammaC!: Parameter;
  #betaC: Parameter | null = null;

  build(inputSize: number, make: ParameterMaker): void {
    const H = this.units;
    const { gammaInitializer = 'ones', useBias } = this.options;
    this.makeMatrices(inputSize, 4, make, { initializer: lstmBias(this.options) });
    this.#gammaX = make('gamma_input', [4 * H], gammaInitializer);
    this.#gammaH = make('gamma_recurrent', [4 * H], gammaInitializer);
    this.#gammaC = make('gamma_state', [H], gammaInitializer);
    if (useBias !== false) this.#betaC = make('beta_state', [H], 'zeros');
  }

  protected override inputPart(x: Tensor): Tensor {
    return this.#normalize(matmul(x, this.W), this.#gammaX, this.b);
  }

  /** Computes the pre-activations of all gates, [B, 4H]. */
  #preActivations(inputPart: Tensor, { h }: LstmState, context: StepContext): Tensor {
    const products = matmul(recurrentDropout(h, context), context.droppedWeights ?? this.U);
    return add(inputPart, this.#normalize(products, this.#gammaH, null));
  }

  /** Computes the output and the states. */
  #outputs(o: Tensor, c: Tensor): Pick<StepResult<LstmState>, 'y' | 'state'> {
    const normalized = this.#normalize(c, this.#gammaC, this.#betaC);
    const h = mul(o, this.phi(normalized));
    return { y: h, state: { h, c: this.options.normalizeState ? normalized : c } };
  }

  protected override fusedStep(
    inputPart: Tensor,
    state: LstmState,
    context: StepContext,
  ): StepResult<LstmState> | null {
    const fused = this.fusedGates(this.#preActivations(inputPart, state, context), state.c);
    return fused && this.#outputs(fused.o, fused.c);
  }

  protected stepFrom(inputPart: Tensor, state: LstmState, context: StepContext): StepResult<LstmState> {
    const { phi, sigma } = this;
    const a = this.#preActivations(inputPart, state, context);
    const i = sigma(this.gate(a, 0));
    const f = sigma(this.gate(a, 1));
    const g = phi(this.gate(a, 2));
    const o = sigma(this.gate(a, 3));
    const c = add(mul(f, state.c), mul(i, g));
    return { ...this.#outputs(o, c), gates: { i, f, g, o } };
  }

  /** Returns γ LN(v) + β over the last axis of v. */
  #normalize(v: Tensor, gamma: Parameter, beta: Parameter | null): Tensor {
    const { epsilon = 1e-5 } = this.options;
    if (canFuse('layerNorm')) return layerNorm(v, { gamma, beta, epsilon });
    const centered = sub(v, mean(v, -1, true));
    const variance = mean(square(centered), -1, true);
    const deviation = sqrt(add(variance, epsilon));
    const scaled = mul(div(centered, deviation), gamma);
    return beta ? add(scaled, beta) : scaled;
  }
}

const layerNormOptions = (): OptionTypes<LayerNormLstmCellOptions> => ({
  ...gatedCellOptions(),
  unitForgetBias: 'boolean',
  epsilon: 'number',
  gammaInitializer: true,
  normalizeState: 'boolean',
});

/** Creates an LSTM cell with layer normalisation, for `recurrent` and `stackedCells`. */
export function layerNormLstmCell(options: LayerNormLstmCellOptions): LayerNormLstmCell {
  checkOptions('layerNormLstmCell', options, layerNormOptions());
  return new LayerNormLstmCell(options);
}

/**
 * Creates a layer over sequences x [B, T, I]: an LSTM with layer normalisation inside the cell, and the inputs and outputs
 * of `lstm`. Sequences should have at least two features: the normalisation removes the magnitude of a single feature.
 */
export function layerNormLstm(options: LayerNormLstmCellOptions & RecurrentOptions): Recurrent {
  checkOptions('layerNormLstm', options, { ...layerNormOptions(), ...recurrentOptions() });
  return Recurrent.over(LayerNormLstmCell, options);
}
