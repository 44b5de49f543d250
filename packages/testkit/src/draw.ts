/**
 * Random inputs for tests. Each function of this file returns a generator of tensors with given properties. All values are
 * exact in float32, so float32 and float64 backends compute with the same inputs.
 */
import type { RandomStream, Shape } from '@unroll/core';
import { sizeOf } from '@unroll/core/internal';

/** A random tensor, not yet in the memory of a backend. */
export interface DrawnTensor {
  readonly shape: Shape;
  readonly values: Float64Array;
}

/** Draws one tensor from a random stream. */
export type TensorGenerator = (stream: RandomStream) => DrawnTensor;

const rounded = (shape: Shape, values: ArrayLike<number>): DrawnTensor => ({
  shape,
  values: Float64Array.from(values, Math.fround),
});

/** Generates normally distributed numbers. */
export function normal(shape: Shape, deviation = 1): TensorGenerator {
  return (stream) => rounded(shape, stream.normal(sizeOf(shape), 0, deviation));
}

/** Generates uniform numbers in [low, high). */
export function uniform(low: number, high: number, shape: Shape): TensorGenerator {
  return (stream) => rounded(shape, stream.uniform(sizeOf(shape), low, high));
}

/** Generates numbers with random signs whose absolute values are in [low, high). */
export function eitherSign(low: number, high: number, shape: Shape): TensorGenerator {
  return (stream) => {
    const signs = stream.uniform(sizeOf(shape), -1, 1);
    return rounded(
      shape,
      stream.uniform(sizeOf(shape), low, high).map((x, i) => (signs[i] < 0 ? -x : x)),
    );
  };
}

/** Generates numbers in [-4, 4] that are at least 0.02 away from `points`, at which a function has a kink or a jump. */
export function awayFrom(points: readonly number[], shape: Shape): TensorGenerator {
  return (stream) =>
    rounded(
      shape,
      stream.uniform(sizeOf(shape), -4, 4).map((x) => {
        const nearPoint = points.find((point) => Math.abs(x - point) < 0.02);
        return nearPoint === undefined ? x : nearPoint + (x < nearPoint ? -0.25 : 0.25);
      }),
    );
}

/** Generates multiples of 1/4 in [-2, 2), plus `offset`. Tensors with the offsets 0 and 0.1 have no number in common. */
export function grid(shape: Shape, offset = 0): TensorGenerator {
  return (stream) =>
    rounded(
      shape,
      stream.uniform(sizeOf(shape), -8, 8).map((x) => Math.floor(x) / 4 + offset),
    );
}

/** Generates distinct multiples of 1/16, in random order. */
export function distinct(shape: Shape): TensorGenerator {
  return (stream) => {
    const count = sizeOf(shape);
    return rounded(
      shape,
      Float64Array.from(stream.permutation(count), (rank) => (rank - count / 2) / 16),
    );
  };
}

/** Generates integers from 0 to count - 1. */
export function integers(count: number, shape: Shape): TensorGenerator {
  return (stream) => rounded(shape, stream.uniform(sizeOf(shape), 0, count).map(Math.floor));
}

/** Generates the given numbers, without randomness. */
export function fixedValues(shape: Shape, values: ArrayLike<number>): TensorGenerator {
  return () => rounded(shape, values);
}
