/**
 * The base class of minGRU and minLSTM (Feng et al. 2024, "Were RNNs all we needed?"). Their gates depend on x only, not on
 * the state, so all gates of all steps are computed at once, by matrix products. The state then follows from h ← a h + b, a
 * linear scan over time. The subclasses compute a and b.
 *
 * The candidate is h̃ = φ(x Wh + bh). In the log-space version of the paper, and in its published code, φ is
 *
 *   g(x) = x + 1/2 for x >= 0, σ(x) otherwise
 *
 * which is positive, so that a parallel scan can work on logarithms. The sequential scan of this library needs no
 * logarithms, but g is part of the trained model. In the plain version of the paper, φ is the identity.
 */
import {
  add,
  linear,
  linearScan,
  maximum,
  mul,
  type Parameter,
  reshape,
  reverse as reversed,
  sigmoid,
  slice,
  type Tensor,
  valueError,
} from '@unroll/core';
import type { OptionTypes } from '@unroll/core/internal';
import type { Activation } from '../activations.js';
import { cleanConfig } from '../json.js';
import type { RecurrentOptions } from '../layers/recurrent.js';
import { lengthMask, maskProperties, startedMask, zeroMaskedSteps } from '../masks.js';
import { CELL, recurrentOptions } from '../option-names.js';
import type {
  Cell,
  ParameterMaker,
  SequenceContext,
  SequenceResult,
  StepContext,
  StepResult,
} from './cell.js';
import {
  type CellOptions,
  canFuse,
  cellActivation,
  cellOwner,
  checkRate,
  checkUnits,
} from './matrix-cell.js';
import { timeLoop } from './run.js';

type RecurrentOptionName =
  | 'recurrentInitializer'
  | 'recurrentRegularizer'
  | 'recurrentConstraint'
  | 'recurrentDropout';

/** The options of other cells, without those of a recurrent product, which these cells do not have. */
export interface MinCellOptions extends Omit<CellOptions, 'activation' | RecurrentOptionName> {
  /**
   * φ, the activation of the candidate. Default `logSpace`: g(x) of the paper's log-space version. `linear`: the paper's
   * plain version.
   */
  activation?: Activation | 'logSpace';
}

/** Options of the layers, without recurrent dropout, because the cells have no recurrent product. */
export type MinOptions = MinCellOptions & Omit<RecurrentOptions, 'recurrentDropout'>;

/** The state h, [B, H]. */
export type MinState = { h: Tensor };

/** The coefficients of h ← a h + b, and the values from which they were computed; all [..., H]. */
export interface MinGates {
  a: Tensor;
  b: Tensor;
  gates: Readonly<Record<string, Tensor>>;
}

export abstract class MinCell implements Cell<MinState> {
  readonly units: number;
  readonly dropout: number;
  readonly stateSizes: { readonly h: number };
  protected readonly options: Readonly<MinCellOptions>;
  protected readonly phi: (x: Tensor) => Tensor;
  /** G, the number of matrices that W concatenates: one for each gate and one for the candidate. */
  protected abstract readonly gateCount: number;
  #W!: Parameter;
  #b: Parameter | null = null;

  constructor(options: MinCellOptions) {
    const owner = cellOwner(options, this.className);
    checkUnits(owner, options.units);
    const { activation = 'logSpace' } = options;
    this.options = options;
    this.units = options.units;
    this.stateSizes = { h: options.units };
    this.dropout = checkRate(owner, 'dropout', options.dropout);
    this.phi = activation === 'logSpace' ? logSpaceActivation : cellActivation(activation, owner);
  }

  get className(): string {
    return (this.constructor as unknown as { className: string }).className;
  }

  get config(): Readonly<Record<string, unknown>> {
    return cleanConfig(this.options);
  }

