/** `dropout` (Srivastava et al. 2014): while training, elements become 0 at random and the rest grow to make up for it. */
import { type ForwardContext, type MaskedSequence, mul, type Shape } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { checkRate } from '../cells/matrix-cell.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import { seededStream } from '../seeds.js';

export interface DropoutOptions extends LayerOptions {
  /** Share of the elements dropped, in [0, 1). */
  rate: number;
  /** Shape of the random mask, which is then repeated: null as x, 1 shared. `[null, 1, null]` drops whole features. */
  noiseShape?: readonly (number | null)[];
  /** Default: the training's. */
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
      throw this.shapeError(x, `rank ${noiseShape.length}, as noiseShape has`);
    }
    return [x];
  }

  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { rate, noiseShape, seed } = this.options;
    if (!context.training || rate === 0) return [x];
    const shape = x.value.shape.map((extent, d) => noiseShape?.[d] ?? extent);
    const mask = seededStream(context.random, seed).dropoutMask(shape, rate);
    return [{ value: mul(x.value, mask), mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Dropout on x of any shape. */
export function dropout(options: DropoutOptions): Dropout {
  checkOptions('dropout', options, { rate: 'share', noiseShape: 'list', seed: 'integer', ...LAYER });
  return new Dropout(options);
}
