/** Implements the custom layer of the golden files: see the class Scale in tools/goldens/formats/keras_files.py. */
import { add, type MaskedSequence, mul, type Parameter, type Shape } from '@unroll/core';
import { Layer, type LayerOptions } from '@unroll/nn';

export class Scale extends Layer<LayerOptions & { offsetFactor: number }> {
  static override readonly className = 'Scale';
  #gain!: Parameter;
  #shift!: Parameter;

  outputShapes([x]: readonly Shape[]): Shape[] {
    return [x];
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    this.#gain = this.addParameter('gain', x.slice(-1), 'ones');
    this.#shift = this.addParameter('shift', x.slice(-1), 'zeros');
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const value = add(mul(x.value, this.#gain), mul(this.#shift, this.options.offsetFactor));
    return [{ value, mask: x.mask }];
  }
}
