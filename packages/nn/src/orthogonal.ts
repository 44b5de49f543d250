/** Random orthogonal matrices, for recurrent kernels: they preserve the norm of a state (Saxe et al. 2014). */
import { type RandomStream, type Shape, valueError } from '@unroll/core';
import { sizeOf } from '@unroll/core/internal';

/** Columns per block: few enough to fit in the cache, together with the four columns that are subtracted. */
const BLOCK = 8;

/**
 * Returns a random matrix with orthonormal columns (or rows, if there are fewer rows than columns), multiplied by
 * `gain`. The matrix is the factor Q of a QR decomposition of a matrix of normal random numbers. With a positive diagonal
 * of R, Q is uniformly distributed. If `shape` has more than two axes, all but the last count as rows.
 */
export function orthogonalMatrix(shape: Shape, gain: number, random: RandomStream): Float64Array {
  if (shape.length < 2) throw valueError(`orthogonal needs a matrix, got a tensor of rank ${shape.length}.`);
  const cols = shape[shape.length - 1];
  const rows = sizeOf(shape.slice(0, -1));
  const q = orthonormal(Math.max(rows, cols), Math.min(rows, cols), random);
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) out[r * cols + c] = gain * (rows >= cols ? q[c][r] : q[r][c]);
  }
  return out;
}

/**
 * Computes `count` orthonormal columns of length `length` by Gram-Schmidt. The diagonal of R is positive by
 * construction. A column that loses most of its norm is orthogonalised a second time ("twice is enough", Kahan),
 * which makes the result as orthogonal as Householder's.
 */
function orthonormal(length: number, count: number, random: RandomStream): Float64Array[] {
  const q = Array.from({ length: count }, () => random.normal(length));
  for (let start = 0; start < count; start += BLOCK) {
    const block = q.slice(start, start + BLOCK);
    const norms = block.map(norm);
    project(q, start, block);
    block.forEach((column, n) => {
      for (let i = 0; i < n; i++) subtract(column, block[i]);
      if (norm(column) < norms[n] / 2) {
        project(q, start, [column]);
        for (let i = 0; i < n; i++) subtract(column, block[i]);
      }
      const scale = 1 / norm(column);
      for (let r = 0; r < length; r++) column[r] *= scale;
    });
  }
  return q;
}

/** Subtracts from `columns` their projections on the first `count` columns of q, four projections at a time. */
function project(q: readonly Float64Array[], count: number, columns: readonly Float64Array[]): void {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    for (const column of columns) subtractFour(column, q[i], q[i + 1], q[i + 2], q[i + 3]);
  }
  for (; i < count; i++) for (const column of columns) subtract(column, q[i]);
}

/** Subtracts the projections of `column` on four orthonormal vectors. */
function subtractFour(
  column: Float64Array,
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  d: Float64Array,
): void {
  let [x, y, z, w] = [0, 0, 0, 0];
  for (let r = 0; r < column.length; r++) {
    const value = column[r];
    x += a[r] * value;
    y += b[r] * value;
    z += c[r] * value;
    w += d[r] * value;
  }
  for (let r = 0; r < column.length; r++) {
    column[r] -= x * a[r] + y * b[r] + z * c[r] + w * d[r];
  }
}

/** Subtracts the projection of `column` on a unit vector. */
function subtract(column: Float64Array, unit: Float64Array): void {
  let dot = 0;
  for (let r = 0; r < column.length; r++) dot += unit[r] * column[r];
  for (let r = 0; r < column.length; r++) column[r] -= dot * unit[r];
}

function norm(column: Float64Array): number {
  let sum = 0;
  for (const value of column) sum += value * value;
  return Math.sqrt(sum);
}
