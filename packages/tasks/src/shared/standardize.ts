/** Computes and checks the mean and standard deviation of each feature. */
import { UnrollError } from '@unroll/core';

/**
 * Returns the mean and the standard deviation (1 for a constant feature) of each feature.
 * @param frames arrays [frames, width], row by row
 */
export function standardisationOf(
  frames: Iterable<Float32Array>,
  width: number,
): { means: number[]; deviations: number[] } {
  const [means, squares] = [new Float64Array(width), new Float64Array(width)];
  let count = 0;
  // Running means and sums of squared deviations (Welford 1962).
  for (const values of frames) {
    for (let start = 0; start < values.length; start += width) {
      count++;
      for (let f = 0; f < width; f++) {
        const change = values[start + f] - means[f];
        means[f] += change / count;
        squares[f] += change * (values[start + f] - means[f]);
      }
    }
  }
  return { means: [...means], deviations: Array.from(squares, (sum) => Math.sqrt(sum / count) || 1) };
}

/**
 * Checks the means and standard deviations in pipeline.json. A standard deviation of 0 would make every prediction NaN.
 * @param width number of features
 * @throws UnrollError `format` if a list does not have `width` finite numbers, or a deviation is not above 0
 */
export function checkStandardisation(
  { means, deviations }: { means: readonly number[]; deviations: readonly number[] },
  width: number,
): void {
  const damaged = (problem: string) =>
    new UnrollError('format', `pipeline.json is damaged: means and deviations must ${problem}.`);
  const fits = (values: unknown): boolean => Array.isArray(values) && values.length === width;
  if (!fits(means) || !fits(deviations)) throw damaged(`have ${width} values`);
  const areFinite = [...means, ...deviations].every((value) => Number.isFinite(value));
  if (!areFinite || !deviations.every((value) => value > 0))
    throw damaged('be finite numbers, the deviations above 0');
}
