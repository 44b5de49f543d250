/**
 * The LSTM over a sequence as one op: forward and backward call one kernel each, for any number of steps. The LSTM cell
 * of @unroll/nn documents the equations and computes them with small ops; a test compares the two. Letters: B batch, T time
 * steps, I input features, H units.
 */
import { apply, type Op } from '../op.js';
import { type Tensor, temporaryTensor } from '../tensor.js';
import {
  biasGradient,
  blockOf,
  checkSequence,
  copyFinalState,
  copyOrZeros,
  finalGradient,
  inputGradient,
  loadInitialState,
  outputOf,
  outputView,
  prepareSequence,
  type RecurrentAttributes,
  type SequenceBuffers,
  type SequenceInputs,
} from './recurrent.js';

/** The inputs of {@link lstmSequence}. Gates are stacked in Keras's order i f g o. */
export interface LstmInputs {
  /** Inputs [B, T, I]. */
  x: Tensor;
  /** Input kernel [I, 4H]. */
  W: Tensor;
  /** Recurrent kernel [H, 4H]. */
  U: Tensor;
  /** Bias [4H]. Default: zeros. */
  b?: Tensor | null;
  /** Initial hidden state [B, H]. Default: zeros. */
  h0?: Tensor | null;
  /** Initial cell state [B, H]. Default: zeros. */
  c0?: Tensor | null;
  /** Mask [B, T]: 1 at valid steps; at steps with 0, both states keep their values. Default: all steps are valid. */
  mask?: Tensor | null;
  /** Recurrent dropout mask [B, H], already scaled, which multiplies h' at every step. Default: no dropout. */
  recurrentDropoutMask?: Tensor | null;
}

/** What the forward pass saves for the backward pass. */
export interface LstmSaved {
  buffers: SequenceBuffers;
  c: Tensor;
  gates: Tensor;
}

/** Number of gates. */
const G = 4;

type LstmOpInputs = SequenceInputs<[h0: Tensor | null, c0: Tensor | null]>;

const lstmOp: Op<RecurrentAttributes, LstmOpInputs, readonly [y: Tensor, h: Tensor, c: Tensor]> = {
  name: 'lstm',
  shapes([x, W, U, b, h0, c0, mask, rmask], { returnSequences }) {
    const bias = [G * U[0]];
    const operands = { x, W, U, b, bias, states: { h0, c0 }, mask, rmask };
    const { B, T, H } = checkSequence('lstm', G, operands);
    return [returnSequences ? [B, T, H] : [B, H], [B, H], [B, H]];
  },

  forward({ inputs, attrs, outputs: [y, hLast, cLast], kernels, saving }) {
    const [x, W, U, b, h0, c0, mask, rmask] = inputs;
    const H = U.shape[0];
    const buffers = prepareSequence(kernels, { x, h0, mask, rmask }, H, attrs, saving);
    const { T, B, I, xh, input, hs, masks } = buffers;
    const c = temporaryTensor(saving ? [T + 1, B, H] : [B, H]);
    loadInitialState(kernels, c0, c, B * H);
    const gates = saving ? temporaryTensor([T, B, G * H]) : null;
    kernels.lstmForward({
      T,
      B,
      I,
      H,
      activation: attrs.activation,
      recurrentActivation: attrs.recurrentActivation,
      W: W.block(),
      U: U.block(),
      b: blockOf(b),
      xh: xh.block(),
      x: input,
      reverse: attrs.reverse,
      hs: blockOf(hs),
      rmask: blockOf(rmask),
      mask: blockOf(masks?.mask),
      outputMask: blockOf(masks?.outputMask),
      y: outputView(y, attrs),
      c: c.block(),
      keepCells: saving,
      gates: blockOf(gates),
    });
    copyFinalState(kernels, buffers, y, hLast, attrs);
    kernels.copy({ x: c.block(), offsetX: saving ? T * B * H : 0, y: cLast.block(), shape: [B * H] });
    return gates && ({ buffers, c, gates } satisfies LstmSaved);
  },

  backward({ inputs, attrs, saved, grads: [dy, dhLast, dcLast], needs, kernels, gradients }) {
    const [, W, U, b, , , , rmask] = inputs;
    const { buffers, c, gates } = saved as LstmSaved;
    const { T, B, H, masks } = buffers;
    const dh = finalGradient(kernels, buffers, dy, dhLast, attrs);
    const dc = copyOrZeros(kernels, [B, H], dcLast);
    const dG = temporaryTensor([T, B, G * H]);
    kernels.lstmBackward({
      T,
      B,
      H,
      activation: attrs.activation,
      recurrentActivation: attrs.recurrentActivation,
      U: U.block(),
      rmask: blockOf(rmask),
      mask: blockOf(masks?.mask),
      outputMask: blockOf(masks?.outputMask),
      dy: dy ? outputView(dy, attrs) : null,
      dh: dh.block(),
      dhAll: null,
      dG: dG.block(),
      gates: gates.block(),
      c: c.block(),
      dc: dc.block(),
      dcAll: null,
    });
    const [dW, dU] = needs[1] || needs[2] ? gradients.ofSteps(buffers, dG) : [null, null];
    const dx = needs[0] ? inputGradient(kernels, dG, W, attrs.reverse) : null;
    return [dx, dW, dU, b && needs[3] ? biasGradient(kernels, dG) : null, dh, dc, null, null];
  },
};

export const lstmOps = { lstm: lstmOp };

/** Runs an LSTM. Returns the outputs y ([B, T, H], or the last output [B, H]) and the final states h and c [B, H]. */
export function lstmSequence(
  inputs: LstmInputs,
  attributes: RecurrentAttributes,
): { y: Tensor; h: Tensor; c: Tensor } {
  const { x, W, U, b = null, h0 = null, c0 = null, mask = null, recurrentDropoutMask = null } = inputs;
  const [y, h, c] = apply(lstmOp, [x, W, U, b, h0, c0, mask, recurrentDropoutMask], attributes);
  return { y: outputOf(y, h, mask, attributes), h, c };
}
