/** `conv1d`: convolution over the time axis (LeCun et al. 1998; dilated and causal: van den Oord et al. 2016). */
import { add, linear, matmul, type Parameter, permute, reshape, type Shape, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { type Activation, activatedWidth, activation } from '../activations.js';
import { checkUnits } from '../cells/matrix-cell.js';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import type { LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';
import { WindowLayer } from './window-layer.js';
import { WINDOW_PADDINGS, type WindowPadding } from './windows.js';

export interface Conv1DOptions extends LayerOptions {
  /** Number of filters: the width of the output. */
  filters: number;
  /** Number of steps that a filter reads. */
  kernelSize: number;
  /** Number of input steps per output step. Default 1. */
  strides?: number;
  /**
   * `valid`: no padding. `same`: zeros on both sides, for ceil(T / strides) outputs. `causal`: zeros before the
   * sequence, so that no output depends on later steps. Default `valid`.
   */
  padding?: WindowPadding;
  /** Distance between the steps that a filter reads. Default 1. */
  dilationRate?: number;
  /** Number of groups into which the features are divided; each filter reads one group. Default 1. */
  groups?: number;
  /** Activation of the outputs. Default `linear`. */
  activation?: Activation;
  /** Add a bias. Default true. */
  useBias?: boolean;
  /** Initialiser of W [kernelSize, I / groups, filters]. Default `glorotUniform`. */
  kernelInitializer?: Initializer;
  /** Initialiser of b [filters]. Default `zeros`. */
  biasInitializer?: Initializer;
  /** Regularisers of W and b. Default: none. */
  kernelRegularizer?: Regularizer | null;
  biasRegularizer?: Regularizer | null;
  /** Constraints on W and b after each update. Default: none. */
  kernelConstraint?: Constraint | null;
  biasConstraint?: Constraint | null;
}

export class Conv1D extends WindowLayer<Conv1DOptions> {
  static override readonly className = 'Conv1D';
  protected override readonly countsValidSteps = false;
  readonly #activation: Activation;
  readonly #groups: number;
  #W!: Parameter;
  #b: Parameter | null = null;

  constructor(options: Conv1DOptions) {
    const { strides = 1, dilationRate: dilation = 1, groups = 1, padding = 'valid', filters } = options;
    super(options, { size: options.kernelSize, strides, dilation, padding });
    const counts = { filters, kernelSize: options.kernelSize, strides, dilationRate: dilation, groups };
    for (const [name, count] of Object.entries(counts)) checkUnits(this.label, count, name);
    if (filters % groups !== 0)
      throw this.error('value', `filters must be a multiple of groups (${groups}), got ${filters}.`);
    this.#groups = groups;
    this.#activation = options.activation ?? 'linear';
    activation(this.#activation, this.label);
  }

  protected outputWidth(x: Shape): number {
    const groups = this.#groups;
    const width = this.built ? this.#W.shape[1] * groups : x[2];
    if (width < 1)
      throw this.shapeError(x, '[batch, time, features]', 'The number of features must be known.');
    if (x[2] !== width) throw this.shapeError(x, `[batch, time, ${width}]`);
    if (width % groups !== 0)
      throw this.shapeError(x, `a number of features that is a multiple of groups (${groups})`);
    return activatedWidth(this.#activation, this.options.filters);
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    const o = this.options;
    const shape = [o.kernelSize, x[2] / this.#groups, o.filters];
    this.#W = this.addParameter('kernel', shape, o.kernelInitializer ?? 'glorotUniform', {
      regularizer: o.kernelRegularizer,
      constraint: o.kernelConstraint,
    });
    if (o.useBias === false) return;
    this.#b = this.addParameter('bias', [o.filters], o.biasInitializer ?? 'zeros', {
      regularizer: o.biasRegularizer,
      constraint: o.biasConstraint,
    });
  }

  protected reduce(values: Tensor): Tensor {
    const sums = this.#groups === 1 ? this.#product(values) : this.#groupedProduct(values);
    return activation(this.#activation)(sums);
  }

  #product(values: Tensor): Tensor {
    const [B, count, size, width] = values.shape;
    const W = reshape(this.#W, [size * width, this.options.filters]);
    return linear(reshape(values, [B, count, size * width]), W, this.#b);
  }

  /** Computes one product per group: windows [G, B * count, size * I/G] times W [G, size * I/G, filters/G]. */
  #groupedProduct(values: Tensor): Tensor {
    const [B, count, size, width] = values.shape;
    const [G, { filters }] = [this.#groups, this.options];
    const windows = permute(reshape(values, [B * count, size, G, width / G]), [2, 0, 1, 3]);
    const W = permute(reshape(this.#W, [(size * width) / G, G, filters / G]), [1, 0, 2]);
    const products = matmul(reshape(windows, [G, B * count, (size * width) / G]), W);
    const sums = reshape(permute(products, [1, 0, 2]), [B, count, filters]);
    return this.#b ? add(sums, this.#b) : sums;
  }
}

/**
 * Creates a convolution over time: x [B, T, I] to [B, T', filters]. T' is floor((T - span) / strides) + 1 with `valid`
 * padding, where span = (kernelSize - 1) dilationRate + 1, and ceil(T / strides) otherwise.
 *
 * Masked steps are read as zeros, and the output has a mask. An output is valid if all steps of its window are valid
 * (`valid` padding), if the last one is valid (`causal`), or if the one in the middle is valid (`same`). The results for a
 * padded sequence thus equal the results for the sequence without padding. (Keras 3 reads masked steps and drops the mask.)
 *
 * A causal convolution can be streamed. With strides, each chunk must complete an output: push multiples of `strides`.
 */
export function conv1d(options: Conv1DOptions): Conv1D {
  checkOptions('conv1d', options, {
    filters: 'count',
    kernelSize: 'count',
    strides: 'count',
    padding: WINDOW_PADDINGS,
    dilationRate: 'count',
    groups: 'count',
    activation: true,
    useBias: 'boolean',
    kernelInitializer: true,
    biasInitializer: true,
    kernelRegularizer: true,
    biasRegularizer: true,
    kernelConstraint: true,
    biasConstraint: true,
    ...LAYER,
  });
  return new Conv1D(options);
}
