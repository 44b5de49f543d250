/** `projection`: principal components of states. */
import { RandomStream, shapeError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { DataArray } from './arrays.js';

export interface ProjectionOptions {
  /** Number of components. Default 2. */
  components?: number;
  /** Mask [...] of the rows of states [..., H]: 1 for valid rows. Masked rows do not affect the components. */
  mask?: DataArray | null;
}

export interface Projection {
  /** The coordinates, [..., components], of all rows. */
  points: DataArray;
  /** The directions [components, H], of length 1. The entry of each with the largest absolute value is positive. */
  components: DataArray;
  /** Mean of the rows [H]. */
  mean: Float64Array;
  /** Share of the variance along each component. */
  explained: Float64Array;
}

/**
 * Returns states [..., H], such as those of a trace, projected onto their principal components (Pearson 1901).
 * @throws UnrollError `value` if there are fewer than 2 valid rows; `shape` if there are fewer units than components, or if the
 * mask does not have one value for each row
 */
export function projection(states: DataArray, options: ProjectionOptions = {}): Projection {
  checkOptions('projection', options, { components: 'count', mask: true });
  const { components: k = 2, mask = null } = options;
  const H = states.shape.at(-1) ?? 0;
  const N = states.values.length / Math.max(H, 1);
  if (k > H) throw shapeError(`projection: components must be at most ${H}, the number of units, got ${k}.`);
  if (mask && mask.values.length !== N)
    throw shapeError(`projection: mask must have ${N} values, one for each row, got ${mask.values.length}.`);
  const isValid = (row: number): boolean => mask === null || mask.values[row] !== 0;
  const valid = Array.from({ length: N }, (_, row) => row).filter(isValid);
  if (valid.length < 2) throw valueError(`projection needs at least 2 valid rows, got ${valid.length}.`);
  const mean = new Float64Array(H);
  for (const row of valid) for (let u = 0; u < H; u++) mean[u] += states.values[row * H + u] / valid.length;
  const covariance = covarianceOf(states, valid, mean, H);
  const { vectors, values } = leadingEigenvectors(covariance, H, k);
  const total = Array.from({ length: H }, (_, u) => covariance[u * H + u]).reduce(
    (sum, value) => sum + value,
    0,
  );
  const points = new Float64Array(N * k);
  for (let row = 0; row < N; row++) {
    for (let c = 0; c < k; c++) {
      let dot = 0;
      for (let u = 0; u < H; u++) dot += (states.values[row * H + u] - mean[u]) * vectors[c * H + u];
      points[row * k + c] = dot;
    }
  }
  return {
    points: { shape: [...states.shape.slice(0, -1), k], values: points },
    components: { shape: [k, H], values: vectors },
    mean,
    explained: values.map((value) => (total > 0 ? value / total : 0)),
  };
}

function covarianceOf(
  { values }: DataArray,
  rows: readonly number[],
  mean: Float64Array,
  H: number,
): Float64Array {
  const out = new Float64Array(H * H);
  const centered = new Float64Array(H);
  for (const row of rows) {
    for (let u = 0; u < H; u++) centered[u] = values[row * H + u] - mean[u];
    for (let u = 0; u < H; u++)
      for (let v = 0; v < H; v++) out[u * H + v] += (centered[u] * centered[v]) / (rows.length - 1);
  }
  return out;
}

const ITERATIONS = 300;
/** More vectors than requested make the iteration converge faster. */
const EXTRA_VECTORS = 6;

/** Returns the k largest eigenvalues of a symmetric matrix [n, n] and their eigenvectors [k, n], by subspace iteration. */
function leadingEigenvectors(
  matrix: Float64Array,
  n: number,
  k: number,
): { vectors: Float64Array; values: Float64Array } {
  const m = Math.min(n, k + EXTRA_VECTORS);
  let basis = orthonormal(new RandomStream(0, 'projection').normal(m * n), m, n);
  for (let i = 0; i < ITERATIONS; i++) basis = orthonormal(multiply(basis, matrix, m, n), m, n);
  const image = multiply(basis, matrix, m, n);
  const small = new Float64Array(m * m);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < m; j++)
      for (let u = 0; u < n; u++) small[i * m + j] += basis[i * n + u] * image[j * n + u];
  const { vectors: rotation, values: eigenvalues } = jacobi(small, m);
  const order = Array.from(eigenvalues.keys()).sort((a, b) => eigenvalues[b] - eigenvalues[a]);
  const vectors = new Float64Array(k * n);
  for (let c = 0; c < k; c++) {
    for (let i = 0; i < m; i++)
      for (let u = 0; u < n; u++) vectors[c * n + u] += rotation[i * m + order[c]] * basis[i * n + u];
    makeLargestPositive(vectors.subarray(c * n, (c + 1) * n));
  }
  return {
    vectors,
    values: Float64Array.from(order.slice(0, k), (index) => Math.max(0, eigenvalues[index])),
  };
}

function makeLargestPositive(vector: Float64Array): void {
  const largest = vector.reduce((max, value) => (Math.abs(value) > Math.abs(max) ? value : max), 0);
  if (largest < 0) for (let u = 0; u < vector.length; u++) vector[u] *= -1;
}

/** Returns rows [m, n] times a symmetric matrix [n, n]. */
function multiply(rows: Float64Array, matrix: Float64Array, m: number, n: number): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let u = 0; u < n; u++) {
      const factor = rows[i * n + u];
      if (factor === 0) continue;
      for (let v = 0; v < n; v++) out[i * n + v] += factor * matrix[u * n + v];
    }
  }
  return out;
}

/** Returns rows [m, n] made orthonormal (Gram & Schmidt, twice for accuracy). Rows that depend on earlier rows become 0. */
function orthonormal(rows: Float64Array, m: number, n: number): Float64Array {
  const out = Float64Array.from(rows);
  for (let i = 0; i < m; i++) {
    const row = out.subarray(i * n, (i + 1) * n);
    const before = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        let dot = 0;
        for (let u = 0; u < n; u++) dot += row[u] * out[j * n + u];
        for (let u = 0; u < n; u++) row[u] -= dot * out[j * n + u];
      }
    }
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let u = 0; u < n; u++) row[u] = length > 1e-14 * before ? row[u] / length : 0;
  }
  return out;
}

/** Returns the eigenvectors (columns) and eigenvalues of a small symmetric matrix, by Jacobi rotations. */
function jacobi(matrix: Float64Array, n: number): { vectors: Float64Array; values: Float64Array } {
  const a = Float64Array.from(matrix);
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 50; sweep++) {
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  return { vectors: v, values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]) };
}

/** Rotates rows and columns p and q of a, so that a[p, q] becomes 0, and columns p and q of v, the eigenvectors. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const off = a[p * n + q];
  if (off === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * off);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i * n + p], a[i * n + q]];
    a[i * n + p] = c * x - s * y;
    a[i * n + q] = s * x + c * y;
  }
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[p * n + i], a[q * n + i]];
    a[p * n + i] = c * x - s * y;
    a[q * n + i] = s * x + c * y;
    const [vx, vy] = [v[i * n + p], v[i * n + q]];
    v[i * n + p] = c * vx - s * vy;
    v[i * n + q] = s * vx + c * vy;
  }
}
