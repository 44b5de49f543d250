/**
 * `activationRegularization`: the penalties AR and TAR on the outputs of recurrent layers (Merity, McCann & Socher 2017;
 * part of the AWD-LSTM, Merity et al. 2018).
 */
import {
  type ForwardContext,
  type MaskedSequence,
  mul,
  reshape,
  type Shape,
  slice,
  sub,
  sumSquares,
  type Tensor,
} from '@unroll/core';
import { checkOptions, formatValue, hostValues, sizeOf } from '@unroll/core/internal';
import { Layer, type LayerOptions } from '../layer.js';
import { maskProperties, maskWhere, zeroMaskedSteps } from '../masks.js';
import { LAYER } from '../option-names.js';

export interface ActivationRegularizationOptions extends LayerOptions {
  /** Factor of the activation penalty AR: the mean of x² over all valid steps. Default 0. */
  ar?: number;
  /**
   * Factor of the temporal activation penalty TAR: the mean of (x_t - x_{t-1})² over all pairs of consecutive valid
   * steps. Default 0.
   */
  tar?: number;
}

export class ActivationRegularization extends Layer<ActivationRegularizationOptions> {
  static override readonly className = 'ActivationRegularization';

  constructor(options: ActivationRegularizationOptions = {}) {
    super(options);
    for (const name of ['ar', 'tar'] as const) {
      const factor = options[name] ?? 0;
      if (!(factor >= 0 && factor < Number.POSITIVE_INFINITY))
        throw this.error(
          'value',
          `${name} must be a finite, non-negative number, got ${formatValue(factor)}.`,
        );
    }
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    if (x.length < 3) throw this.shapeError(x, 'a sequence [batch, time, features]');
    return [x];
  }

  call([x]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { ar = 0, tar = 0 } = this.options;
    if (!context.training) return [x];
    const mask = x.mask && !maskProperties(x.mask).allValid ? x.mask : null;
    const values = mask ? zeroMaskedSteps(x.value, mask) : x.value;
    if (ar > 0) context.addLoss(mul(meanSquare(values, mask), ar));
    if (tar > 0 && values.shape[1] > 1) context.addLoss(mul(meanSquaredChange(values, mask), tar));
    return [x];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Returns the mean of x² over the valid steps. @param x [B, T, ...], 0 at masked steps */
function meanSquare(x: Tensor, mask: Tensor | null): Tensor {
  const [B, T, ...rest] = x.shape;
  const steps = mask ? countValid(mask) : B * T;
  return mul(sumSquares(x), 1 / Math.max(1, steps * sizeOf(rest)));
}

/** Returns the mean of (x_t - x_{t-1})² over the pairs of consecutive valid steps. */
function meanSquaredChange(x: Tensor, mask: Tensor | null): Tensor {
  const [B, T, ...rest] = x.shape;
  const changes = sub(slice(x, 1, 1), slice(x, 1, 0, T - 1));
  const pairs = mask && pairMask(mask);
  return meanSquare(pairs ? mul(changes, reshape(pairs, [B, T - 1, ...rest.map(() => 1)])) : changes, pairs);
}

/** Returns a mask [B, T - 1] that is 1 where a step and the one before it are valid. */
function pairMask(mask: Tensor): Tensor {
  const [B, T] = mask.shape;
  const values = hostValues(mask, 'A mask');
  return maskWhere(B, T - 1, (row, t) => values[row * T + t] !== 0 && values[row * T + t + 1] !== 0);
}

function countValid(mask: Tensor): number {
  let count = 0;
  for (const valid of hostValues(mask, 'A mask')) if (valid !== 0) count++;
  return count;
}

/**
 * Creates a layer that passes x [B, T, ...] on and, in training, adds penalties on large values (AR) and on fast changes
 * (TAR) to the loss. The AWD-LSTM uses `ar: 2` on the output of the last recurrent layer after dropout, and `tar: 1` on
 * the output before dropout. Masked steps do not count. Unlike the penalty of `activityRegularizer`, these penalties are
 * means over the steps, and evaluation does not include them.
 */
export function activationRegularization(options: ActivationRegularizationOptions): ActivationRegularization {
  checkOptions('activationRegularization', options, { ar: 'number', tar: 'number', ...LAYER });
  return new ActivationRegularization(options);
}
