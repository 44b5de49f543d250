/** `dense`: y = φ(x W + b) on the last axis. */
import {
  add,
  type Flow,
  type ForwardContext,
  matmul,
  type Parameter,
  type Shape,
  valueError,
} from '@unroll/core';
import { type Activation, activation } from '../activations.js';
import type { Initializer } from '../initializers.js';
import { Layer, type LayerOptions } from '../layer.js';

export interface DenseOptions extends LayerOptions {
  /** Width of the output. */
  units: number;
  /** φ. Default `linear`. */
  activation?: Activation;
  /** Default true. */
  useBias?: boolean;
  /** Of W [I, units]. Default `glorotUniform`. */
  kernelInitializer?: Initializer;
  /** Of b [units]. Default `zeros`. */
  biasInitializer?: Initializer;
}

export class Dense extends Layer {
  readonly className = 'Dense';
  protected override readonly options: Readonly<DenseOptions>;
  #W!: Parameter;
  #b: Parameter | null = null;

  constructor(options: DenseOptions) {
    super(options);
    if (!Number.isInteger(options.units) || options.units < 1) {
      throw valueError(`Dense: units is a whole number from 1, got ${options.units}.`, {
        units: options.units,
      });
    }
    this.options = options;
    activation(options.activation ?? 'linear');
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    const width = this.built ? this.#W.shape[0]! : (x!.at(-1) ?? -1);
    if (x!.length < 2 || x!.at(-1) !== width || width < 1) {
      throw this.shapeError(x!, `[batch, ..., ${width > 0 ? width : 'features'}]`);
    }
    return [[...x!.slice(0, -1), this.options.units]];
  }

  protected makeParameters([x]: readonly Shape[]): void {
    const {
      units,
      useBias = true,
      kernelInitializer = 'glorotUniform',
      biasInitializer = 'zeros',
    } = this.options;
    this.#W = this.addParameter('kernel', [x!.at(-1)!, units], kernelInitializer);
    if (useBias) this.#b = this.addParameter('bias', [units], biasInitializer);
  }

  call([x]: readonly Flow[], _context: ForwardContext): Flow[] {
    this.outputShapes([x!.value.shape]);
    const product = matmul(x!.value, this.#W);
    const sum = this.#b ? add(product, this.#b) : product;
    return [{ value: activation(this.options.activation ?? 'linear')(sum), mask: x!.mask }];
  }
}

/** A fully connected layer on the last axis: [B, ..., I] to [B, ..., units]. */
export function dense(options: DenseOptions): Dense {
  return new Dense(options);
}
