/** `conv2d`: convolution over images (LeCun et al. 1998); inside `timeDistributed`, over the frames of a video. */
import { linear, type Parameter, reshape, type Shape, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { type Activation, activatedWidth, activation } from '../activations.js';
import { checkUnits } from '../cells/matrix-cell.js';
import type { Initializer } from '../initializers.js';
import { LAYER } from '../option-names.js';
import type { Conv1DOptions } from './convolution.js';
import { WindowLayer2D } from './window-layer-2d.js';
import { PADDINGS_2D, type Padding2D, type Pair } from './windows-2d.js';

/** The options of `conv1d`, for images, without `groups`. */
export interface Conv2DOptions
  extends Omit<
    Conv1DOptions,
    'kernelSize' | 'strides' | 'padding' | 'dilationRate' | 'groups' | 'kernelInitializer'
  > {
  /** Size of the window that a filter reads, in pixels: a number, or [height, width]. */
  kernelSize: Pair;
  /** Input pixels per output pixel: a number, or [height, width]. Default 1. */
  strides?: Pair;
  /** `valid`: no padding. `same`: zeros around the image, for ceil(size / strides) outputs. Default `valid`. */
  padding?: Padding2D;
  /** Distance between the pixels that a filter reads: a number, or [height, width]. Default 1. */
  dilationRate?: Pair;
  /** Initialiser of W [height, width, channels, filters]. Default `glorotUniform`. */
  kernelInitializer?: Initializer;
}

export class Conv2D extends WindowLayer2D<Conv2DOptions> {
  static override readonly className = 'Conv2D';
  readonly #activation: Activation;
  #W!: Parameter;
  #b: Parameter | null = null;

  constructor(options: Conv2DOptions) {
    const { kernelSize: size, strides = 1, dilationRate: dilation = 1, padding = 'valid' } = options;
    super(options, { size, strides, dilation, padding, name: 'kernelSize' });
    checkUnits(this.label, options.filters, 'filters');
    this.#activation = options.activation ?? 'linear';
    activation(this.#activation, this.label);
  }

  protected outputChannels(x: Shape): number {
    const channels = this.built ? this.#W.shape[2] : x[3];
    if (channels < 1)
      throw this.shapeError(x, '[batch, height, width, channels]', 'The number of channels must be known.');
    if (x[3] !== channels) throw this.shapeError(x, `[batch, height, width, ${channels}]`);
    return activatedWidth(this.#activation, this.options.filters);
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    const o = this.options;
    const [height, width] = this.window;
    const shape = [height.size, width.size, x[3], o.filters];
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
    const [B, count, size, channels] = values.shape;
    const W = reshape(this.#W, [size * channels, this.options.filters]);
    return activation(this.#activation)(linear(reshape(values, [B, count, size * channels]), W, this.#b));
  }
}

/**
 * Creates a convolution over images, with the same results as in Keras 3: x [B, H, W, channels] to [B, H', W', filters]. H'
 * is floor((H - span) / strides) + 1 with `valid` padding, where span = (kernelSize - 1) dilationRate + 1, and
 * ceil(H / strides) with `same`; W' likewise. `timeDistributed(conv2d({ ... }))` applies the convolution to each frame of a
 * video [B, T, H, W, channels].
 */
export function conv2d(options: Conv2DOptions): Conv2D {
  checkOptions('conv2d', options, {
    filters: 'count',
    kernelSize: true,
    strides: true,
    padding: PADDINGS_2D,
    dilationRate: true,
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
  return new Conv2D(options);
}
