/** Forecasting the next value of a time series: a sine mixture, the air passengers, or a column of a CSV file. */
import { RandomStream } from '@unroll/core';
import { InputError } from './input-error.js';
import type { Batch, Problem, Series } from './problem.js';

/** Monthly international airline passengers in thousands, 1949 to 1960 (Box & Jenkins 1976). */
const AIR_PASSENGERS = [
  112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158,
  133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218,
  230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235,
  227, 234, 264, 302, 293, 259, 229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
  284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404,
  347, 305, 336, 340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472,
  548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
];

/** Share of the values that are held out. */
const TEST_SHARE = 0.2;

/** Returns a problem whose inputs are `steps` consecutive values, and whose target is the next value. */
export function seriesProblem(name: string, values: Float64Array, steps: number): Problem {
  const testStart = Math.floor(values.length * (1 - TEST_SHARE));
  if (testStart - steps < 8) {
    const least = Math.ceil((steps + 9) / (1 - TEST_SHARE));
    throw new InputError('shortSeries', { name, count: values.length, steps, least });
  }
  const series = { name, values, testStart, ...momentsOf(values.subarray(0, testStart)) };
  return {
    ...{ kind: 'series', steps, features: [name], vocabulary: null, classes: null },
    ...{ outputs: 1, perStep: false, loss: 'mse', solvedLoss: null, series },
    baseline: naiveError(series),
    batch: (random, count) => {
      const starts = random.uniform(count, 0, testStart - steps);
      return windows(series, Array.from(starts, Math.floor), steps);
    },
    examples: windows(series, range(testStart - steps, values.length - steps), steps),
  };
}

/** Returns the problem of forecasting a sum of three sines with noise. None of the periods is a multiple of another. */
export function sineMixture(steps: number, seed: number): Problem {
  const count = Math.max(1200, steps * 4);
  const noise = new RandomStream(seed, 'sine').normal(count);
  const wave = (t: number): number =>
    Math.sin(t / 5) + 0.6 * Math.sin(t / 11.3 + 1) + 0.4 * Math.sin(t / 2.7 + 2);
  const values = Float64Array.from({ length: count }, (_, t) => wave(t) + 0.05 * noise[t]);
  return seriesProblem('sine mixture', values, steps);
}

export const airPassengers = (steps: number): Problem =>
  seriesProblem('passengers', Float64Array.from(AIR_PASSENGERS), steps);

function momentsOf(values: Float64Array): Pick<Series, 'mean' | 'scale'> {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, scale: Math.sqrt(variance) || 1 };
}

/** Returns the mean squared error of the naive forecast (the last value) on the training part, in standardised units. */
function naiveError({ values, testStart, scale }: Series): number {
  let sum = 0;
  for (let t = 1; t < testStart; t++) sum += ((values[t] - values[t - 1]) / scale) ** 2;
  return sum / (testStart - 1);
}

function windows({ values, mean, scale }: Series, starts: readonly number[], steps: number): Batch {
  const x = new Float32Array(starts.length * steps);
  const y = new Float32Array(starts.length);
  starts.forEach((start, n) => {
    for (let t = 0; t < steps; t++) x[n * steps + t] = (values[start + t] - mean) / scale;
    y[n] = (values[start + steps] - mean) / scale;
  });
  return { count: starts.length, x, y };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
