/** Pooling over windows of images: `maxPooling2d` and `averagePooling2d`. */
import { max, type Shape, type Tensor } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import type { LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import { windowMeans } from './pooling.js';
import { WindowLayer2D } from './window-layer-2d.js';
import type { BatchWindows } from './windows.js';
import { PADDINGS_2D, type Padding2D, type Pair } from './windows-2d.js';

export interface Pooling2DOptions extends LayerOptions {
  /** Size of a window in pixels: a number, or [height, width]. Default 2. */
  poolSize?: Pair;
  /** Input pixels per output pixel: a number, or [height, width]. Default: `poolSize`. */
  strides?: Pair;
  /**
   * `valid`: whole windows only. `same`: ceil(size / strides) windows, which may extend beyond the image; only pixels of the
   * image count. Default `valid`.
   */
  padding?: Padding2D;
}

abstract class Pooling2D extends WindowLayer2D<Pooling2DOptions> {
  constructor(options: Pooling2DOptions = {}) {
    const { poolSize: size = 2, strides = size, padding = 'valid' } = options;
    super(options, { size, strides, dilation: 1, padding, name: 'poolSize' });
  }

  protected outputChannels(x: Shape): number {
    return x[3];
  }
}

export class MaxPooling2D extends Pooling2D {
  static override readonly className = 'MaxPooling2D';
  protected override readonly fill = Number.NEGATIVE_INFINITY;

  protected reduce(values: Tensor): Tensor {
    return max(values, 2);
  }
}

export class AveragePooling2D extends Pooling2D {
  static override readonly className = 'AveragePooling2D';

  protected reduce(values: Tensor, windows: BatchWindows): Tensor {
    return windowMeans(values, windows);
  }
}

const poolingOptions = (): OptionTypes<Pooling2DOptions> => ({
  poolSize: true,
  strides: true,
  padding: PADDINGS_2D,
  ...LAYER,
});

/**
 * Creates a layer that returns the largest value of each channel in each window: x [B, H, W, C] to [B, H', W', C], with the
 * same results as in Keras 3. H' is floor((H - poolSize) / strides) + 1 with `valid` padding, and ceil(H / strides) with
 * `same`; W' likewise. `timeDistributed(maxPooling2d())` applies the layer to each frame of a video.
 */
export function maxPooling2d(options: Pooling2DOptions = {}): MaxPooling2D {
  checkOptions('maxPooling2d', options, poolingOptions());
  return new MaxPooling2D(options);
}

/** Creates a layer that returns the mean of each channel over the pixels of each window; see {@link maxPooling2d}. */
export function averagePooling2d(options: Pooling2DOptions = {}): AveragePooling2D {
  checkOptions('averagePooling2d', options, poolingOptions());
  return new AveragePooling2D(options);
}
