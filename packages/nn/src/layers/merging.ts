/**
 * Layers with several inputs: `addLayer`, `multiply`, `concatenate`. (`addLayer` is not named `add` because `add` is the
 * tensor op.) `addLayer` and `multiply` broadcast their inputs; inputs of lower rank get axes of size 1 after the batch
 * axis. As in Keras, if all inputs have masks, a step of the output is valid if it is valid in any input; if one input has
 * no mask, the output has none. Along the time axis, `concatenate` also concatenates the masks.
 */
import {
  add,
  concat,
  formatShape,
  type MaskedSequence,
  mul,
  reshape,
  type Shape,
  sub,
  type Tensor,
} from '@unroll/core';
import { broadcastShapes, checkOptions } from '@unroll/core/internal';
import { Layer, type LayerOptions } from '../layer.js';
import { anyMask, zeroMaskedSteps } from '../masks.js';
import { LAYER } from '../option-names.js';

abstract class Merge extends Layer {
  protected abstract readonly combine: (a: Tensor, b: Tensor) => Tensor;

  outputShapes(inputs: readonly Shape[]): Shape[] {
    if (inputs.length < 2) throw this.error('shape', `needs at least two inputs, got ${inputs.length}.`);
    const rank = Math.max(...inputs.map((shape) => shape.length));
    const shapes = inputs.map((shape) => expandToRank(shape, rank));
    return [shapes.reduce((a, b) => this.#broadcast(a, b))];
  }

  call(inputs: readonly MaskedSequence[]): MaskedSequence[] {
    const rank = Math.max(...inputs.map(({ value }) => value.rank));
    const mask = anyMask(inputs.map((input) => input.mask));
    const values = inputs.map((input) => {
      const value = this.maskInput(input);
      return reshape(value, expandToRank(value.shape, rank));
    });
    return [
      {
        value: this.maskOutput(
          values.reduce((a, b) => this.combine(a, b)),
          mask,
        ),
        mask,
      },
    ];
  }

  /** Returns the value of an input with its mask applied. Default: the value itself. */
  protected maskInput({ value }: MaskedSequence): Tensor {
    return value;
  }

  /** Returns the output with its mask applied. Default: the output itself. */
  protected maskOutput(value: Tensor, _mask: Tensor | null): Tensor {
    return value;
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [inputs.some((isStreamed) => isStreamed)];
  }

  /** Returns the broadcast shape. Unknown sizes (-1) fit any size. */
  #broadcast(a: Shape, b: Shape): Shape {
    const knownA = a.map((extent, d) => (extent === -1 || b[d] === -1 ? 1 : extent));
    const knownB = b.map((extent, d) => (extent === -1 || a[d] === -1 ? 1 : extent));
    try {
      const shape = broadcastShapes(this.label, knownA, knownB);
      return shape.map((extent, d) => (a[d] === -1 || b[d] === -1 ? Math.max(a[d], b[d]) : extent));
    } catch {
      throw this.shapeError(b, `a shape that broadcasts with [${a.join(', ')}]`);
    }
  }
}

/** Returns the shape extended to a rank by axes of size 1 after the batch axis. */
function expandToRank(shape: Shape, rank: number): Shape {
  return [shape[0], ...new Array<number>(rank - shape.length).fill(1), ...shape.slice(1)];
}

export class Add extends Merge {
  static override readonly className = 'Add';
  protected readonly combine = add;
}

/** Creates a layer that adds its inputs elementwise. A residual connection is `addLayer().apply([x, y])`. */
export function addLayer(options: LayerOptions = {}): Add {
  checkOptions('addLayer', options, LAYER);
  return new Add(options);
}

export class Multiply extends Merge {
  static override readonly className = 'Multiply';
  protected readonly combine = mul;

  /** Sets masked steps to 1. */
  protected override maskInput({ value, mask }: MaskedSequence): Tensor {
    if (mask === null) return value;
    return add(zeroMaskedSteps(value, mask), sub(1, withTrailingAxes(mask, value.rank)));
  }

  /** Sets masked steps to 0. */
  protected override maskOutput(value: Tensor, mask: Tensor | null): Tensor {
    return mask === null ? value : mul(value, withTrailingAxes(mask, value.rank));
  }
}

/** Returns a mask [B, T] extended to a rank by axes of size 1 at the end. */
function withTrailingAxes(mask: Tensor, rank: number): Tensor {
  return reshape(mask, [...mask.shape, ...new Array<number>(rank - mask.rank).fill(1)]);
}

/**
 * Creates a layer that multiplies its inputs elementwise. As in Keras, a masked step of an input counts as 1, and a step
 * that is masked in all inputs is 0.
 */
export function multiply(options: LayerOptions = {}): Multiply {
  checkOptions('multiply', options, LAYER);
  return new Multiply(options);
}

export interface ConcatenateOptions extends LayerOptions {
  /** The axis to concatenate along. Default -1, the features. */
  axis?: number;
}

export class Concatenate extends Layer<ConcatenateOptions> {
  static override readonly className = 'Concatenate';

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const [first, ...others] = inputs;
    if (others.length === 0) throw this.error('shape', `needs at least two inputs, got ${inputs.length}.`);
    const axis = this.#axis(first.length);
    for (const [i, shape] of others.entries()) {
      const fits =
        shape.length === first.length &&
        shape.every((extent, d) => d === axis || extent === first[d] || extent === -1 || first[d] === -1);
      if (!fits)
        throw this.error(
          'shape',
          `all inputs must have the shape of the first, ${formatShape(first)}, except on axis ${axis}; inputs[${i + 1}] has ${formatShape(shape)}.`,
        );
    }
    const total = inputs.some((shape) => shape[axis] === -1)
      ? -1
      : inputs.reduce((sum, shape) => sum + shape[axis], 0);
    return [
      first.map((extent, d) => (d === axis ? total : Math.max(...inputs.map((shape) => shape[d]), extent))),
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
    if (!inputs.some((isStreamed) => isStreamed)) return [false];
    if (inputs.some((isStreamed) => !isStreamed))
      throw this.nonCausal('concatenates a sequence with a value without a time axis');
    if (this.nodes.some(({ inputs: [x] }) => this.#axis(x.shape.length) === 1))
      throw this.nonCausal('concatenates sequences along the time axis');
    return [true];
  }

  /** Returns the axis for inputs of this rank, as a non-negative number. */
  #axis(rank: number): number {
    const { axis = -1 } = this.options;
    const positive = axis < 0 ? axis + rank : axis;
    if (positive < 1 || positive >= rank)
      throw this.error(
        'value',
        `axis ${axis} is out of range for inputs of rank ${rank}. Axis 0, the batch, cannot be concatenated.`,
      );
    return positive;
  }

  /**
   * Returns the mask of the output. On the time axis, the masks are concatenated (without a mask, all steps are valid);
   * on other axes, a step is valid if it is valid in any mask.
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

/** Creates a layer that concatenates its inputs along an axis: [B, ..., I] and [B, ..., J] to [B, ..., I+J]. */
export function concatenate(options: ConcatenateOptions = {}): Concatenate {
  checkOptions('concatenate', options, { axis: 'integer', ...LAYER });
  return new Concatenate(options);
}
