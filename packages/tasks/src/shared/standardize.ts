/** Mean and standard deviation of each feature. */

/**
 * Returns the mean and the standard deviation (1 for a constant feature) of each feature.
 * @param frames arrays [frames, width], row by row
 */
export function standardOf(
  frames: Iterable<Float32Array>,
  width: number,
): { means: number[]; deviations: number[] } {
  const [means, squares] = [new Float64Array(width), new Float64Array(width)];
  let count = 0;
  // Running means and sums of squared deviations (Welford 1962).
  for (const values of frames) {
    for (let at = 0; at < values.length; at += width) {
      count++;
      for (let f = 0; f < width; f++) {
        const change = values[at + f] - means[f];
        means[f] += change / count;
        squares[f] += change * (values[at + f] - means[f]);
      }
    }
  }
  return { means: [...means], deviations: Array.from(squares, (sum) => Math.sqrt(sum / count) || 1) };
}
