/** The linear scan in plain loops: h_t = a_t h' + b_t, where h' is the previous h. A masked step leaves h unchanged. */
import type { LinearScanBackwardCall, LinearScanCall, ScanCall } from '../backend.js';
import { values } from './block.js';

/** Returns the index in [B, T, H] of unit u of batch row r at the n-th processed step. */
const indexOf = ({ T, H, reverse }: ScanCall, r: number, n: number, u: number): number =>
  (r * T + (reverse ? T - 1 - n : n)) * H + u;

/** Returns whether the n-th processed step of batch row r is valid. */
function isValid({ mask, T, reverse }: ScanCall, r: number, n: number): boolean {
  return mask === null || values(mask)[r * T + (reverse ? T - 1 - n : n)] !== 0;
}

export function linearScan(call: LinearScanCall): void {
  const { B, T, H } = call;
  const [a, b, h, h0] = [values(call.a), values(call.b), values(call.h), call.h0 && values(call.h0)];
  for (let r = 0; r < B; r++) {
    for (let u = 0; u < H; u++) {
      let state = h0 ? h0[r * H + u] : 0;
      for (let n = 0; n < T; n++) {
        const at = indexOf(call, r, n, u);
        if (isValid(call, r, n)) state = a[at] * state + b[at];
        h[at] = state;
      }
    }
  }
}

export function linearScanBackward(call: LinearScanBackwardCall): void {
  const { B, T, H } = call;
  const [a, h, h0] = [values(call.a), values(call.h), call.h0 && values(call.h0)];
  const [da, db, dh] = [values(call.da), values(call.db), values(call.dh)];
  const dy = call.dy && values(call.dy);
  for (let r = 0; r < B; r++) {
    for (let u = 0; u < H; u++) {
      let gradient = dh[r * H + u]; // of the state after step n
      for (let n = T - 1; n >= 0; n--) {
        const at = indexOf(call, r, n, u);
        if (dy) gradient += dy[at];
        const valid = isValid(call, r, n);
        const previous = n > 0 ? h[indexOf(call, r, n - 1, u)] : h0 ? h0[r * H + u] : 0;
        da[at] = valid ? gradient * previous : 0;
        db[at] = valid ? gradient : 0;
        if (valid) gradient *= a[at];
      }
      dh[r * H + u] = gradient;
    }
  }
}
