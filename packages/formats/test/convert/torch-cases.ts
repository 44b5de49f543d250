/** The cases of tools/goldens/formats/pytorch.py. UNROLL_TORCH_CASES sets another folder, such as the output of --matrix. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NamedArray } from '@unroll/formats/convert';

export const FOLDER =
  process.env.UNROLL_TORCH_CASES ??
  fileURLToPath(new URL('../../../testkit/goldens/formats/pytorch', import.meta.url));

interface Encoded {
  shape: number[];
  values: string;
}

export interface TorchCase {
  file: string;
  options: Record<string, string | number | boolean | number[]>;
  map: unknown;
  x: Encoded;
  y: Encoded;
}

export const { cases, others } = JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8')) as {
  cases: Record<string, TorchCase>;
  others: { views?: Record<string, Encoded>; arrays?: Record<string, Encoded> };
};

export function decode({ shape, values }: Encoded, name = ''): NamedArray {
  const bytes = Uint8Array.from(Buffer.from(values, 'base64'));
  return { name, shape, values: new Float64Array(bytes.buffer) };
}

/** Returns the largest |a - b| / max(1, |b|), or Infinity if the lengths differ. */
export function largestError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < b.length; i++) {
    const error = Math.abs(a[i] - b[i]) / Math.max(1, Math.abs(b[i]));
    largest = Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return largest;
}
