/** A small recurrent model and a small data set, for tests of the training loop. */
import { type Tensor, tensor } from '@unroll/core';
import { dense, lstm, type Network, sequential } from '@unroll/nn';

/** Windows of a sine with a small ripple, x [count, steps, 1], and the next value, y [count, 1]. */
export function waves(count = 40, steps = 6): { x: Tensor; y: Tensor } {
  const wave = (i: number): number => Math.sin(i / 3) + 0.1 * Math.sin(2.1 * i);
  const x = Float32Array.from({ length: count * steps }, (_, i) => wave(Math.floor(i / steps) + (i % steps)));
  const y = Float32Array.from({ length: count }, (_, i) => wave(i + steps));
  return { x: tensor(x, [count, steps, 1]), y: tensor(y, [count, 1]) };
}

export function forecaster(options: { stateful?: boolean; dropout?: number } = {}): Network {
  return sequential([lstm({ units: 5, ...options }), dense({ units: 1 })], { seed: 7 });
}

/** Returns all weights, concatenated. */
export function weightsOf(model: Network): number[] {
  return model.getWeights().flatMap(({ values }) => [...values]);
}

/** Returns the largest absolute difference between two lists of the same length. */
export function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

/** Returns the rows `from` to `to - 1` of a tensor. */
export function rows(source: Tensor, from: number, to: number): Tensor {
  const width = source.size / source.shape[0]!;
  return tensor(source.dataSync().slice(from * width, to * width), [to - from, ...source.shape.slice(1)]);
}
