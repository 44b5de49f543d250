/**
 * The GRU in plain loops (Cho et al. 2014). Letters: x input, h hidden state; W [I,3H] input kernel, U [H,3H] recurrent
 * kernel, b bias; gates in the order z r n (update, reset, candidate); σ recurrentActivation, φ activation; ' marks the value
 * of the previous step.
 *
 *   z = σ(x Wz + h' Uz + bz)    r = σ(x Wr + h' Ur + br)
 *   reset before the product:  n = φ(x Wn + (r h') Un + bn)     b [3H]
 *   reset after the product:   n = φ(x Wn + b0n + r q)          q = h' Un + b1n, b [2,3H]: b0 of inputs, b1 of states
 *   h = z h' + (1-z) n,  or with `updateGateOnCandidate`:  h = (1-z) h' + z n
 */
import type { GruBackwardCall, GruForwardCall } from '../backend.js';
import { values } from './block.js';
import { activations, derivatives } from './functions.js';
import { product, walkBackward, walkForward } from './walk.js';

export function gruForward(call: GruForwardCall): void {
  const { I, H, resetAfter, updateGateOnCandidate } = call;
  const [W, U, bias] = [values(call.W), values(call.U), call.b && values(call.b)];
  const gates = call.gates && values(call.gates);
  const reset = call.rh && values(call.rh);
  const phi = activations[call.activation];
  const sigma = activations[call.recurrentActivation];
  const G = resetAfter ? 4 : 3;
  const inputBias = (j: number): number => (bias ? bias[j] : 0);
  const stateBias = (j: number): number => (bias && resetAfter ? bias[3 * H + j] : 0);
  walkForward(call, ({ index, xh, hBefore, h }) => {
    const hDropped = xh.subarray(I);
    const ax = product(xh.subarray(0, I), W, 3 * H, 0, 3 * H);
    const ah = product(hDropped, U, 3 * H, 0, 2 * H);
    const gate = (j: number): number => sigma(ax[j] + ah[j] + inputBias(j) + stateBias(j));
    const rh = hDropped.map((value, u) => value * gate(H + u));
    const q = product(resetAfter ? hDropped : rh, U, 3 * H, 2 * H, H).map(
      (value, u) => value + stateBias(2 * H + u),
    );
    for (let u = 0; u < H; u++) {
      const [z, r] = [gate(u), gate(H + u)];
      const n = phi(ax[2 * H + u] + inputBias(2 * H + u) + (resetAfter ? r * q[u] : q[u]));
      h[u] = updateGateOnCandidate ? (1 - z) * hBefore[u] + z * n : z * hBefore[u] + (1 - z) * n;
      if (gates) {
        const at = index * G * H + u;
        [gates[at], gates[at + H], gates[at + 2 * H]] = [z, r, n];
        if (resetAfter) gates[at + 3 * H] = q[u];
      }
      if (reset) reset[index * H + u] = rh[u];
    }
  });
}

export function gruBackward(call: GruBackwardCall): void {
  const { I, H, resetAfter, updateGateOnCandidate } = call;
  const [xh, hs] = [values(call.xh), call.hs && values(call.hs)];
  const [gates, dG] = [values(call.gates), values(call.dG)];
  const dPhi = derivatives[call.activation];
  const dSigma = derivatives[call.recurrentActivation];
  const G = resetAfter ? 4 : 3;
  walkBackward(call, { dG: G * H, U: 3 * H }, ({ index, dh, throughU }) => {
    const hBefore = (u: number): number => (hs ? hs[index * H + u] : xh[index * (I + H) + I + u]);
    const direct = new Float64Array(H);
    for (let u = 0; u < H; u++) {
      const at = index * G * H + u;
      const [z, r, n] = [gates[at], gates[at + H], gates[at + 2 * H]];
      const keep = updateGateOnCandidate ? 1 - z : z;
      direct[u] = dh[u] * keep;
      dG[at] = dh[u] * (updateGateOnCandidate ? n - hBefore(u) : hBefore(u) - n) * dSigma(z);
      const dn = dh[u] * (1 - keep) * dPhi(n);
      dG[at + 2 * H] = dn;
      if (resetAfter) {
        dG[at + H] = dn * gates[at + 3 * H] * dSigma(r);
        dG[at + 3 * H] = dn * r;
      }
    }
    if (!resetAfter) {
      // The candidate multiplies Un by r h', where h' includes recurrent dropout. The gradient of r h' is split between r
      // and h'.
      const dRh = throughU(2 * H, H, 2 * H);
      for (let u = 0; u < H; u++) {
        const at = index * G * H + u;
        const r = gates[at + H];
        dG[at + H] = dRh[u] * hBefore(u) * dSigma(r);
        direct[u] += dRh[u] * r;
      }
    }
    const through = throughU(0, 2 * H, 0);
    const candidate = resetAfter ? throughU(3 * H, H, 2 * H) : null;
    for (let u = 0; u < H; u++) dh[u] = direct[u] + through[u] + (candidate ? candidate[u] : 0);
  });
}
