/** Statistics and histograms of the weights of a network. */
import type { Network } from '@unroll/nn';

export interface TensorInfo {
  name: string;
  shape: readonly number[];
  count: number;
  mean: number;
  deviation: number;
  min: number;
  max: number;
  /** Share of zeros. */
  zeros: number;
  /** Counts of values in bins of equal width from `min` to `max`. */
  histogram: number[];
}

const BINS = 24;

export async function tensorsOf(network: Pick<Network, 'parameters'>): Promise<TensorInfo[]> {
  return Promise.all(
    network.parameters.map(async (parameter) => ({
      name: parameter.name,
      shape: parameter.shape,
      ...statisticsOf(await parameter.data()),
    })),
  );
}

export function statisticsOf(values: ArrayLike<number>): Omit<TensorInfo, 'name' | 'shape'> {
  let [sum, squares, zeros] = [0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    sum += value;
    squares += value * value;
    if (value === 0) zeros++;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const count = values.length;
  const mean = sum / count;
  const histogram = new Array<number>(BINS).fill(0);
  const width = (max - min) / BINS || 1;
  for (let i = 0; i < count; i++) histogram[Math.min(BINS - 1, Math.floor((values[i] - min) / width))]++;
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
  return { count, mean, deviation, min, max, zeros: zeros / count, histogram };
}

/** Returns shapes as text, with B for an unknown batch size and T for any other unknown size. */
export const shapesText = (shapes: readonly (readonly number[])[]): string =>
  shapes
    .map((shape) => `[${shape.map((size, axis) => (size >= 0 ? size : axis === 0 ? 'B' : 'T')).join(', ')}]`)
    .join(' ');
