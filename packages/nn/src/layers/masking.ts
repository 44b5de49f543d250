/** `masking`: masks the steps whose features all equal a given value, in addition to steps that are masked already. */
import type { ForwardContext, MaskedSequence, Shape } from '@unroll/core';
import { checkOptions, hostValues } from '@unroll/core/internal';
import { Layer, type LayerOptions } from '../layer.js';
import { maskWhere, zeroMaskedSteps } from '../masks.js';
import { LAYER } from '../option-names.js';

export interface MaskingOptions extends LayerOptions {
  /** The value that marks padding. Default 0. */
  maskValue?: number;
}

export class Masking extends Layer<MaskingOptions> {
  static override readonly className = 'Masking';

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length !== 3) throw this.shapeError(x, 'a sequence [batch, time, features]');
    return [x];
  }

  call([x]: readonly MaskedSequence[], _context: ForwardContext): MaskedSequence[] {
    const [B, T, I] = x.value.shape;
    const values = hostValues(x.value, `The input of ${this.label}`);
    // Compare in the precision of the values: 0.1 as float32 differs from the option 0.1.
    const { maskValue = 0 } = this.options;
    const padding = values instanceof Float32Array ? Math.fround(maskValue) : maskValue;
    const isPadding = (start: number): boolean => {
      for (let i = start; i < start + I; i++) if (values[i] !== padding) return false;
      return true;
    };
    const givenMask = x.mask && hostValues(x.mask, 'A mask');
    const mask = maskWhere(
      B,
      T,
      (row, step) => givenMask?.[row * T + step] !== 0 && !isPadding((row * T + step) * I),
    );
    return [{ value: zeroMaskedSteps(x.value, mask), mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Creates a layer that masks the steps of x [B, T, I] whose features all equal `maskValue`, and sets them to 0. */
export function masking(options: MaskingOptions = {}): Masking {
  checkOptions('masking', options, { maskValue: 'number', ...LAYER });
  return new Masking(options);
}
