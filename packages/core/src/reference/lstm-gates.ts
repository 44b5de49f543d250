/**
 * One step of an LSTM from pre-activations a, in the order i f g o: i, f, o = σ(a), g = φ(a), c = f c' + i g, with
 * σ = recurrentActivation, φ = activation and the previous cell state c'. The results are c and o; h is not computed.
 */
import type { LstmGatesBackwardCall, LstmGatesCall } from '../backend.js';
import { values } from './block.js';
import { activations, derivatives } from './functions.js';

export function lstmGates(call: LstmGatesCall): void {
  const { B, H } = call;
  const [a, before, after, out] = [values(call.a), values(call.before), values(call.after), values(call.o)];
  const gates = call.gates && values(call.gates);
  const phi = activations[call.activation];
  const sigma = activations[call.recurrentActivation];
  for (let r = 0; r < B; r++) {
    for (let u = 0; u < H; u++) {
      const at = r * 4 * H + u;
      const [i, f, g] = [sigma(a[at]), sigma(a[at + H]), phi(a[at + 2 * H])];
      after[r * H + u] = f * before[r * H + u] + i * g;
      out[r * H + u] = sigma(a[at + 3 * H]);
      if (gates) [i, f, g].forEach((gate, k) => void (gates[r * 3 * H + k * H + u] = gate));
    }
  }
}

export function lstmGatesBackward(call: LstmGatesBackwardCall): void {
  const { B, H } = call;
  const [before, gates, out] = [values(call.before), values(call.gates), values(call.o)];
  const [da, dBefore] = [values(call.da), values(call.dBefore)];
  const [dAfter, dO] = [call.dAfter && values(call.dAfter), call.dO && values(call.dO)];
  const dPhi = derivatives[call.activation];
  const dSigma = derivatives[call.recurrentActivation];
  for (let r = 0; r < B; r++) {
    for (let u = 0; u < H; u++) {
      const [k, at, unit] = [r * 3 * H + u, r * 4 * H + u, r * H + u];
      const [i, f, g] = [gates[k], gates[k + H], gates[k + 2 * H]];
      const dc = dAfter ? dAfter[unit] : 0;
      da[at] = dc * g * dSigma(i);
      da[at + H] = dc * before[unit] * dSigma(f);
      da[at + 2 * H] = dc * i * dPhi(g);
      da[at + 3 * H] = (dO ? dO[unit] : 0) * dSigma(out[unit]);
      dBefore[unit] = dc * f;
    }
  }
}
