/**
 * Output heads define what a network outputs for each horizon step: one number (`point`), quantiles, or the parameters of a
 * distribution. A head defines the loss, the number of outputs, and how quantiles are computed from the outputs, on the scale
 * of the network's targets. Count targets are not scaled; instead, the head multiplies its mean by the unit by which the
 * inputs are divided: 1 + the mean of the window (transform.ts).
 */
import { valueError } from '@unroll/core';
import { type Loss, losses } from '@unroll/train';
import { negativeBinomialQuantile, normalQuantile, studentTQuantile } from './distributions.js';

export type HeadName = 'point' | 'quantile' | 'gaussian' | 'studentt' | 'negbin';
export const HEADS: readonly HeadName[] = ['point', 'quantile', 'gaussian', 'studentt', 'negbin'];

export interface Head {
  readonly name: HeadName;
  /** Number of network outputs for each horizon step. */
  readonly outputs: number;
  loss(): Loss;
  /**
   * Computes a quantile of one horizon step from its outputs.
   * @param level level of the quantile, from 0 to 1
   * @param unit unit by which the input counts are divided, for the head `negbin`. Default 1
   */
  quantile(outputs: ArrayLike<number>, level: number, unit?: number): number;
  /**
   * Computes the mean of counts, which is more informative than the median if most counts are 0. Other heads do not have this
   * method: their mean is computed from the median and the intervals (model.ts).
   */
  mean?(outputs: ArrayLike<number>, unit?: number): number;
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * Returns the head with the given name.
 * @param levels probabilities of the intervals, such as 0.8 and 0.95. The head `quantile` outputs the median and the bounds of
 *   these intervals
 */
export function makeHead(name: HeadName, levels: readonly number[]): Head {
  switch (name) {
    case 'point':
      // With squared error, a few large errors, such as those of level shifts and peaks, dominate the gradient.
      return { name, outputs: 1, loss: () => losses.huber(), quantile: (outputs) => outputs[0] };
    case 'quantile':
      return quantileHead(levels);
    case 'gaussian':
      return {
        name,
        outputs: 2,
        loss: () => losses.gaussianNll(),
        quantile: (outputs, level) => outputs[0] + softplus(outputs[1]) * normalQuantile(level),
      };
    case 'studentt':
      return {
        name,
        outputs: 3,
        loss: () => losses.studentTNll(),
        quantile: (outputs, level) =>
          outputs[0] + softplus(outputs[1]) * studentTQuantile(level, 2 + softplus(outputs[2])),
      };
    case 'negbin':
      return {
        name,
        outputs: 2,
        loss: () => losses.negativeBinomialNll({ units: true }),
        mean: (outputs, unit = 1) => unit * softplus(outputs[0]),
        quantile: (outputs, level, unit = 1) =>
          negativeBinomialQuantile(
            level,
            unit * softplus(outputs[0]),
            softplus(outputs[1]) / Math.sqrt(unit),
          ),
      };
    default:
      throw valueError(`head must be one of ${HEADS.join(', ')}, got "${name}".`, { head: name });
  }
}

function quantileHead(levels: readonly number[]): Head {
  const quantiles = [
    ...new Set([0.5, ...levels.flatMap((level) => [(1 - level) / 2, (1 + level) / 2])]),
  ].sort((a, b) => a - b);
  return {
    name: 'quantile',
    outputs: quantiles.length,
    loss: () => losses.pinball({ quantiles }),
    quantile(outputs, level) {
      // Quantiles are learned independently and may cross. Sorting never makes the forecast less accurate.
      const sorted = Float64Array.from({ length: quantiles.length }, (_, i) => outputs[i]).sort();
      const index = quantiles.findIndex((quantile) => Math.abs(quantile - level) < 1e-9);
      if (index < 0)
        throw valueError(
          `level must be one of the head's quantiles (${quantiles.join(', ')}), got ${level}.`,
          { level, quantiles },
        );
      return sorted[index];
    },
  };
}
