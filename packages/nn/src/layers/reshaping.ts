/**
 * Layers that rearrange or repeat elements: `flatten`, `reshapeLayer`, `permuteLayer`, `repeatVector`. (Two names end in
 * `Layer` because `reshape` and `permute` are tensor ops.) As in Keras, the outputs of these layers have no masks.
 */
import { broadcastTo, type MaskedSequence, permute, reshape, type Shape } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { checkUnits } from '../cells/matrix-cell.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';

/** Returns the number of elements; -1 if an extent is unknown. */
const sizeOf = (shape: Shape): number =>
  shape.includes(-1) ? -1 : shape.reduce((size, extent) => size * extent, 1);

export class Flatten extends Layer {
  static override readonly className = 'Flatten';

  outputShapes([x]: readonly Shape[]): Shape[] {
    return [[x[0], sizeOf(x.slice(1))]];
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const { shape } = x.value;
    return [{ value: reshape(x.value, [shape[0], sizeOf(shape.slice(1))]), mask: null }];
  }

  override streaming([isStreamed]: readonly boolean[]): boolean[] {
    if (isStreamed) throw this.nonCausal('flattens all steps of a sequence into one vector');
    return [false];
  }
}

/** Creates a layer that flattens each example: [B, ...] to [B, n]. */
export function flatten(options: LayerOptions = {}): Flatten {
  checkOptions('flatten', options, LAYER);
  return new Flatten(options);
}

export interface ReshapeOptions extends LayerOptions {
  /** Shape of one example without the batch axis. One extent may be -1: it is inferred. */
  targetShape: readonly number[];
}

export class Reshape extends Layer<ReshapeOptions> {
  static override readonly className = 'Reshape';

  outputShapes([x]: readonly Shape[]): Shape[] {
    const { targetShape } = this.options;
    const size = sizeOf(x.slice(1));
    const known = targetShape.filter((extent) => extent !== -1);
    const knownSize = known.reduce((product, extent) => product * extent, 1);
    const unknownCount = targetShape.length - known.length;
    const fits =
      size === -1 || (unknownCount === 0 ? knownSize === size : unknownCount === 1 && size % knownSize === 0);
    if (!fits)
      throw this.shapeError(x, `an input that can be reshaped to [batch, ${targetShape.join(', ')}]`);
    const inferred = size === -1 ? -1 : size / knownSize;
    return [[x[0], ...targetShape.map((extent) => (extent === -1 ? inferred : extent))]];
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    return [{ value: reshape(x.value, this.outputShapes([x.value.shape])[0]), mask: null }];
  }

  override streaming([isStreamed]: readonly boolean[]): boolean[] {
    if (isStreamed) throw this.nonCausal('changes the shape of whole sequences');
    return [false];
  }
}

/** Creates a layer that reshapes each example: [B, ...] to [B, ...targetShape]. */
export function reshapeLayer(options: ReshapeOptions): Reshape {
  checkOptions('reshapeLayer', options, { targetShape: 'array', ...LAYER });
  return new Reshape(options);
}

export interface PermuteOptions extends LayerOptions {
  /** Order of the axes of one example, counted from 1: `[2, 1]` swaps two axes. */
  dims: readonly number[];
}

export class Permute extends Layer<PermuteOptions> {
  static override readonly className = 'Permute';

  constructor(options: PermuteOptions) {
    super(options);
    const sorted = [...options.dims].sort((a, b) => a - b);
    if (sorted.some((dim, i) => dim !== i + 1)) {
      throw this.error(
        'value',
        `dims must be a permutation of 1 to ${sorted.length}, got [${options.dims.join(', ')}].`,
      );
    }
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    const { dims } = this.options;
    if (x.length !== dims.length + 1) throw this.shapeError(x, `[batch, ...] of rank ${dims.length + 1}`);
    return [[x[0], ...dims.map((dim) => x[dim])]];
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    return [{ value: permute(x.value, [0, ...this.options.dims]), mask: null }];
  }

  override streaming([isStreamed]: readonly boolean[]): boolean[] {
    if (isStreamed && this.options.dims[0] !== 1) throw this.nonCausal('moves the time axis');
    return [isStreamed];
  }
}

/** Creates a layer that permutes the axes of each example. */
export function permuteLayer(options: PermuteOptions): Permute {
  checkOptions('permuteLayer', options, { dims: 'array', ...LAYER });
  return new Permute(options);
}

export interface RepeatVectorOptions extends LayerOptions {
  /** Number of steps of the output. */
  n: number;
}

export class RepeatVector extends Layer<RepeatVectorOptions> {
  static override readonly className = 'RepeatVector';

  constructor(options: RepeatVectorOptions) {
    super(options);
    checkUnits(this.label, options.n, 'n');
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length !== 2) throw this.shapeError(x, 'a vector [batch, features]');
    return [[x[0], this.options.n, x[1]]];
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    const [B, I] = x.value.shape;
    return [{ value: broadcastTo(reshape(x.value, [B, 1, I]), [B, this.options.n, I]), mask: null }];
  }

  override streaming(): boolean[] {
    throw this.nonCausal('computes a whole sequence from one vector');
  }
}

/** Creates a layer that repeats a vector as a sequence of n equal steps, for decoders: [B, I] to [B, n, I]. */
export function repeatVector(options: RepeatVectorOptions | number): RepeatVector {
  const layerOptions = typeof options === 'number' ? { n: options } : options;
  checkOptions<RepeatVectorOptions>('repeatVector', layerOptions, { n: 'count', ...LAYER });
  return new RepeatVector(layerOptions);
}
