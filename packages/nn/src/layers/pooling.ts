/**
 * Pooling over the time axis: `maxPooling1d` and `averagePooling1d` over windows, `globalMaxPooling1d` and
 * `globalAveragePooling1d` over whole sequences. Masked steps do not count.
 */
import {
  div,
  type MaskedSequence,
  max,
  maximum,
  mean,
  reshape,
  type Shape,
  sum,
  type Tensor,
} from '@unroll/core';
import { checkOptions, hostTensor, type OptionTypes } from '@unroll/core/internal';
import { checkUnits } from '../cells/matrix-cell.js';
import { Layer, type LayerOptions } from '../layer.js';
import { zeroMaskedSteps } from '../masks.js';
import { LAYER } from '../option-names.js';
import { WindowLayer } from './window-layer.js';
import {
  type BatchWindows,
  locateWindows,
  readWindows,
  WINDOW_PADDINGS,
  type WindowPadding,
} from './windows.js';

export interface Pooling1DOptions extends LayerOptions {
  /** Number of steps in a window. Default 2. */
  poolSize?: number;
  /** Number of input steps per output step. Default: `poolSize`. */
  strides?: number;
  /**
   * `valid`: whole windows only. `same`: ceil(T / strides) windows, which may extend beyond both ends. `causal` (not in
   * Keras): ceil(T / strides) windows that end at the steps 0, strides, ... Only steps of the sequence count. Default
   * `valid`.
   */
  padding?: WindowPadding;
}

abstract class Pooling1D extends WindowLayer<Pooling1DOptions> {
  constructor(options: Pooling1DOptions = {}) {
    const { poolSize = 2, strides = poolSize, padding = 'valid' } = options;
    super(options, { size: poolSize, strides, dilation: 1, padding });
    checkUnits(this.label, poolSize, 'poolSize');
    checkUnits(this.label, strides, 'strides');
  }

  protected outputWidth(x: Shape): number {
    return x[2];
  }
}

export class MaxPooling1D extends Pooling1D {
  static override readonly className = 'MaxPooling1D';
  protected override readonly fill = Number.NEGATIVE_INFINITY;

  protected reduce(values: Tensor): Tensor {
    return max(values, 2);
  }
}

export class AveragePooling1D extends Pooling1D {
  static override readonly className = 'AveragePooling1D';

  protected reduce(values: Tensor, windows: BatchWindows): Tensor {
    return windowMeans(values, windows);
  }
}

/** Returns the mean of the valid steps of each window, [B, windows, features]; 0 without valid steps. */
export function windowMeans(values: Tensor, { validSteps, size }: BatchWindows): Tensor {
  const [B, count] = values.shape;
  if (validSteps.every((valid) => valid === size)) return mean(values, 2);
  const divisors = validSteps.map((valid) => Math.max(valid, 1));
  return div(sum(values, 2), hostTensor(divisors, [B, count, 1]));
}

export interface GlobalPooling1DOptions extends LayerOptions {
  /** Keep the time axis, with size 1. Default false. */
  keepDims?: boolean;
}

abstract class GlobalPooling1D extends Layer<GlobalPooling1DOptions> {
  /** Computes [B, 1, features] from x [B, T, features]. */
  protected abstract pool(x: Tensor, mask: Tensor | null): Tensor;

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length !== 3) throw this.shapeError(x, 'a sequence [batch, time, features]');
    if (x[1] === 0) throw this.shapeError(x, 'sequences of at least one time step');
    return [this.options.keepDims ? [x[0], 1, x[2]] : [x[0], x[2]]];
  }

  call([{ value, mask }]: readonly MaskedSequence[]): MaskedSequence[] {
    const [shape] = this.outputShapes([value.shape]);
    return [{ value: reshape(this.pool(value, mask), shape), mask: null }];
  }

  override streaming([isStreamed]: readonly boolean[]): boolean[] {
    if (isStreamed) throw this.nonCausal('pools over all steps of a sequence');
    return [false];
  }
}

export class GlobalMaxPooling1D extends GlobalPooling1D {
  static override readonly className = 'GlobalMaxPooling1D';

  protected pool(x: Tensor, mask: Tensor | null): Tensor {
    const [B, T] = x.shape;
    if (mask === null) return max(x, 1);
    const sequence = locateWindows([B, T], mask, { size: T, strides: 1, dilation: 1, padding: 'valid' });
    return max(readWindows(x, sequence, Number.NEGATIVE_INFINITY), 2);
  }
}

export class GlobalAveragePooling1D extends GlobalPooling1D {
  static override readonly className = 'GlobalAveragePooling1D';

  protected pool(x: Tensor, mask: Tensor | null): Tensor {
    if (mask === null) return mean(x, 1);
    const total = sum(zeroMaskedSteps(x, mask), 1);
    return div(total, maximum(sum(mask, 1, true), 1));
  }
}

const poolingOptions = (): OptionTypes<Pooling1DOptions> => ({
  poolSize: 'count',
  strides: 'count',
  padding: WINDOW_PADDINGS,
  ...LAYER,
});

/**
 * Creates a layer that returns the largest value of each feature in each window: x [B, T, I] to [B, T', I]. T' is
 * floor((T - poolSize) / strides) + 1 with `valid` padding, and ceil(T / strides) otherwise. Masked steps do not count;
 * for a window without valid steps, the output is 0. The output has the same mask as with `conv1d`. (Keras 3 reads masked
 * steps and drops the mask.) With `causal` padding, the layer can be streamed.
 */
export function maxPooling1d(options: Pooling1DOptions = {}): MaxPooling1D {
  checkOptions('maxPooling1d', options, poolingOptions());
  return new MaxPooling1D(options);
}

/** Creates a layer that returns the mean of each feature over the valid steps of each window; see {@link maxPooling1d}. */
export function averagePooling1d(options: Pooling1DOptions = {}): AveragePooling1D {
  checkOptions('averagePooling1d', options, poolingOptions());
  return new AveragePooling1D(options);
}

/**
 * Creates a layer that returns the largest value of each feature over all valid steps: x [B, T, I] to [B, I]. For a
 * sequence without valid steps, the output is 0. (Keras 3 ignores the mask here, so the largest value can be padding.)
 */
export function globalMaxPooling1d(options: GlobalPooling1DOptions = {}): GlobalMaxPooling1D {
  checkOptions('globalMaxPooling1d', options, { keepDims: 'boolean', ...LAYER });
  return new GlobalMaxPooling1D(options);
}

/**
 * Creates a layer that returns the mean of each feature over all valid steps, as in Keras 3: x [B, T, I] to [B, I]. For a
 * sequence without valid steps, the output is 0 (in Keras, NaN).
 */
export function globalAveragePooling1d(options: GlobalPooling1DOptions = {}): GlobalAveragePooling1D {
  checkOptions('globalAveragePooling1d', options, { keepDims: 'boolean', ...LAYER });
  return new GlobalAveragePooling1D(options);
}
