/**
 * The simple RNN over a whole sequence as one op. lstm.ts describes the structure of the op. Letters: B batch, T time steps,
 * I input features, H units.
 */
import { apply, type Op } from '../op.js';
import { type Tensor, temporaryTensor } from '../tensor.js';
import {
  biasGradient,
  blockOf,
  checkSequence,
  copyFinalState,
  finalGradient,
  inputGradient,
  outputOf,
  outputView,
  prepareSequence,
  type SequenceAttributes,
  type SequenceBuffers,
  type SequenceInputs,
} from './recurrent.js';

/** The inputs of {@link rnnSequence}. */
export interface RnnInputs {
  /** Sequences [B, T, I]. */
  x: Tensor;
  /** Input kernel [I, H]. */
  W: Tensor;
  /** Recurrent kernel [H, H]. */
  U: Tensor;
  /** Bias [H]. Default: zeros. */
  b?: Tensor | null;
  /** Initial state [B, H]. Default: zeros. */
  h0?: Tensor | null;
  /** Mask [B, T]: 1 at valid steps; at steps with 0, the state keeps its value. Default: all steps are valid. */
  mask?: Tensor | null;
  /** Recurrent dropout mask [B, H], already scaled: 0 or 1 / (1 - rate). Default: no dropout. */
  recurrentDropoutMask?: Tensor | null;
}

type RnnOpInputs = SequenceInputs<[h0: Tensor | null]>;

const rnnOp: Op<SequenceAttributes, RnnOpInputs, readonly [y: Tensor, h: Tensor]> = {
  name: 'rnn',
  shapes([x, W, U, b, h0, mask, rmask], { returnSequences }) {
    const operands = { x, W, U, b, bias: [U[0]], states: { h0 }, mask, rmask };
    const { B, T, H } = checkSequence('rnn', 1, operands);
    return [returnSequences ? [B, T, H] : [B, H], [B, H]];
  },

  forward({ inputs, attrs, outputs: [y, hLast], kernels, saving }) {
    const [x, W, U, b, h0, mask, rmask] = inputs;
    const buffers = prepareSequence(kernels, { x, h0, mask, rmask }, U.shape[0], attrs, saving);
    const { T, B, I, H, xh, input, hs, masks } = buffers;
    kernels.rnnForward({
      T,
      B,
      I,
      H,
      activation: attrs.activation,
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
    });
    copyFinalState(kernels, buffers, y, hLast, attrs);
    return saving ? buffers : null;
  },

  backward({ inputs, attrs, saved, grads: [dy, dhLast], needs, kernels, gradients }) {
    const [, W, U, b, , , rmask] = inputs;
    const buffers = saved as SequenceBuffers;
    const { T, B, I, H, xh, hs, masks } = buffers;
    const dh = finalGradient(kernels, buffers, dy, dhLast, attrs);
    const dG = temporaryTensor([T, B, H]);
    kernels.rnnBackward({
      T,
      B,
      I,
      H,
      activation: attrs.activation,
      U: U.block(),
      rmask: blockOf(rmask),
      mask: blockOf(masks?.mask),
      outputMask: blockOf(masks?.outputMask),
      dy: dy ? outputView(dy, attrs) : null,
      dh: dh.block(),
      dhAll: null,
      dG: dG.block(),
      xh: xh.block(),
      hs: blockOf(hs),
    });
    const [dW, dU] = needs[1] || needs[2] ? gradients.ofSteps(buffers, dG) : [null, null];
    const dx = needs[0] ? inputGradient(kernels, dG, W, attrs.reverse) : null;
    return [dx, dW, dU, b && needs[3] ? biasGradient(kernels, dG) : null, dh, null, null];
  },
};

export const rnnOps = { rnn: rnnOp };

/** Returns the outputs y ([B,T,H], or the last one [B,H]) and the final state h [B,H]. */
export function rnnSequence(inputs: RnnInputs, attributes: SequenceAttributes): { y: Tensor; h: Tensor } {
  const { x, W, U, b = null, h0 = null, mask = null, recurrentDropoutMask = null } = inputs;
  const [y, h] = apply(rnnOp, [x, W, U, b, h0, mask, recurrentDropoutMask], attributes);
  return { y: outputOf(y, h, mask, attributes), h };
}
