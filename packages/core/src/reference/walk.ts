/**
 * The loop over a sequence that all reference cells share: masks, dropout of the state, and the positions of states
 * and outputs. A cell adds its equations for one row of one step.
 */
import type { BackwardCall, FloatArray, ForwardCall } from '../backend.js';
import { values } from './block.js';

/** One row of one step of the forward loop. */
export interface ForwardRow {
  t: number;
  r: number;
  /** t*B + r */
  step: number;
  /** True if the step is valid; otherwise every state must keep its value. */
  valid: boolean;
  /** [I+H]: x_t and h' after recurrent dropout. */
  xh: FloatArray;
  /** h', without dropout. */
  before: FloatArray;
  /** To be filled with h (ignored if not valid). */
  h: Float64Array;
}

export function walkForward(call: ForwardCall, cell: (row: ForwardRow) => void): void {
  const { T, B, I, H, y } = call;
  const K = I + H;
  const xh = values(call.xh);
  const hs = call.hs && values(call.hs);
  const rmask = call.rmask && values(call.rmask);
  const mask = call.mask && values(call.mask);
  const outputMask = call.outputMask && values(call.outputMask);
  const out = y && values(y.block);
  const [x, rows] = [call.x && values(call.x), call.x ? 2 : T + 1];
  const h = new Float64Array(H);
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < B; r++) {
      const step = t * B + r;
      const valid = mask === null || mask[step] !== 0;
      const [at, next] = [((t % rows) * B + r) * K, (((t + 1) % rows) * B + r) * K];
      const row = xh.subarray(at, at + K);
      if (x) {
        const from = (r * T + (call.reverse ? T - 1 - t : t)) * I;
        row.set(x.subarray(from, from + I));
      } else if (!valid) {
        // Zeros add nothing to the gradients of weights, even if the input was NaN.
        row.fill(0, 0, I);
      }
      const before = hs ? hs.subarray(step * H, (step + 1) * H) : row.subarray(I);
      cell({ t, r, step, valid, xh: row, before, h });
      for (let u = 0; u < H; u++) {
        const value = valid ? h[u] : before[u];
        xh[next + I + u] = rmask ? value * rmask[r * H + u] : value;
        if (hs) hs[(step + B) * H + u] = value;
        if (out)
          out[y.offset + t * y.strideT + r * y.strideB + u] =
            outputMask && outputMask[step] === 0 ? 0 : value;
      }
    }
  }
}

/** One valid row of one step of the backward loop. */
export interface BackwardRow {
  t: number;
  r: number;
  step: number;
  /** In: the complete gradient of h. Out: that of h' (without dropout). */
  dh: FloatArray;
  /** Σ over `width` columns of dG's row from `first`, times U's columns from `column`: their contribution to dh'. */
  throughU(first: number, width: number, column: number): Float64Array;
}

/**
 * Calls `cell` for every valid row from the last step to the first; at masked rows dh passes unchanged and dG is 0.
 * `units` is the width of dG's and U's rows.
 */
export function walkBackward(
  call: BackwardCall & { dG: BackwardCall['U'] },
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
      const step = t * B + r;
      const row = dh.subarray(r * H, (r + 1) * H);
      if (incoming && (outputMask === null || outputMask[step] !== 0)) {
        for (let u = 0; u < H; u++) row[u] += incoming[dy.offset + t * dy.strideT + r * dy.strideB + u];
      }
      dhAll?.set(row, step * H);
      if (mask !== null && mask[step] === 0) {
        dG.fill(0, step * columns.dG, (step + 1) * columns.dG);
        masked(t, r);
        continue;
      }
      const throughU = (first: number, width: number, column: number): Float64Array =>
        Float64Array.from({ length: H }, (_, u) => {
          let total = 0;
          for (let j = 0; j < width; j++)
            total += dG[step * columns.dG + first + j] * U[u * columns.U + column + j];
          return rmask ? total * rmask[r * H + u] : total;
        });
      cell({ t, r, step, dh: row, throughU });
    }
  }
}

/**
 * a[j] = bias[j] + Σ_k row[k] M[k][column + j], for j < width: one row times a part of a matrix with `stride`
 * columns.
 */
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
