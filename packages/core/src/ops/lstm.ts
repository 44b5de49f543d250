/**
 * The LSTM over a whole sequence as one op: forward and backward are one kernel call each, however many steps there are.
 * The equations, and the same computation composed from small ops, stand in @unroll/nn's lstm cell; a test holds the two
 * equal in outputs and gradients.
 */
import { apply, type Op } from '../op.js';
import { type Tensor, temporaryTensor } from '../tensor.js';
import {
  addLastOutput,
  biasGradient,
  checkSequence,
  copyOrZeros,
  fillInputs,
  inputGradient,
  lastOutput,
  loadRows,
  loadState,
  outputView,
  type RecurrentAttributes,
  type StepMasks,
  stepMasks,
  weightGradients,
} from './recurrent.js';

/** What {@link lstmSequence} reads. Gates are stacked in Keras's order i f g o. */
export interface LstmInputs {
  /** [B, T, I] */
  x: Tensor;
  /** Input kernel [I, 4H]. */
  W: Tensor;
  /** Recurrent kernel [H, 4H]. */
  U: Tensor;
  /** Bias [4H]. */
  b?: Tensor | null;
  /** Initial hidden state [B, H], zeros by default. */
  h0?: Tensor | null;
  /** Initial cell state [B, H], zeros by default. */
  c0?: Tensor | null;
  /** [B, T], 0 where a step is to be skipped: every state keeps its value. Any pattern. */
  mask?: Tensor | null;
  /** Recurrent dropout mask [B, H], already scaled: applied to h' in the products, the same at every step. */
  recurrentMask?: Tensor | null;
}

interface Saved {
  xh: Tensor;
  c: Tensor;
  gates: Tensor;
  masks: StepMasks | null;
}

const G = 4;

const lstmOp: Op<RecurrentAttributes> = {
  name: 'lstm',
  shapes([x, W, U, b, h0, c0, mask, rmask], { returnSequences }) {
    const states = { h0: h0 ?? null, c0: c0 ?? null };
    const bias = [G * U![0]!];
    const { B, T, H } = checkSequence('lstm', G, {
      x: x!,
      W: W!,
      U: U!,
      b: b!,
      bias,
      states,
      mask: mask!,
      rmask: rmask!,
    });
    return [returnSequences ? [B, T, H] : [B, H], [B, H], [B, H]];
  },

  forward({ inputs, attrs, outputs: [y, hLast, cLast], kernels, saving }) {
    const [x, W, U, b, h0, c0, mask, rmask] = inputs as readonly (Tensor | null)[];
    const [B, T, I] = x!.shape as [number, number, number];
    const H = U!.shape[0]!;
    const K = I + H;
    const xh = temporaryTensor([T + 1, B, K]);
    const hs = rmask ? temporaryTensor([T + 1, B, H]) : null;
    fillInputs(kernels, xh, x!, attrs.reverse);
    loadState(kernels, h0 ?? null, rmask ?? null, xh, hs, H);
    const c = temporaryTensor(saving ? [T + 1, B, H] : [B, H]);
    loadRows(kernels, c0 ?? null, c, B * H);
    const masks = mask ? stepMasks(mask, attrs) : null;
    const gates = saving ? temporaryTensor([T, B, G * H]) : null;
    kernels.lstmForward({
      ...{ T, B, I, H, activation: attrs.activation, recurrentActivation: attrs.recurrentActivation },
      ...{ W: W!.block(), U: U!.block(), b: b?.block() ?? null },
      ...{
        xh: xh.block(),
        c: c.block(),
        keepCells: saving,
        hs: hs?.block() ?? null,
        rmask: rmask?.block() ?? null,
      },
      ...{
        mask: masks?.mask.block() ?? null,
        emit: masks?.emit.block() ?? null,
        gates: gates?.block() ?? null,
      },
      y: attrs.returnSequences ? outputView(y!, attrs) : null,
    });
    if (hs) kernels.copy(hs.block(), T * B * H, [1], hLast!.block(), 0, [1], [B * H]);
    else kernels.copy(xh.block(), T * B * K + I, [K, 1], hLast!.block(), 0, [H, 1], [B, H]);
    kernels.copy(c.block(), saving ? T * B * H : 0, [1], cLast!.block(), 0, [1], [B * H]);
    if (!attrs.returnSequences) lastOutput(kernels, hLast!, masks, y!);
    return gates && ({ xh, c, gates, masks } satisfies Saved);
  },

  backward({ inputs, attrs, saved, grads: [dy, dhLast, dcLast], needs, kernels }) {
    const [x, W, U, b, , , , rmask] = inputs;
    const { xh, c, gates, masks } = saved as Saved;
    const [B, T, I] = x!.shape as [number, number, number];
    const H = U!.shape[0]!;
    const dh = copyOrZeros(kernels, [B, H], dhLast!);
    const dc = copyOrZeros(kernels, [B, H], dcLast!);
    if (dy && !attrs.returnSequences) addLastOutput(kernels, dy, masks, dh);
    const dG = temporaryTensor([T, B, G * H]);
    kernels.lstmBackward({
      ...{ T, B, H, activation: attrs.activation, recurrentActivation: attrs.recurrentActivation },
      ...{ U: U!.block(), gates: gates.block(), c: c.block(), rmask: rmask?.block() ?? null },
      ...{ mask: masks?.mask.block() ?? null, emit: masks?.emit.block() ?? null },
      dy: dy && attrs.returnSequences ? outputView(dy, attrs) : null,
      ...{ dh: dh.block(), dc: dc.block(), dG: dG.block(), dhAll: null, dcAll: null },
    });
    const [dW, dU] = needs[1] || needs[2] ? weightGradients(kernels, xh, dG, I) : [null, null];
    const dx = needs[0] ? inputGradient(kernels, dG, W!, attrs.reverse) : null;
    return [dx, dW, dU, b && needs[3] ? biasGradient(kernels, dG) : null, dh, dc, null, null];
  },
};

export const lstmOps = { lstm: lstmOp };

/** The outputs y ([B,T,H], or the last one [B,H]) and the final states h and c [B,H]. */
export function lstmSequence(
  inputs: LstmInputs,
  attributes: RecurrentAttributes,
): { y: Tensor; h: Tensor; c: Tensor } {
  const { x, W, U, b = null, h0 = null, c0 = null, mask = null, recurrentMask = null } = inputs;
  const [y, h, c] = apply(lstmOp, [x, W, U, b, h0, c0, mask, recurrentMask], attributes);
  return { y: y!, h: h!, c: c! };
}
