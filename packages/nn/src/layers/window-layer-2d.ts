/** The base class of layers that compute each output pixel from a window of input pixels: 2D convolution and pooling. */
import { type MaskedSequence, reshape, type Shape, type Tensor } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { Layer, type LayerOptions } from '../layer.js';
import { type BatchWindows, windowCount } from './windows.js';
import { asPair, ImageWindows, PADDINGS_2D, type Padding2D, type WindowSettings2D } from './windows-2d.js';

/** The options of windows. Size, strides and dilation are a number or a pair each. */
export interface WindowOptions2D {
  size: unknown;
  strides: unknown;
  dilation: unknown;
  padding: Padding2D;
  /** Name of the option that gives the size (`kernelSize`, `poolSize`), for errors. */
  name: string;
}

export abstract class WindowLayer2D<O extends LayerOptions> extends Layer<O> {
  protected readonly window: WindowSettings2D;
  /** The value outside the image. */
  protected readonly fill: number = 0;
  #reader: ImageWindows | null = null;

  constructor(options: O, { size, strides, dilation, padding, name }: WindowOptions2D) {
    super(options);
    if (!PADDINGS_2D.includes(padding)) {
      const names = PADDINGS_2D.map((allowed) => `"${allowed}"`).join(' or ');
      throw this.error('value', `padding must be ${names}, got ${formatValue(padding)}.`);
    }
    const [sizes, steps, dilations] = Object.entries({ [name]: size, strides, dilationRate: dilation }).map(
      ([option, value]) => {
        const pair = asPair(value);
        if (pair !== null) return pair;
        const expected = 'a positive integer or [height, width]';
        throw this.error('value', `${option} must be ${expected}, got ${formatValue(value)}.`);
      },
    );
    const settingsOf = (axis: 0 | 1) => ({
      ...{ size: sizes[axis], strides: steps[axis], dilation: dilations[axis], padding },
    });
    this.window = [settingsOf(0), settingsOf(1)];
  }

  /** Returns the number of channels of the output. Throws if x does not fit the layer. */
  protected abstract outputChannels(x: Shape): number;

  /** Computes the outputs [B, count, output channels] from the windows [B, count, size, channels]. */
  protected abstract reduce(values: Tensor, windows: BatchWindows): Tensor;

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length !== 4) throw this.shapeError(x, 'images [batch, height, width, channels]');
    const channels = this.outputChannels(x);
    const [height, width] = this.window.map((settings, axis) => {
      const count = windowCount(x[1 + axis], settings);
      if (x[1 + axis] < 0 || count >= 1) return count;
      const span = (settings.size - 1) * settings.dilation + 1;
      throw this.shapeError(x, `images with a ${axis === 0 ? 'height' : 'width'} of at least ${span} pixels`);
    });
    return [[x[0], height, width, channels]];
  }

  call([{ value }]: readonly MaskedSequence[]): MaskedSequence[] {
    const [shape] = this.outputShapes([value.shape]);
    this.#reader ??= new ImageWindows(this.window, this.fill);
    const { values, windows } = this.#reader.read(value);
    return [{ value: reshape(this.reduce(values, windows), shape), mask: null }];
  }

  override streaming([isStreamed]: readonly boolean[]): boolean[] {
    if (isStreamed)
      throw this.nonCausal(
        'reads images instead of sequences (timeDistributed applies it to each step of a sequence)',
      );
    return [false];
  }
}
