/** `activation`: a layer that applies an activation. */
import type { MaskedSequence, Shape } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import {
  type Activation as ActivationOption,
  activatedWidth,
  activation as activationFunction,
} from '../activations.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';

export interface ActivationOptions extends LayerOptions {
  activation: ActivationOption;
}

export class Activation extends Layer<ActivationOptions> {
  static override readonly className = 'Activation';
  readonly #activation: ReturnType<typeof activationFunction>;

  constructor(options: ActivationOptions) {
    super(options);
    this.#activation = activationFunction(options.activation, this.label);
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    return [[...x.slice(0, -1), activatedWidth(this.options.activation, x[x.length - 1])]];
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    return [{ value: this.#activation(x.value), mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Creates a layer that applies an activation to x of any shape. `softmax` and similar functions act on the last axis. */
export function activation(options: ActivationOptions | ActivationOption): Activation {
  const layerOptions = typeof options === 'object' ? options : { activation: options };
  checkOptions<ActivationOptions>('activation', layerOptions, { activation: true, ...LAYER });
  return new Activation(layerOptions);
}
