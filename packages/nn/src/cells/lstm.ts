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
 * The four matrices are stacked side by side in this order, as in Keras: W [I, 4H], U [H, 4H], b [4H]. The fast version
 * of the same equations is packages/kernels/cpp/lstm.cpp; both are held equal by test.
 */
import {
  add,
  lstmSequence,
  matmul,
  mul,
  type Parameter,
  slice,
  type Tensor,
  valueError,
  zeros,
} from '@unroll/core';
import { type Activation, activation, isFused } from '../activations.js';
import { type Initializer, initialize } from '../initializers.js';
import type { Cell, CellState, ParameterMaker, SequenceContext, StepContext } from './cell.js';

export interface LstmCellOptions {
  /** H, the width of h and c. */
  units: number;
  /** φ, of candidate and output. Default `tanh`. */
  activation?: Activation;
  /** σ, of the gates. Default `sigmoid`. */
  recurrentActivation?: Activation;
  /** Default true. */
  useBias?: boolean;
  /** Of W. Default `glorotUniform`. */
  kernelInitializer?: Initializer;
  /** Of U. Default `orthogonal`. */
  recurrentInitializer?: Initializer;
  /** Of b. Default `zeros`. */
  biasInitializer?: Initializer;
  /** Start the forget gate's bias at 1, so that the cell remembers at first (Jozefowicz et al. 2015). Default true. */
  unitForgetBias?: boolean;
}

export class LstmCell implements Cell {
  readonly className = 'LSTM';
  readonly units: number;
  readonly stateSizes: Readonly<Record<'h' | 'c', number>>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly #options: LstmCellOptions;
  readonly #phi: Activation;
  readonly #sigma: Activation;
  #W!: Parameter;
  #U!: Parameter;
  #b: Parameter | null = null;

  constructor(options: LstmCellOptions) {
    if (!Number.isInteger(options.units) || options.units < 1) {
      throw valueError(`LSTM: units is a whole number from 1, got ${options.units}.`, {
        units: options.units,
      });
    }
    this.#options = options;
    this.config = { ...options };
    this.units = options.units;
    this.stateSizes = { h: options.units, c: options.units };
    this.#phi = options.activation ?? 'tanh';
    this.#sigma = options.recurrentActivation ?? 'sigmoid';
    activation(this.#phi);
    activation(this.#sigma);
  }

  build(inputSize: number, make: ParameterMaker): void {
    const H = this.units;
    const o = this.#options;
    this.#W = make('kernel', [inputSize, 4 * H], o.kernelInitializer ?? 'glorotUniform');
    this.#U = make('recurrent_kernel', [H, 4 * H], o.recurrentInitializer ?? 'orthogonal');
    if (o.useBias === false) return;
    const initializer = o.biasInitializer ?? 'zeros';
    this.#b = make('bias', [4 * H], (shape, random) => {
      const bias = Float64Array.from(initialize(initializer, shape, random));
      return o.unitForgetBias === false ? bias : bias.fill(1, H, 2 * H);
    });
  }

  zeroState(batch: number): CellState {
    return { h: zeros([batch, this.units]), c: zeros([batch, this.units]) };
  }

  step(x: Tensor, state: CellState, { recurrentMask }: StepContext): { y: Tensor; state: CellState } {
    const H = this.units;
    const phi = activation(this.#phi);
    const sigma = activation(this.#sigma);
    const hSeen = recurrentMask ? mul(state.h!, recurrentMask) : state.h!;
    const products = add(matmul(x, this.#W), matmul(hSeen, this.#U));
    const a = this.#b ? add(products, this.#b) : products;
    const part = (gate: number): Tensor => slice(a, 1, gate * H, (gate + 1) * H);
    const i = sigma(part(0));
    const f = sigma(part(1));
    const g = phi(part(2));
    const o = sigma(part(3));
    const c = add(mul(f, state.c!), mul(i, g));
    const h = mul(o, phi(c));
    return { y: h, state: { h, c } };
  }

  sequence(
    x: Tensor,
    state: CellState | null,
    context: SequenceContext,
  ): { y: Tensor; state: CellState } | null {
    if (!isFused(this.#phi) || !isFused(this.#sigma)) return null;
    const { mask, recurrentMask, ...layout } = context;
    const { y, h, c } = lstmSequence(
      {
        x,
        W: this.#W,
        U: this.#U,
        b: this.#b,
        h0: state?.h ?? null,
        c0: state?.c ?? null,
        mask,
        recurrentMask,
      },
      { activation: this.#phi, recurrentActivation: this.#sigma, ...layout },
    );
    return { y, state: { h, c } };
  }
}
