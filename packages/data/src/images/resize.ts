/** Changes the size of images. */

/** The size of an image and its number of channels. */
export interface ImageShape {
  height: number;
  width: number;
  channels: number;
}

/** The input pixels along one axis that an output pixel covers: the index of the first one, and the weights, whose sum is 1. */
interface Cover {
  first: number;
  weights: Float64Array;
}

/** Returns the cover of each output pixel along an axis. */
function coversOf(from: number, to: number): Cover[] {
  const step = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * step, Math.min(from, (i + 1) * step)];
    const first = Math.min(from - 1, Math.floor(start));
    const last = Math.min(from - 1, Math.max(first, Math.ceil(end - 1e-9) - 1));
    const weights = Float64Array.from({ length: last - first + 1 }, (_, k) => {
      return Math.max(0, Math.min(end, first + k + 1) - Math.max(start, first + k));
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/**
 * Changes the size of an image: each new pixel is the mean of the old pixels that it covers, weighted by the covered areas (OpenCV:
 * INTER_AREA).
 * @param values [height, width, channels], row by row
 * @returns [to.height, to.width, channels]
 */
export function resizeArea(
  values: ArrayLike<number>,
  { height, width, channels }: ImageShape,
  to: { height: number; width: number },
): Float32Array {
  if (to.height === height && to.width === width) return Float32Array.from(values);
  const columns = coversOf(width, to.width);
  const rows = coversOf(height, to.height);
  const resizedRows = new Float32Array(height * to.width * channels);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < to.width; x++) {
      const { first, weights } = columns[x];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++)
          sum += weights[k] * values[(y * width + first + k) * channels + c];
        resizedRows[(y * to.width + x) * channels + c] = sum;
      }
    }
  const size = to.width * channels;
  const out = new Float32Array(to.height * size);
  for (let y = 0; y < to.height; y++) {
    const { first, weights } = rows[y];
    for (let k = 0; k < weights.length; k++)
      for (let i = 0; i < size; i++) out[y * size + i] += weights[k] * resizedRows[(first + k) * size + i];
  }
  return out;
}
