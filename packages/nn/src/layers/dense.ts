/** `dense`: a fully connected layer, y = φ(x W + b) on the last axis. */
import { linear, type MaskedSequence, type Parameter, type Shape } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { type Activation, activatedWidth, activation } from '../activations.js';
import { checkUnits } from '../cells/matrix-cell.js';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';

export interface DenseOptions extends LayerOptions {
  /** Width of the output. */
  units: number;
  /** φ. Default `linear`. */
  activation?: Activation;
  /** Add a bias. Default true. */
  useBias?: boolean;
  /** Initialiser of W [I, units]. Default `glorotUniform`. */
  kernelInitializer?: Initializer;
  /** Initialiser of b [units]. Default `zeros`. */
  biasInitializer?: Initializer;
  /** Regularisers of W and b. Default: none. */
  kernelRegularizer?: Regularizer | null;
  biasRegularizer?: Regularizer | null;
  /** Constraints on W and b after each update. Default: none. */
  kernelConstraint?: Constraint | null;
  biasConstraint?: Constraint | null;
}

export class Dense extends Layer<DenseOptions> {
  static override readonly className = 'Dense';
  readonly #activation: Activation;
  #W!: Parameter;
  #b: Parameter | null = null;

  constructor(options: DenseOptions) {
    super(options);
    checkUnits(this.label, options.units);
    this.#activation = options.activation ?? 'linear';
    activation(this.#activation, this.label);
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    const width = this.built ? this.#W.shape[0] : (x.at(-1) ?? -1);
    if (x.length < 2 || x.at(-1) !== width || width < 1) {
      throw this.shapeError(
        x,
        `[batch, ..., ${width > 0 ? width : 'features'}]`,
        width > 0 ? '' : 'The number of features must be known.',
      );
    }
    return [[...x.slice(0, -1), activatedWidth(this.#activation, this.options.units)]];
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    const o = this.options;
    this.#W = this.addParameter(
      'kernel',
      [x[x.length - 1], o.units],
      o.kernelInitializer ?? 'glorotUniform',
      {
        regularizer: o.kernelRegularizer,
        constraint: o.kernelConstraint,
      },
    );
    if (o.useBias === false) return;
    this.#b = this.addParameter('bias', [o.units], o.biasInitializer ?? 'zeros', {
      regularizer: o.biasRegularizer,
      constraint: o.biasConstraint,
    });
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const sum = linear(x.value, this.#W, this.#b);
    return [{ value: activation(this.#activation)(sum), mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Creates a fully connected layer on the last axis: [B, ..., I] to [B, ..., units]. */
export function dense(options: DenseOptions): Dense {
  checkOptions('dense', options, {
    units: 'count',
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
  return new Dense(options);
}
