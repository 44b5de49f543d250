/**
 * The loops over a sequence that all reference cells share. They handle masks, recurrent dropout, and the positions of
 * states and outputs; each cell adds its equations for one batch row of one step. ' marks the value of the previous step.
 */
import type { FloatArray, RecurrentBackwardCall, RecurrentForwardCall } from '../backend.js';
import { values } from './block.js';

/** One batch row of one step of the forward loop. */
export interface ForwardRow {
  /** Step, in processing order. */
  t: number;
  /** Batch row. */
  r: number;
  /** t*B + r, the index of the row in [T, B]. */
  index: number;
  /** False: the step is masked, and the cell must leave its states unchanged. */
  valid: boolean;
  /** [I+H]: x_t and h' after recurrent dropout. */
  xh: FloatArray;
  /** h' before recurrent dropout. */
  hBefore: FloatArray;
  /** The cell writes the new h here. Ignored if the step is masked. */
  h: Float64Array;
}

/** Calls `cell` for every row of every step, first step first, and stores the states and outputs. */
export function walkForward(call: RecurrentForwardCall, cell: (row: ForwardRow) => void): void {
  const { T, B, I, H, y } = call;
  const K = I + H;
  const xh = values(call.xh);
  const hs = call.hs && values(call.hs);
  const rmask = call.rmask && values(call.rmask);
  const mask = call.mask && values(call.mask);
  const outputMask = call.outputMask && values(call.outputMask);
  const out = y && values(y.block);
  const [x, bufferSteps] = [call.x && values(call.x), call.x ? 2 : T + 1];
  const h = new Float64Array(H);
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < B; r++) {
      const index = t * B + r;
      const valid = mask === null || mask[index] !== 0;
      const start = ((t % bufferSteps) * B + r) * K;
      const next = (((t + 1) % bufferSteps) * B + r) * K;
      const row = xh.subarray(start, start + K);
      if (x) {
        const from = (r * T + (call.reverse ? T - 1 - t : t)) * I;
        row.set(x.subarray(from, from + I));
      } else if (!valid) {
        // Zeros keep a NaN in a masked input out of the weight gradients.
        row.fill(0, 0, I);
      }
      const hBefore = hs ? hs.subarray(index * H, (index + 1) * H) : row.subarray(I);
      cell({ t, r, index, valid, xh: row, hBefore, h });
      for (let u = 0; u < H; u++) {
        const value = valid ? h[u] : hBefore[u];
        xh[next + I + u] = rmask ? value * rmask[r * H + u] : value;
        if (hs) hs[(index + B) * H + u] = value;
        if (out)
          out[y.offset + t * y.strideT + r * y.strideB + u] =
            outputMask && outputMask[index] === 0 ? 0 : value;
      }
    }
  }
}

/** One valid batch row of one step of the backward loop. */
export interface BackwardRow {
  t: number;
  r: number;
  /** t*B + r, the index of the row in [T, B]. */
  index: number;
  /** Before the call: the complete gradient of h. The cell replaces it with the gradient of h' (before dropout). */
  dh: FloatArray;
  /**
   * Returns the part of the gradient of h' from a recurrent product: `width` columns of the row of dG, starting at `first`,
   * times the transpose of `width` columns of U, starting at `column`.
   */
  throughU(first: number, width: number, column: number): Float64Array;
}

/**
 * Calls `cell` for every valid row, from the last step to the first. For a masked row, dh stays unchanged, dG is set
 * to 0, and `masked` is called. `columns` are the numbers of columns of dG and U.
 */
export function walkBackward(
  call: RecurrentBackwardCall & { dG: RecurrentBackwardCall['U'] },
  columns: { dG: number; U: number },
  cell: (row: BackwardRow) => void,
  masked: (t: number, r: number) => void = () => {},
): void {
  const { T, B, H, dy } = call;
  const [U, dh, dG] = [values(call.U), values(call.dh), values(call.dG)];
  const rmask = call.rmask && values(call.rmask);
  const mask = call.mask && values(call.mask);
  const outputMask = call.outputMask && values(call.outputMask);
  const dhAll = call.dhAll && values(call.dhAll);
  const incoming = dy && values(dy.block);
  for (let t = T - 1; t >= 0; t--) {
    for (let r = 0; r < B; r++) {
      const index = t * B + r;
      const row = dh.subarray(r * H, (r + 1) * H);
      if (incoming && (outputMask === null || outputMask[index] !== 0)) {
        for (let u = 0; u < H; u++) row[u] += incoming[dy.offset + t * dy.strideT + r * dy.strideB + u];
      }
      dhAll?.set(row, index * H);
      if (mask !== null && mask[index] === 0) {
        dG.fill(0, index * columns.dG, (index + 1) * columns.dG);
        masked(t, r);
        continue;
      }
      const throughU = (first: number, width: number, column: number): Float64Array =>
        Float64Array.from({ length: H }, (_, u) => {
          let total = 0;
          for (let j = 0; j < width; j++)
            total += dG[index * columns.dG + first + j] * U[u * columns.U + column + j];
          return rmask ? total * rmask[r * H + u] : total;
        });
      cell({ t, r, index, dh: row, throughU });
    }
  }
}

/** Returns a row times `width` columns of a matrix, starting at `column`. The matrix has `stride` columns. */
export function product(
  row: FloatArray,
  matrix: FloatArray,
  stride: number,
  column: number,
  width: number,
): Float64Array {
  return Float64Array.from({ length: width }, (_, j) => {
    let total = 0;
    for (let k = 0; k < row.length; k++) total += row[k] * matrix[k * stride + column + j];
    return total;
  });
}
