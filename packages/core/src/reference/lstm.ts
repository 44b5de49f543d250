/**
 * The LSTM in plain loops: the specification of the fused kernels. Letters: x input, h hidden state, c cell state; W
 * [I,4H] input kernel, U [H,4H] recurrent kernel, b bias; gates in the order i f g o (input, forget, candidate,
 * output); σ recurrentActivation, φ activation; ' marks the value of the previous step.
 *
 *   i = σ(x Wi + h' Ui + bi)    f = σ(x Wf + h' Uf + bf)    g = φ(x Wg + h' Ug + bg)    o = σ(x Wo + h' Uo + bo)
 *   c = f c' + i g              h = o φ(c)
 */
import type { LstmBackwardCall, LstmForwardCall } from '../backend.js';
import { values } from './block.js';
import { activations, derivatives } from './functions.js';
import { product, walkBackward, walkForward } from './walk.js';

export function lstmForward(call: LstmForwardCall): void {
  const { B, I, H } = call;
  const [W, U, bias] = [values(call.W), values(call.U), call.b && values(call.b)];
  const c = values(call.c);
  const gates = call.gates && values(call.gates);
  const phi = activations[call.activation];
  const sigma = activations[call.recurrentActivation];
  walkForward(call, ({ r, index, valid, xh, h }) => {
    const ax = product(xh.subarray(0, I), W, 4 * H, 0, 4 * H);
    const ah = product(xh.subarray(I), U, 4 * H, 0, 4 * H);
    const a = ax.map((value, j) => value + ah[j] + (bias ? bias[j] : 0));
    for (let u = 0; u < H; u++) {
      const [i, f, g, o] = [sigma(a[u]), sigma(a[H + u]), phi(a[2 * H + u]), sigma(a[3 * H + u])];
      const previous = (call.keepCells ? index : r) * H + u;
      const current = (call.keepCells ? index + B : r) * H + u;
      c[current] = valid ? f * c[previous] + i * g : c[previous];
      h[u] = o * phi(c[current]);
      if (gates) {
        const at = index * 4 * H + u;
        [gates[at], gates[at + H], gates[at + 2 * H], gates[at + 3 * H]] = [i, f, g, o];
      }
    }
  });
}

export function lstmBackward(call: LstmBackwardCall): void {
  const { B, H } = call;
  const [gates, c, dc, dG] = [values(call.gates), values(call.c), values(call.dc), values(call.dG)];
  const dcAll = call.dcAll && values(call.dcAll);
  const phi = activations[call.activation];
  const dPhi = derivatives[call.activation];
  const dSigma = derivatives[call.recurrentActivation];
  const copyCellGradient = (t: number, r: number): void => {
    dcAll?.set(dc.subarray(r * H, (r + 1) * H), (t * B + r) * H);
  };
  walkBackward(
    call,
    { dG: 4 * H, U: 4 * H },
    ({ r, index, dh, throughU }) => {
      for (let u = 0; u < H; u++) {
        const at = index * 4 * H + u;
        const [i, f, g, o] = [gates[at], gates[at + H], gates[at + 2 * H], gates[at + 3 * H]];
        const cell = phi(c[(index + B) * H + u]);
        const dCell = dc[r * H + u] + dh[u] * o * dPhi(cell);
        if (dcAll) dcAll[index * H + u] = dCell;
        dG[at] = dCell * g * dSigma(i);
        dG[at + H] = dCell * c[index * H + u] * dSigma(f);
        dG[at + 2 * H] = dCell * i * dPhi(g);
        dG[at + 3 * H] = dh[u] * cell * dSigma(o);
        dc[r * H + u] = dCell * f;
      }
      dh.set(throughU(0, 4 * H, 0));
    },
    copyCellGradient,
  );
}
