/** The simple RNN in plain loops: h = φ(x W + h' U + b), with φ = activation and the previous h'; W [I,H], U [H,H], b [H]. */
import type { RnnBackwardCall, RnnForwardCall } from '../backend.js';
import { values } from './block.js';
import { activations, derivatives } from './functions.js';
import { product, walkBackward, walkForward } from './walk.js';

export function rnnForward(call: RnnForwardCall): void {
  const { I, H } = call;
  const [W, U, bias] = [values(call.W), values(call.U), call.b && values(call.b)];
  const phi = activations[call.activation];
  walkForward(call, ({ xh, h }) => {
    const ax = product(xh.subarray(0, I), W, H, 0, H);
    const ah = product(xh.subarray(I), U, H, 0, H);
    for (let u = 0; u < H; u++) h[u] = phi(ax[u] + ah[u] + (bias ? bias[u] : 0));
  });
}

export function rnnBackward(call: RnnBackwardCall): void {
  const { B, I, H } = call;
  const [xh, hs, dG] = [values(call.xh), call.hs && values(call.hs), values(call.dG)];
  const dPhi = derivatives[call.activation];
  walkBackward(call, { dG: H, U: H }, ({ index, dh, throughU }) => {
    for (let u = 0; u < H; u++) {
      const h = hs ? hs[(index + B) * H + u] : xh[(index + B) * (I + H) + I + u];
      dG[index * H + u] = dh[u] * dPhi(h);
    }
    dh.set(throughU(0, H, 0));
  });
}
