/**
 * Reads the training goldens: reference values that other frameworks computed. tools/goldens/training.md describes their format.
 */
import { type Shape, type Tensor, tensor } from '@unroll/core';
import { readGoldens } from '@unroll/testkit/node';

/** A tensor in the goldens: little-endian float32 in base64. */
export interface Packed {
  shape: number[];
  data: string;
}

/** A number, or NaN or an infinity as a string. */
export type GoldenNumber = number | string;

export function unpack({ shape, data }: Packed): { shape: Shape; values: Float32Array } {
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  return { shape, values: new Float32Array(bytes.buffer) };
}

export function toTensor(packed: Packed): Tensor {
  const { shape, values } = unpack(packed);
  return tensor(values, shape);
}

export function toTensorOrNull(packed: Packed | undefined): Tensor | null {
  return packed ? toTensor(packed) : null;
}

export function numbersOf(value: Packed | GoldenNumber): Float32Array | number[] {
  return typeof value === 'object' ? unpack(value).values : [Number(value)];
}

/** Reads a file below packages/testkit/goldens/training. The caller specifies its type. */
export function trainingGoldens<T>(file: string): T {
  return readGoldens(`training/${file}`) as T;
}
