/**
 * What a network says of a row ahead: one number (`point`), quantiles, or a distribution. A head knows its loss, how many
 * numbers it takes, and how to read quantiles off them; all in the scale of the network's targets. That of counts is their
 * own: they come with the unit in which the network sees them, by which the head scales its mean.
 */
import { valueError } from '@unroll/core';
import { type Loss, losses } from '@unroll/train';
import { negativeBinomialQuantile, normalQuantile, studentTQuantile } from './distributions.js';

export type HeadName = 'point' | 'quantile' | 'gaussian' | 'studentt' | 'negbin';
export const HEADS: readonly HeadName[] = ['point', 'quantile', 'gaussian', 'studentt', 'negbin'];

export interface Head {
  readonly name: HeadName;
  /** Numbers for each row ahead. */
  readonly parts: number;
  loss(): Loss;
  /** The quantile `level` (0 to 1) that the numbers of one row ahead stand for. */
  quantile(numbers: ArrayLike<number>, level: number, unit?: number): number;
  /** Of counts: the mean, which tells more than the median where most of them are 0. Else the median is taken for it. */
  mean?(numbers: ArrayLike<number>, unit?: number): number;
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * The head of that name.
 * @param levels probabilities of the intervals to come, such as 0.8 and 0.95: the quantiles that `quantile` learns
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
      throw valueError(`There is no head "${name}". Choose one of ${HEADS.join(', ')}.`, { head: name });
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
      // Quantiles of a row are learned apart and may cross: in order they are right more often, never less.
      const sorted = Float64Array.from({ length: quantiles.length }, (_, i) => numbers[i]).sort();
      const at = quantiles.findIndex((quantile) => Math.abs(quantile - level) < 1e-9);
      if (at < 0) throw valueError(`The head has not learned the quantile ${level}.`, { level, quantiles });
      return sorted[at];
    },
  };
}