  build(inputSize: number, make: ParameterMaker): void {
    const o = this.options;
    const width = this.gateCount * o.units;
    this.#W = make('kernel', [inputSize, width], o.kernelInitializer ?? 'glorotUniform', {
      regularizer: o.kernelRegularizer,
      constraint: o.kernelConstraint,
    });
    if (o.useBias === false) return;
    this.#b = make('bias', [width], o.biasInitializer ?? 'zeros', {
      regularizer: o.biasRegularizer,
      constraint: o.biasConstraint,
    });
  }

  /** @internal Computes a and b. @param preActivation returns the pre-activation of one gate, [..., H] */
  abstract coefficients(preActivation: (gate: number) => Tensor): MinGates;

  step(x: Tensor, { h }: MinState, context: StepContext): StepResult<MinState> {
    this.#rejectRecurrentDropout(context);
    const preActivations = linear(x, this.#W, this.#b);
    const { a, b, gates } = this.coefficients((gate) => this.#columns(preActivations, gate));
    const next = add(mul(a, h), b);
    return { y: next, state: { h: next }, gates };
  }

  /**
   * Computes the products over all steps, then the scan: as one op, or step by step if the backend has no kernel for it.
   * Each gate has a separate product: slicing the columns of W copies much less than slicing those of a common product.
   */
  sequence(x: Tensor, state: MinState | null, context: SequenceContext): SequenceResult<MinState> {
    this.#rejectRecurrentDropout(context);
    const { mask, reverse } = context;
    const input = mask === null ? x : zeroMaskedSteps(x, mask);
    if (!canFuse('linearScan')) return this.#scanStepwise(linear(input, this.#W, this.#b), state, context);
    const { a, b } = this.coefficients((gate) =>
      linear(input, this.#columns(this.#W, gate), this.#b && this.#columns(this.#b, gate)),
    );
    const { y, h } = linearScan({ a, b, h0: state?.h ?? null, mask }, { reverse });
    return { y: outputs(y, h, state !== null, context), state: { h } };
  }

  clone(): Cell<MinState> {
    return new (this.constructor as new (options: Readonly<MinCellOptions>) => Cell<MinState>)(this.options);
  }

  /** Returns the columns of one gate of a tensor [..., G*H]. */
  #columns(allGates: Tensor, gate: number): Tensor {
    return slice(allGates, -1, gate * this.units, (gate + 1) * this.units);
  }

  /** Runs the scan step by step. @param preActivations of all steps and gates, [B, T, G*H] */
  #scanStepwise(
    preActivations: Tensor,
    state: MinState | null,
    context: SequenceContext,
  ): SequenceResult<MinState> {
    const { units, stateSizes } = this;
    const step = (stepPreActivations: Tensor, { h }: MinState): StepResult<MinState> => {
      const { a, b } = this.coefficients((gate) => this.#columns(stepPreActivations, gate));
      const next = add(mul(a, h), b);
      return { y: next, state: { h: next } };
    };
    return timeLoop({ units, stateSizes, step }, preActivations, state, context) as SequenceResult<MinState>;
  }

  #rejectRecurrentDropout({ recurrentDropoutMask }: StepContext): void {
    if (recurrentDropoutMask === null) return;
    throw valueError(
      `${this.className} has no recurrent product, so recurrentDropout has no meaning. Use dropout, or zoneoutCell.`,
    );
  }
}

/** Returns g(x) of the log-space version, computed as a maximum: x + 1/2 is above σ(x) where x > 0, and below where x < 0. */
function logSpaceActivation(x: Tensor): Tensor {
  return maximum(add(x, 0.5), sigmoid(x));
}

/**
 * Returns the outputs of the layer. The output at a masked step is the state. Before the first valid step, and at all
 * masked steps with `zeroOutputForMask`, it is 0.
 * @param y states [B, T, H] in time order
 * @param h final state [B, H]
 */
function outputs(y: Tensor, h: Tensor, hasInitialState: boolean, context: SequenceContext): Tensor {
  const { mask, reverse, timeOrder, returnSequences, zeroOutputForMask } = context;
  const [B, T] = y.shape;
  let factor: Tensor | null = null; // [B, T] in time order; without initial states, h is 0 before the first valid step
  if (mask && zeroOutputForMask) factor = mask;
  else if (mask && hasInitialState)
    factor = reverse ? lengthMask(maskProperties(mask).lengths, T) : startedMask(mask);
  if (!returnSequences) {
    const lastStep = reverse ? 0 : T - 1;
    return factor ? mul(h, slice(factor, 1, lastStep, lastStep + 1)) : h;
  }
  const masked = factor ? mul(y, reshape(factor, [B, T, 1])) : y;
  return reverse && !timeOrder ? reversed(masked, 1) : masked;
}

export function minCellOptions(): OptionTypes<MinCellOptions> {
  const { recurrentInitializer, recurrentRegularizer, recurrentConstraint, recurrentDropout, ...rest } = CELL;
  return rest;
}

export function minOptions(): OptionTypes<MinOptions> {
  const { recurrentDropout, ...rest } = recurrentOptions();
  return { ...minCellOptions(), ...rest };
}
