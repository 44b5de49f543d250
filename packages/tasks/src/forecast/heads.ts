/**
 * Output heads: what a network outputs for a horizon step. One number (`point`), quantiles, or the parameters of a
 * distribution. A head defines its loss, its number of outputs, and how to compute quantiles from them, on the scale of the
 * network's targets. Counts are not scaled; the head multiplies its mean by the unit of the network's inputs instead.
 */
import { valueError } from '@unroll/core';
import { type Loss, losses } from '@unroll/train';
import { negativeBinomialQuantile, normalQuantile, studentTQuantile } from './distributions.js';

export type HeadName = 'point' | 'quantile' | 'gaussian' | 'studentt' | 'negbin';
export const HEADS: readonly HeadName[] = ['point', 'quantile', 'gaussian', 'studentt', 'negbin'];

export interface Head {
  readonly name: HeadName;
  /** Numbers for each horizon step. */
  readonly parts: number;
  loss(): Loss;
  /** The quantile `level` (0 to 1) of one horizon step, computed from its numbers. */
  quantile(numbers: ArrayLike<number>, level: number, unit?: number): number;
  /** The mean of counts: more informative than the median if most counts are 0. Other heads use the median as the mean. */
  mean?(numbers: ArrayLike<number>, unit?: number): number;
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * The head of that name.
 * @param levels probabilities of the intervals, such as 0.8 and 0.95; their bounds are the quantiles that `quantile` learns
 */
export function makeHead(name: HeadName, levels: readonly number[]): Head {
  switch (name) {
    case 'point':
      return { name, parts: 1, loss: () => losses.mse(), quantile: (numbers) => numbers[0] };
    case 'quantile':
      return quantileHead(levels);
    case 'gaussian':
      return {
        name,
        parts: 2,
        loss: () => losses.gaussianNll(),
        quantile: (numbers, level) => numbers[0] + softplus(numbers[1]) * normalQuantile(level),
      };
    case 'studentt':
      return {
        name,
        parts: 3,
        loss: () => losses.studentTNll(),
        quantile: (numbers, level) =>
          numbers[0] + softplus(numbers[1]) * studentTQuantile(level, 2 + softplus(numbers[2])),
      };
    case 'negbin':
      return {
        name,
        parts: 2,
        loss: () => losses.negativeBinomialNll({ units: true }),
        mean: (numbers, unit = 1) => unit * softplus(numbers[0]),
        quantile: (numbers, level, unit = 1) =>
          negativeBinomialQuantile(
            level,
            unit * softplus(numbers[0]),
            softplus(numbers[1]) / Math.sqrt(unit),
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
    parts: quantiles.length,
    loss: () => losses.pinball({ quantiles }),
    quantile(numbers, level) {
      // Quantiles are learned independently and may cross. Sorting them never makes the forecast less accurate.
      const sorted = Float64Array.from({ length: quantiles.length }, (_, i) => numbers[i]).sort();
      const at = quantiles.findIndex((quantile) => Math.abs(quantile - level) < 1e-9);
      if (at < 0)
        throw valueError(
          `level must be one of the head's quantiles (${quantiles.join(', ')}), got ${level}.`,
          { level, quantiles },
        );
      return sorted[at];
    },
  };
}
