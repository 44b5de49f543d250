/** `input`: declares an input of a model. */
import { type MaskedSequence, type Shape, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { makeNode, type SymbolicTensor } from '../graph.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';

export interface InputOptions extends LayerOptions {
  /** Shape of one example without the batch axis; null: any size. `[null, 8]` is a sequence of any length. */
  shape: readonly (number | null)[];
  /** Fixed batch size, for stateful layers. Default: any. */
  batchSize?: number;
}

export class InputLayer extends Layer<InputOptions> {
  static override readonly className = 'InputLayer';

  /** [batch, ...]; -1: any size. */
  get shape(): Shape {
    return [this.options.batchSize ?? -1, ...this.options.shape.map((extent) => extent ?? -1)];
  }

  outputShapes(_inputs: readonly Shape[]): Shape[] {
    return [this.shape];
  }

  call(inputs: readonly MaskedSequence[]): MaskedSequence[] {
    return [...inputs];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Creates a symbolic tensor: an input of a functional model, or the first entry of `sequential`. */
export function input(options: InputOptions): SymbolicTensor {
  checkOptions('input', options, { shape: 'array', batchSize: 'count', ...LAYER });
  if (options.shape.some((extent) => extent !== null && !(Number.isInteger(extent) && extent > 0)))
    throw valueError(
      `input: shape must contain only positive integers and null, got ${formatValue(options.shape)}.`,
    );
  return symbolicInput(new InputLayer(options));
}

/** Returns the output of an input layer. */
export function symbolicInput(layer: InputLayer): SymbolicTensor {
  return makeNode(layer, [], null, [layer.shape]).outputs[0];
}
