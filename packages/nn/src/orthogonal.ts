/** Orthogonal matrices, as recurrent kernels start: they neither shrink nor stretch a state (Saxe et al. 2014). */
import { type RandomStream, type Shape, valueError } from '@unroll/core';
import { sizeOf } from '@unroll/core/internal';

/**
 * A matrix with orthonormal rows or columns, whichever are fewer, times `gain`: the Q of a normal matrix's QR
 * decomposition with the signs of R's diagonal put right, so that it is uniform over the orthogonal group. Leading axes
 * count as rows.
 */
export function orthogonalMatrix(shape: Shape, gain: number, random: RandomStream): Float64Array {
  if (shape.length < 2) throw valueError(`orthogonal makes matrices, not a tensor of rank ${shape.length}.`);
  const cols = shape.at(-1)!;
  const rows = sizeOf(shape.slice(0, -1));
  const [tall, narrow] = [Math.max(rows, cols), Math.min(rows, cols)];
  // Column j of the tall matrix, by modified Gram-Schmidt done twice: as orthogonal as Householder's, and shorter. Its
  // R has a positive diagonal by construction, which is the sign correction.
  const q = Array.from({ length: narrow }, () => random.normal(tall));
  for (let j = 0; j < narrow; j++) {
    const column = q[j]!;
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < j; i++) subtractProjection(column, q[i]!);
    }
    normalise(column);
  }
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) out[r * cols + c] = gain * (rows >= cols ? q[c]![r]! : q[r]![c]!);
  }
  return out;
}

function subtractProjection(column: Float64Array, unit: Float64Array): void {
  let dot = 0;
  for (let r = 0; r < column.length; r++) dot += unit[r]! * column[r]!;
  for (let r = 0; r < column.length; r++) column[r]! -= dot * unit[r]!;
}

function normalise(column: Float64Array): void {
  let norm = 0;
  for (const value of column) norm += value * value;
  norm = Math.sqrt(norm);
  for (let r = 0; r < column.length; r++) column[r]! /= norm;
}
