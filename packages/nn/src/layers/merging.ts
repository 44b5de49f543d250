/**
 * Layers with several inputs: `addLayer`, `multiply`, `concatenate`. Inputs are broadcast; inputs of lower rank first
 * get axes of size 1 after the batch. As in Keras, a step is valid if any input's mask says so, provided that all
 * inputs have one. (`add` is the op.)
 */
import { add, concat, type MaskedSequence, mul, reshape, type Shape, sub, type Tensor } from '@unroll/core';
import { broadcastShapes, checkOptions } from '@unroll/core/internal';
import { Layer, type LayerOptions } from '../layer.js';
import { anyMask, validSteps } from '../masks.js';
import { LAYER } from '../option-names.js';

abstract class Merge extends Layer {
  protected abstract readonly combine: (a: Tensor, b: Tensor) => Tensor;

  outputShapes(inputs: readonly Shape[]): Shape[] {
    if (inputs.length < 2) throw this.error('shape', `needs at least two inputs, got ${inputs.length}.`);
    const rank = Math.max(...inputs.map((shape) => shape.length));
    const lifted = inputs.map((shape) => lift(shape, rank));
    return [lifted.reduce((a, b) => this.#broadcast(a, b))];
  }

  call(inputs: readonly MaskedSequence[]): MaskedSequence[] {
    const rank = Math.max(...inputs.map(({ value }) => value.rank));
    const mask = anyMask(inputs.map((input) => input.mask));
    const values = inputs.map((input) => {
      const value = this.masked(input);
      return reshape(value, lift(value.shape, rank));
    });
    return [
      {
        value: this.merged(
          values.reduce((a, b) => this.combine(a, b)),
          mask,
        ),
        mask,
      },
    ];
  }

  /** The value of an input to merge, after masking. */
  protected masked({ value }: MaskedSequence): Tensor {
    return value;
  }

  /** The output with its mask applied. */
  protected merged(value: Tensor, _mask: Tensor | null): Tensor {
    return value;
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [inputs.some((along) => along)];
  }

  #broadcast(a: Shape, b: Shape): Shape {
    const known = a.map((extent, d) => (extent === -1 || b[d] === -1 ? 1 : extent));
    const other = b.map((extent, d) => (extent === -1 || a[d] === -1 ? 1 : extent));
    try {
      const shape = broadcastShapes(this.label, known, other);
      return shape.map((extent, d) => (a[d] === -1 || b[d] === -1 ? Math.max(a[d], b[d]) : extent));
    } catch {
      throw this.shapeError(b, `a shape that broadcasts with [${a.join(', ')}]`);
    }
  }
}

/** Inserts axes of size 1 after the batch axis, up to the rank. */
function lift(shape: Shape, rank: number): Shape {
  return [shape[0], ...new Array<number>(rank - shape.length).fill(1), ...shape.slice(1)];
}

export class Add extends Merge {
  static override readonly className = 'Add';
  protected readonly combine = add;
}

/** The elementwise sum of the inputs. A residual connection is `addLayer().apply([x, y])`. */
export function addLayer(options: LayerOptions = {}): Add {
  checkOptions('addLayer', options, LAYER);
  return new Add(options);
}

export class Multiply extends Merge {
  static override readonly className = 'Multiply';
  protected readonly combine = mul;

  protected override masked({ value, mask }: MaskedSequence): Tensor {
    if (mask === null) return value;
    return add(validSteps(value, mask), sub(1, besides(mask, value.rank)));
  }

  protected override merged(value: Tensor, mask: Tensor | null): Tensor {
    return mask === null ? value : mul(value, besides(mask, value.rank));
  }
}

/** A mask [B, T] with trailing axes of size 1, up to the rank. */
function besides(mask: Tensor, rank: number): Tensor {
  return reshape(mask, [...mask.shape, ...new Array<number>(rank - mask.rank).fill(1)]);
}

/**
 * The elementwise product of the inputs. A masked step of an input counts as 1; if all inputs have masks, steps that
 * are masked in all of them are 0 (as in Keras).
 */
export function multiply(options: LayerOptions = {}): Multiply {
  checkOptions('multiply', options, LAYER);
  return new Multiply(options);
}

export interface ConcatenateOptions extends LayerOptions {
  /** Default -1, the features. */
  axis?: number;
}

export class Concatenate extends Layer<ConcatenateOptions> {
  static override readonly className = 'Concatenate';

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const [first, ...others] = inputs;
    if (others.length === 0) throw this.error('shape', 'needs at least two inputs, got 1.');
    const at = this.#axis(first.length);
    for (const shape of others) {
      const fits =
        shape.length === first.length &&
        shape.every((extent, d) => d === at || extent === first[d] || extent === -1 || first[d] === -1);
      if (!fits)
        throw this.shapeError(shape, `[${first.join(', ')}] except for axis ${at}, like the first input`);
    }
    const total = inputs.some((shape) => shape[at] === -1)
      ? -1
      : inputs.reduce((sum, shape) => sum + shape[at], 0);
    return [
      first.map((extent, d) => (d === at ? total : Math.max(...inputs.map((shape) => shape[d]), extent))),
    ];
  }

  call(inputs: readonly MaskedSequence[]): MaskedSequence[] {
    const value = concat(
      inputs.map((input) => input.value),
      this.#axis(inputs[0].value.rank),
    );
    return [{ value, mask: this.#mask(inputs) }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    if (!inputs.some((along) => along)) return [false];
    if (inputs.some((along) => !along))
      throw this.nonCausal('concatenates a sequence with a value without a time axis');
    if (this.nodes.some(({ inputs: [x] }) => this.#axis(x.shape.length) === 1))
      throw this.nonCausal('concatenates sequences along the time axis');
    return [true];
  }

  #axis(rank: number): number {
    const { axis = -1 } = this.options;
    const at = axis < 0 ? axis + rank : axis;
    if (at < 1 || at >= rank) throw this.error('value', `axis must be from 1 to ${rank - 1}, got ${axis}.`);
    return at;
  }

  /**
   * On the time axis, the masks are concatenated too (all steps are valid if a mask is missing); otherwise a step is
   * valid if any mask says so.
   */
  #mask(inputs: readonly MaskedSequence[]): Tensor | null {
    if (inputs.every(({ mask }) => mask === null)) return null;
    if (this.#axis(inputs[0].value.rank) !== 1) return anyMask(inputs.map(({ mask }) => mask));
    return concat(
      inputs.map(
        ({ value, mask }) => mask ?? new Array(value.shape[0]).fill(new Array(value.shape[1]).fill(1)),
      ),
      1,
    );
  }
}

/** Concatenates the inputs over an axis: [B, ..., I] and [B, ..., J] to [B, ..., I+J]. */
export function concatenate(options: ConcatenateOptions = {}): Concatenate {
  checkOptions('concatenate', options, { axis: 'integer', ...LAYER });
  return new Concatenate(options);
}
