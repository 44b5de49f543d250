/**
 * The base class of the built-in cells with a recurrent matrix: their options, and the parameters W [I, G*H], U [H, G*H]
 * and b, in which the matrices of all G gates are concatenated as in Keras. The file of each cell contains only its
 * equations.
 */
import {
  add,
  currentBackend,
  matmul,
  mul,
  type Parameter,
  type Shape,
  slice,
  type Tensor,
  valueError,
} from '@unroll/core';
import { type KernelName, recording } from '@unroll/core/internal';
import { type Activation, activatedWidth, activation } from '../activations.js';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import { cleanConfig } from '../json.js';
import type { Regularizer } from '../regularizers.js';
import type { Cell, CellState, ParameterMaker, StepContext, StepResult } from './cell.js';

export interface CellOptions {
  /** H, the width of the state and of the output. */
  units: number;
  /** φ, the activation of the candidate and the output. Default `tanh`. */
  activation?: Activation;
  /** Add a bias. Default true. */
  useBias?: boolean;
  /** Initialiser of W. Default `glorotUniform`. */
  kernelInitializer?: Initializer;
  /** Initialiser of U. Default `orthogonal`. */
  recurrentInitializer?: Initializer;
  /** Initialiser of b. Default `zeros`. */
  biasInitializer?: Initializer;
  /** Regularisers of W, U and b. Default: none. */
  kernelRegularizer?: Regularizer | null;
  recurrentRegularizer?: Regularizer | null;
  biasRegularizer?: Regularizer | null;
  /** Constraints on W, U and b after each update. Default: none. */
  kernelConstraint?: Constraint | null;
  recurrentConstraint?: Constraint | null;
  biasConstraint?: Constraint | null;
  /** Dropout rate of the inputs, with the same mask at every step. Default 0. */
  dropout?: number;
  /** Dropout rate of the previous state h in the recurrent products, with the same mask at every step and gate. Default 0. */
  recurrentDropout?: number;
  /**
   * Rate of weight drop: the fraction of the elements of U that training sets to 0, redrawn for each batch; the others
   * are divided by 1 - rate. This is DropConnect (Wan et al. 2013) on the recurrent weights, as in the AWD-LSTM (Merity
   * et al. 2018). Default 0.
   */
  weightDrop?: number;
}

export interface GatedCellOptions extends CellOptions {
  /** σ, the activation of the gates. Default `sigmoid`. */
  recurrentActivation?: Activation;
}

export abstract class MatrixCell<
  O extends GatedCellOptions = GatedCellOptions,
  S extends CellState = CellState,
