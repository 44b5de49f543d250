/**
 * The spectral radius of recurrent matrices, by repeated squaring: ρ(A) is the limit of |A^n|^(1/n) (Gelfand 1941). With
 * n = 2^20, the constant by which |A^n| differs from ρ^n changes the result by less than 0.001 %, also for complex
 * eigenvalues, on which a power iteration does not converge.
 */
import type { Recurrent } from '@unroll/nn';
import { gateNamesOf } from './cell-weights.js';

const SQUARINGS = 20;

/** Returns the largest absolute value of the eigenvalues of a square matrix [n, n]. */
export function spectralRadius(matrix: ArrayLike<number>, n: number): number {
  let a = Float64Array.from(matrix);
  let logScale = 0;
  let power = 1;
  for (let i = 0; i <= SQUARINGS; i++) {
    const norm = Math.sqrt(a.reduce((sum, value) => sum + value * value, 0));
    if (norm === 0) return 0;
    if (!Number.isFinite(norm)) return norm;
    // log |A^power| = power * logScale + log norm, where a = A^power / exp(power * logScale)
    logScale += Math.log(norm) / power;
    a = a.map((value) => value / norm);
    if (i === SQUARINGS) break;
    a = squareOf(a, n);
    power *= 2;
  }
  return Math.exp(logScale);
}

function squareOf(a: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k];
      if (factor === 0) continue;
      for (let j = 0; j < n; j++) out[i * n + j] += factor * a[k * n + j];
    }
  }
  return out;
}

/** Largest number of units for which the spectral radius is computed: it takes 20 products of H x H matrices. */
const MAX_UNITS = 256;

/**
 * Returns the spectral radius of the recurrent matrix of each gate of a layer (`U` for a simple RNN); null if the cell has no
 * recurrent matrix, or more than 256 units.
 */
export async function spectralRadii(layer: Recurrent): Promise<Record<string, number> | null> {
  const U = layer.parameters.find(({ name }) => name.endsWith('/recurrent_kernel'));
  if (!U) return null;
  const [H, width] = U.shape;
  const gates = width / H;
  if (!Number.isInteger(gates) || H > MAX_UNITS) return null;
  const values = await U.data();
  const names = gateNamesOf(layer.cell, gates);
  return Object.fromEntries(
    names.map((name, gate) => {
      const block = new Float64Array(H * H);
      for (let r = 0; r < H; r++)
        block.set(values.subarray(r * width + gate * H, r * width + (gate + 1) * H), r * H);
      return [name, spectralRadius(block, H)];
    }),
  );
}
