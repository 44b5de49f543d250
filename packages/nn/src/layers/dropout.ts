/**
 * `dropout` (Srivastava et al. 2014): in training, sets random elements to 0 and scales up the others to preserve the
 * expected sum.
 */
import { type ForwardContext, type MaskedSequence, mul, type Shape } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { checkRate } from '../cells/matrix-cell.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import { seededStream, sequenceStream } from '../seeds.js';

export interface DropoutOptions extends LayerOptions {
  /** Fraction of the elements to drop, in [0, 1). */
  rate: number;
  /**
   * Shape of the random mask, which is broadcast to x; null: the size of x on this axis. `[null, 1, null]` drops whole
   * features of a sequence. Default: the shape of x.
   */
  noiseShape?: readonly (number | null)[];
  /** Seed of the mask. Default: the random stream of the training run. */
  seed?: number;
}

export class Dropout extends Layer<DropoutOptions> {
  static override readonly className = 'Dropout';

  constructor(options: DropoutOptions) {
    super(options);
    checkRate(this.label, 'rate', options.rate);
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    const { noiseShape } = this.options;
    if (noiseShape && noiseShape.length !== x.length) {
      throw this.shapeError(x, `rank ${noiseShape.length}, the rank of noiseShape`);
    }
    return [x];
  }

  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { rate, noiseShape, seed } = this.options;
    if (!context.training || rate === 0) return [x];
    const shape = x.value.shape.map((extent, d) => noiseShape?.[d] ?? extent);
    const stream = noiseShape?.[1] === 1 ? sequenceStream(context, seed) : seededStream(context.random, seed);
    const mask = stream.dropoutMask(shape, rate);
    return [{ value: mul(x.value, mask), mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Creates a layer that applies dropout to x of any shape. */
export function dropout(options: DropoutOptions): Dropout {
  checkOptions('dropout', options, { rate: 'fraction', noiseShape: 'array', seed: 'integer', ...LAYER });
  return new Dropout(options);
}
