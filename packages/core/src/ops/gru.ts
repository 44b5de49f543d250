/**
 * The GRU over a sequence as one op. lstm.ts describes the structure of the op; reference/gru.ts has the equations. Letters: B
 * batch, T time steps, I input features, H units; z update gate, r reset gate, n candidate, h state, h' previous state.
 */

import type { Kernels } from '../backend.js';
import { apply, type Op, type WeightGradients } from '../op.js';
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
  type RecurrentAttributes,
  type SequenceBuffers,
  type SequenceInputs,
  viewPart,
} from './recurrent.js';

/** The inputs of {@link gruSequence}. Gates are stacked in Keras's order z r n. */
export interface GruInputs {
  /** Inputs [B, T, I]. */
  x: Tensor;
  /** Input kernel [I, 3H]. */
  W: Tensor;
  /** Recurrent kernel [H, 3H]. */
  U: Tensor;
  /** Bias. With `resetAfter`: [2, 3H], row 0 for the inputs and row 1 for the state. Otherwise: [3H]. Default: zeros. */
  b?: Tensor | null;
  /** Initial state [B, H]. Default: zeros. */
  h0?: Tensor | null;
  /** Mask [B, T]: 1 at valid steps; at steps with 0, the state keeps its value. Default: all steps are valid. */
  mask?: Tensor | null;
  /** Recurrent dropout mask [B, H], already scaled. Default: no dropout. */
  recurrentDropoutMask?: Tensor | null;
}

export interface GruAttributes extends RecurrentAttributes {
  /** True: the reset gate multiplies h' U. False: it multiplies h'. */
  resetAfter: boolean;
  /** True: h = (1-z) h' + z n. False: h = z h' + (1-z) n. */
  updateGateOnCandidate: boolean;
}

/** What the forward pass saves for the backward pass. */
export interface GruSaved {
  buffers: SequenceBuffers;
  gates: Tensor;
  /** [T, B, H], r h': the product of the reset gate and the previous state. Null with `resetAfter`. */
  rh: Tensor | null;
}

type GruOpInputs = SequenceInputs<[h0: Tensor | null]>;

const gruOp: Op<GruAttributes, GruOpInputs, readonly [y: Tensor, h: Tensor]> = {
  name: 'gru',
  shapes([x, W, U, b, h0, mask, rmask], { returnSequences, resetAfter }) {
    const H = U[0];
    const bias = resetAfter ? [2, 3 * H] : [3 * H];
    const operands = { x, W, U, b, bias, states: { h0 }, mask, rmask };
    const { B, T } = checkSequence('gru', 3, operands);
    return [returnSequences ? [B, T, H] : [B, H], [B, H]];
  },

  forward({ inputs, attrs, outputs: [y, hLast], kernels, saving }) {
    const [x, W, U, b, h0, mask, rmask] = inputs;
    const { recurrentActivation, resetAfter, updateGateOnCandidate } = attrs;
    const buffers = prepareSequence(kernels, { x, h0, mask, rmask }, U.shape[0], attrs, saving);
    const { T, B, I, H, xh, input, hs, masks } = buffers;
    const gates = saving ? temporaryTensor([T, B, (resetAfter ? 4 : 3) * H]) : null;
    const rh = saving && !resetAfter ? temporaryTensor([T, B, H]) : null;
    kernels.gruForward({
      T,
      B,
      I,
      H,
      activation: attrs.activation,
      recurrentActivation,
      resetAfter,
      updateGateOnCandidate,
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
      gates: blockOf(gates),
      rh: blockOf(rh),
    });
    copyFinalState(kernels, buffers, y, hLast, attrs);
    return gates && ({ buffers, gates, rh } satisfies GruSaved);
  },

  backward({ inputs, attrs, saved, grads: [dy, dhLast], needs, kernels, gradients }) {
    const [, W, U, b, , , rmask] = inputs;
    const { recurrentActivation, resetAfter, updateGateOnCandidate } = attrs;
    const { buffers, gates, rh } = saved as GruSaved;
    const { T, B, I, H, xh, hs, masks } = buffers;
    const dh = finalGradient(kernels, buffers, dy, dhLast, attrs);
    const dG = temporaryTensor([T, B, (resetAfter ? 4 : 3) * H]);
    kernels.gruBackward({
      T,
      B,
      I,
      H,
      activation: attrs.activation,
      recurrentActivation,
      resetAfter,
      updateGateOnCandidate,
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
      gates: gates.block(),
    });
    const dW = needs[1] ? inputKernelGradient(gradients, buffers, dG) : null;
    const dU = needs[2] ? recurrentKernelGradient(gradients, buffers, dG, rh) : null;
    const dx = needs[0] ? inputGradient(kernels, dG, W, attrs.reverse) : null;
    const db = b && needs[3] ? gruBiasGradient(kernels, dG, H, resetAfter) : null;
    return [dx, dW, dU, db, dh, null, null];
  },
};

/** Computes dW = xᵀ [dz dr dn]. x and [dz dr dn] are columns of xh and dG. */
function inputKernelGradient(
  gradients: WeightGradients,
  { T, B, I, H, xh }: SequenceBuffers,
  dG: Tensor,
): Tensor {
  const product = { a: xh.block(), b: dG.block(), n: 3 * H, k: T * B, lda: I + H, ldb: dG.shape[2] };
  return gradients.ofProducts([I, 3 * H], [product]);
}

/**
 * Computes dU. Its first 2H columns are h'ᵀ [dz dr]. The last H columns are h'ᵀ dq with `resetAfter`, where
 * q = h' Un + b1n, and (r h')ᵀ dn otherwise.
 */
function recurrentKernelGradient(
  gradients: WeightGradients,
  { T, B, I, H, xh }: SequenceBuffers,
  dG: Tensor,
  rh: Tensor | null,
): Tensor {
  const width = dG.shape[2];
  const rows = T * B;
  const states = { a: viewPart(xh, I, [rows * (I + H) - I]).block(), lda: I + H, k: rows, ldb: width };
  const candidate = viewPart(dG, width - H, [rows * width - (width - H)]).block();
  return gradients.ofProducts(
    [H, 3 * H],
    [
      { ...states, b: dG.block(), n: 2 * H },
      { ...states, ...(rh && { a: rh.block(), lda: H }), b: candidate, n: H, column: 2 * H },
    ],
  );
}

function gruBiasGradient(kernels: Kernels, dG: Tensor, H: number, resetAfter: boolean): Tensor {
  const sums = biasGradient(kernels, dG);
  if (!resetAfter) return sums;
  const db = temporaryTensor([2, 3 * H]);
  kernels.copy({ x: sums.block(), y: db.block(), shape: [3 * H] });
  kernels.copy({ x: sums.block(), y: db.block(), offsetY: 3 * H, shape: [2 * H] });
  kernels.copy({ x: sums.block(), offsetX: 3 * H, y: db.block(), offsetY: 5 * H, shape: [H] });
  return db;
}

export const gruOps = { gru: gruOp };

/** Runs a GRU. Returns the outputs y ([B, T, H], or the last output [B, H]) and the final state h [B, H]. */
export function gruSequence(inputs: GruInputs, attributes: GruAttributes): { y: Tensor; h: Tensor } {
  const { x, W, U, b = null, h0 = null, mask = null, recurrentDropoutMask = null } = inputs;
  const [y, h] = apply(gruOp, [x, W, U, b, h0, mask, recurrentDropoutMask], attributes);
  return { y: outputOf(y, h, mask, attributes), h };
}
