/**
 * The LSTM in plain loops: what the fused kernels must equal. Letters: x input, h hidden state, c cell state; W [I,4H]
 * input kernel, U [H,4H] recurrent kernel, b bias; gates i f g o in this order; ' marks the value of the step before.
 *
 *   i = σ(x Wi + h' Ui + bi)    f = σ(x Wf + h' Uf + bf)    g = φ(x Wg + h' Ug + bg)    o = σ(x Wo + h' Uo + bo)
 *   c = f c' + i g              h = o φ(c)
 */
import type { LstmBackwardCall, LstmForwardCall } from '../backend.js';
import { values } from './backend.js';
import { activations, derivatives } from './functions.js';

export function lstmForward(call: LstmForwardCall): void {
  const { T, B, I, H, y } = call;
  const K = I + H;
  const [W, U, bias] = [values(call.W), values(call.U), call.b && values(call.b)];
  const [xh, c] = [values(call.xh), values(call.c)];
  const [hs, rmask] = [call.hs && values(call.hs), call.rmask && values(call.rmask)];
  const [mask, emit] = [call.mask && values(call.mask), call.emit && values(call.emit)];
  const [gates, out] = [call.gates && values(call.gates), y && values(y.block)];
  const phi = activations[call.activation];
  const sigma = activations[call.recurrentActivation];
  const a = new Float64Array(4 * H);
  for (let t = 0; t < T; t++) {
    for (let r = 0; r < B; r++) {
      const row = (t * B + r) * K;
      for (let j = 0; j < 4 * H; j++) {
        let total = bias ? bias[j]! : 0;
        for (let k = 0; k < I; k++) total += xh[row + k]! * W[k * 4 * H + j]!;
        for (let k = 0; k < H; k++) total += xh[row + I + k]! * U[k * 4 * H + j]!;
        a[j] = total;
      }
      for (let u = 0; u < H; u++) {
        const [i, f, g, o] = [sigma(a[u]!), sigma(a[H + u]!), phi(a[2 * H + u]!), sigma(a[3 * H + u]!)];
        const before = (call.keepCells ? t * B + r : r) * H + u;
        const after = (call.keepCells ? (t + 1) * B + r : r) * H + u;
        const next = row + B * K + I + u;
        const valid = mask === null || mask[t * B + r] !== 0;
        const hBefore = hs ? hs[(t * B + r) * H + u]! : xh[row + I + u]!;
        c[after] = valid ? f * c[before]! + i * g : c[before]!;
        const h = valid ? o * phi(c[after]!) : hBefore;
        xh[next] = rmask ? h * rmask[r * H + u]! : h;
        if (hs) hs[((t + 1) * B + r) * H + u] = h;
        if (gates) [i, f, g, o].forEach((gate, n) => void (gates[(t * B + r) * 4 * H + n * H + u] = gate));
        if (out) out[y!.offset + t * y!.strideT + r * y!.strideB + u] = emit && emit[t * B + r] === 0 ? 0 : h;
      }
    }
  }
}

export function lstmBackward(call: LstmBackwardCall): void {
  const { T, B, H, dy } = call;
  const [U, gates, c] = [values(call.U), values(call.gates), values(call.c)];
  const [rmask, mask, emit] = [call.rmask, call.mask, call.emit].map((block) => block && values(block));
  const [dh, dc, dG] = [values(call.dh), values(call.dc), values(call.dG)];
  const [dhAll, dcAll] = [call.dhAll && values(call.dhAll), call.dcAll && values(call.dcAll)];
  const incoming = dy && values(dy.block);
  const phi = activations[call.activation];
  const dPhi = derivatives[call.activation];
  const dSigma = derivatives[call.recurrentActivation];
  for (let t = T - 1; t >= 0; t--) {
    for (let r = 0; r < B; r++) {
      const step = t * B + r;
      const valid = !mask || mask[step] !== 0;
      for (let u = 0; u < H; u++) {
        const s = r * H + u;
        if (incoming && (!emit || emit[step] !== 0)) {
          dh[s]! += incoming[dy.offset + t * dy.strideT + r * dy.strideB + u]!;
        }
        const [i, f, g, o] = [0, 1, 2, 3].map((n) => gates[step * 4 * H + n * H + u]!) as [
          number,
          number,
          number,
          number,
        ];
        const cell = phi(c[(step + B) * H + u]!);
        const dCell = valid ? dc[s]! + dh[s]! * o * dPhi(cell) : dc[s]!;
        if (dhAll) dhAll[step * H + u] = dh[s]!;
        if (dcAll) dcAll[step * H + u] = dCell;
        const grads = valid
          ? [
              dCell * g * dSigma(i),
              dCell * c[step * H + u]! * dSigma(f),
              dCell * i * dPhi(g),
              dh[s]! * cell * dSigma(o),
            ]
          : [0, 0, 0, 0];
        grads.forEach((grad, n) => void (dG[step * 4 * H + n * H + u] = grad));
        if (valid) dc[s] = dCell * f;
      }
      if (!valid) continue; // dh passes through unchanged
      for (let u = 0; u < H; u++) {
        let total = 0;
        for (let j = 0; j < 4 * H; j++) total += dG[step * 4 * H + j]! * U[u * 4 * H + j]!;
        dh[r * H + u] = rmask ? total * rmask[r * H + u]! : total;
      }
    }
  }
}
