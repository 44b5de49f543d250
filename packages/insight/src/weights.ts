/** `weightStatistics`: mean, standard deviation and histogram of every parameter of a model. */
import type { Model } from '@unroll/core';
import { type Histogram, histogramOf } from './histogram.js';

export interface WeightStatistics {
  name: string;
  shape: number[];
  trainable: boolean;
  /** Mean of the finite weights. */
  mean: number;
  /** Standard deviation of the finite weights. */
  deviation: number;
  /** Number of weights that are NaN or infinite. */
  nonFinite: number;
  /** Share of weights that are exactly 0. */
  zeros: number;
  histogram: Histogram;
}

/** Returns statistics of every parameter of a built model. @param bins number of bins of the histograms. Default 30 */
export async function weightStatistics(
  model: Pick<Model, 'parameters'>,
  bins = 30,
): Promise<WeightStatistics[]> {
  return Promise.all(
    model.parameters.map(async (parameter) => {
      const values = await parameter.data();
      const histogram = histogramOf(values, bins);
      const count = Math.max(1, histogram.count);
      const mean = histogram.sum / count;
      // The mean square minus the squared mean would lose precision by cancellation.
      let [squares, zeros] = [0, 0];
      for (const value of values) {
        if (Number.isFinite(value)) squares += (value - mean) ** 2;
        if (value === 0) zeros++;
      }
      return {
        ...{ name: parameter.name, shape: [...parameter.shape], trainable: parameter.trainable, mean },
        deviation: Math.sqrt(squares / count),
        nonFinite: values.length - histogram.count,
        zeros: zeros / Math.max(1, values.length),
        histogram,
      };
    }),
  );
}