> implements Cell<S>
{
  readonly units: number;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly weightDrop: number;
  abstract readonly stateSizes: Readonly<Record<keyof S, number>>;
  protected readonly options: Readonly<O>;
  protected readonly phiName: Activation;
  protected readonly sigmaName: Activation;
  /** φ */
  protected readonly phi: (x: Tensor) => Tensor;
  /** σ */
  protected readonly sigma: (x: Tensor) => Tensor;
  protected W!: Parameter;
  protected U!: Parameter;
  protected b: Parameter | null = null;

  constructor(options: O) {
    const owner = cellOwner(options, this.className);
    checkUnits(owner, options.units);
    this.options = options;
    this.units = options.units;
    this.dropout = checkRate(owner, 'dropout', options.dropout);
    this.recurrentDropout = checkRate(owner, 'recurrentDropout', options.recurrentDropout);
    this.weightDrop = checkRate(owner, 'weightDrop', options.weightDrop);
    this.phiName = options.activation ?? 'tanh';
    this.sigmaName = options.recurrentActivation ?? 'sigmoid';
    this.phi = cellActivation(this.phiName, owner);
    this.sigma = cellActivation(this.sigmaName, owner);
  }

  get className(): string {
    return (this.constructor as unknown as { className: string }).className;
  }

  get config(): Readonly<Record<string, unknown>> {
    return cleanConfig(this.options);
  }

  get recurrentWeights(): Parameter {
    return this.U;
  }

  abstract build(inputSize: number, make: ParameterMaker): void;
  abstract step(x: Tensor, state: S, context: StepContext): StepResult<S>;

  clone(): Cell<S> {
    return new (this.constructor as new (options: Readonly<O>) => Cell<S>)(this.options);
  }

  /**
   * Creates W [I, G*H], U [units, G*H] and, unless `useBias` is false, b. H is the option `units`; the width of h,
   * `this.units`, is the same except for cells that project h.
   * @param bias shape and initialiser of b, if not the defaults
   */
  protected makeMatrices(
    inputSize: number,
    gates: number,
    make: ParameterMaker,
    bias: { shape?: Shape; initializer?: Initializer } = {},
  ): void {
    const o = this.options;
    const width = gates * o.units;
    const parameterOptions = (part: 'kernel' | 'recurrent' | 'bias') => ({
      regularizer: o[`${part}Regularizer`],
      constraint: o[`${part}Constraint`],
    });
    this.W = make(
      'kernel',
      [inputSize, width],
      o.kernelInitializer ?? 'glorotUniform',
      parameterOptions('kernel'),
    );
    this.U = make(
      'recurrent_kernel',
      [this.units, width],
      o.recurrentInitializer ?? 'orthogonal',
      parameterOptions('recurrent'),
    );
    if (o.useBias === false) return;
    const initializer = bias.initializer ?? o.biasInitializer ?? 'zeros';
    this.b = make('bias', bias.shape ?? [width], initializer, parameterOptions('bias'));
  }

  /**
   * Computes the pre-activations x W + h U + b of all gates, [B, G*H]; with weight drop, `droppedWeights` replaces U.
   */
  protected gateSums(x: Tensor, h: Tensor, { droppedWeights }: StepContext): Tensor {
    const products = add(matmul(x, this.W), matmul(h, droppedWeights ?? this.U));
    return this.b ? add(products, this.b) : products;
  }

  /** Returns the columns of one gate of a tensor [..., G*H]. */
  protected gate(allGates: Tensor, index: number): Tensor {
    const H = this.options.units;
    return slice(allGates, -1, index * H, (index + 1) * H);
  }
}

/** Returns true if the backend has the kernel and, in training, the kernel of its gradient. */
export function canFuse(kernel: FusedKernel): boolean {
  const backend = currentBackend();
  const gradient = `${kernel.replace('Forward', '')}Backward` as KernelName;
  return backend.supports(kernel) && (!recording.current || backend.supports(gradient));
}
type FusedKernel = `${'rnn' | 'lstm' | 'gru'}Forward` | 'linearScan' | 'lstmGates' | 'layerNorm';

/** Applies recurrent dropout to h. */
export function recurrentDropout(h: Tensor, { recurrentDropoutMask }: StepContext): Tensor {
  return recurrentDropoutMask ? mul(h, recurrentDropoutMask) : h;
}

/** Returns the label of a cell in errors: its layer, if `options` are the options of a layer, else its class. */
export function cellOwner(options: object, className: string): string {
  const { name } = options as { name?: string };
  return name ? `Layer ${name}` : className;
}

/** @throws UnrollError `value` unless `units` is a positive integer */
export function checkUnits(owner: string, units: number, name = 'units'): void {
  if (Number.isInteger(units) && units >= 1) return;
  throw valueError(`${owner}: ${name} must be a positive integer, got ${units}.`, { owner, [name]: units });
}

/** Returns the rate (default 0). @throws UnrollError `value` unless it is in [0, 1) */
export function checkRate(owner: string, name: string, rate = 0): number {
  if (rate >= 0 && rate < 1) return rate;
  throw valueError(`${owner}: ${name} must be in [0, 1), got ${rate}.`, { owner, [name]: rate });
}

/** Returns the function of an activation. @throws UnrollError `value` if it is unknown or changes the width */
export function cellActivation(name: Activation, owner: string): (x: Tensor) => Tensor {
  const found = activation(name, owner);
  if (activatedWidth(name, 2) === 2) return found;
  throw valueError(
    `${owner}: a cell cannot use the activation "${String(name)}", because it changes the width.`,
    {
      owner,
      name,
    },
  );
}
