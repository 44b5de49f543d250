/**
 * Random test values. Every maker draws from a seeded stream. All values are exact in float32, so that all backends
 * and the float64 reference start from the same inputs.
 */
import type { RandomStream, Shape } from '@unroll/core';
import { sizeOf } from '@unroll/core/internal';

export interface Drawn {
  readonly shape: Shape;
  readonly values: Float64Array;
}

/** Draws one tensor from the stream. */
export type Maker = (stream: RandomStream) => Drawn;

const drawn = (shape: Shape, values: ArrayLike<number>): Drawn => ({
  shape,
  values: Float64Array.from(values, Math.fround),
});

/** Normally distributed numbers. */
export function normal(shape: Shape, deviation = 1): Maker {
  return (stream) => drawn(shape, stream.normal(sizeOf(shape), 0, deviation));
}

/** Uniform numbers in [low, high). */
export function between(low: number, high: number, shape: Shape): Maker {
  return (stream) => drawn(shape, stream.uniform(sizeOf(shape), low, high));
}

/** Numbers of random sign whose absolute value is in [low, high). */
export function eitherSign(low: number, high: number, shape: Shape): Maker {
  return (stream) => {
    const signs = stream.uniform(sizeOf(shape), -1, 1);
    return drawn(
      shape,
      stream.uniform(sizeOf(shape), low, high).map((x, i) => (signs[i] < 0 ? -x : x)),
    );
  };
}

/** Numbers in [-4, 4), at least 0.02 away from each of `points`, where a function has a kink or a jump. */
export function awayFrom(points: readonly number[], shape: Shape): Maker {
  return (stream) =>
    drawn(
      shape,
      stream.uniform(sizeOf(shape), -4, 4).map((x) => {
        const near = points.find((point) => Math.abs(x - point) < 0.02);
        return near === undefined ? x : near + (x < near ? -0.25 : 0.25);
      }),
    );
}

/** Multiples of 1/4 in [-2, 2), plus `offset`. Tensors with offsets such as 0 and 0.1 have no element in common. */
export function grid(shape: Shape, offset = 0): Maker {
  return (stream) =>
    drawn(
      shape,
      stream.uniform(sizeOf(shape), -8, 8).map((x) => Math.floor(x) / 4 + offset),
    );
}

/** Distinct numbers, at least 1/16 apart. */
export function distinct(shape: Shape): Maker {
  return (stream) => {
    const count = sizeOf(shape);
    return drawn(
      shape,
      Float64Array.from(stream.permutation(count), (rank) => (rank - count / 2) / 16),
    );
  };
}

/** Integers from 0 to count - 1. */
export function whole(count: number, shape: Shape): Maker {
  return (stream) => drawn(shape, stream.uniform(sizeOf(shape), 0, count).map(Math.floor));
}

/** The given numbers. */
export function exactly(shape: Shape, values: ArrayLike<number>): Maker {
  return () => drawn(shape, values);
}
