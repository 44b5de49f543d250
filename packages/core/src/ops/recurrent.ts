/**
 * The common part of the fused recurrent ops: shape rules, the time-major buffer of inputs and states, masks, and the
 * gradients that are plain matrix products once the kernel has computed dG. Each op writes out its kernel call,
 * because creating an object of this size with object spread takes 6 µs in V8, more than the rest of a stream's step.
 * Letters: B batch, T time steps, I input features, H hidden units, G gates.
 */
import type { ActivationName, Block, Kernels, SequenceView } from '../backend.js';
import { formatShape, shapeError } from '../errors.js';
import type { Inputs } from '../op.js';
import { openScope } from '../runtime.js';
import { type Shape, sameShape, sizeOf } from '../shape.js';
import { hostValues, type Tensor, temporaryTensor, viewTensor } from '../tensor.js';

export interface SequenceAttributes {
  /** Activation of the candidate and the output. */
  activation: ActivationName;
  /** Return every step, [B,T,H], instead of the last output, [B,H]. */
  returnSequences: boolean;
  /** Process the sequence from the last step to the first. */
  reverse: boolean;
  /** With `reverse`: put outputs in time order instead of processing order. */
  realign: boolean;
  /** Outputs of masked steps are 0; otherwise they repeat the last valid output (0 before the first). */
  zeroOutputForMask: boolean;
}

/** Attributes of cells with gates. */
export interface RecurrentAttributes extends SequenceAttributes {
  /** Activation of the gates. */
  recurrentActivation: ActivationName;
}

export interface SequenceShapes {
  x: Shape;
  W: Shape;
  U: Shape;
  /** The bias and its expected shape. */
  b: Shape | null;
  bias: Shape;
  states: Readonly<Record<string, Shape | null>>;
  mask: Shape | null;
  rmask: Shape | null;
}

/** Checks every operand against x [B,T,I] and U [H,G*H]; the error names the first that does not fit. */
export function checkSequence(
  op: string,
  G: number,
  s: SequenceShapes,
): { B: number; T: number; I: number; H: number } {
  if (s.x.length !== 3) {
    throw shapeError(`${op} takes sequences [batch, time, features], got ${formatShape(s.x)}.`, {
      op,
      x: s.x,
    });
  }
  const [B, T, I] = s.x as [number, number, number];
  const H = s.U[0] ?? 0;
  const expect = (name: string, got: Shape | null, want: Shape, of = ''): void => {
    if (got === null || sameShape(got, want)) return;
    const what = `${name}${of && ` ${of}`}`;
    throw shapeError(
      `${op}: ${what} has shape ${formatShape(got)}, expected ${formatShape(want)} for x ${formatShape(s.x)} and ${H} units.`,
      { op, name: what, got, want },
    );
  };
  if (T === 0) throw shapeError(`${op}: x ${formatShape(s.x)} has no time steps.`, { op, x: s.x });
  expect('the recurrent kernel U', s.U, [H, G * H]);
  expect('the kernel W', s.W, [I, G * H]);
  expect('the bias b', s.b, s.bias);
  for (const name in s.states) expect('the initial state', s.states[name], [B, H], name);
  expect('the mask', s.mask, [B, T]);
  expect('the recurrent dropout mask', s.rmask, [B, H]);
  return { B, T, I, H };
}

/** Row 0 of a [T+1,B,H] (or [B,H]) buffer of states: the initial state, zeros if null. */
export function loadRows(kernels: Kernels, state: Tensor | null, rows: Tensor, count: number): void {
  if (state) kernels.copy(state.block(), 0, [1], rows.block(), 0, [1], [count]);
  else kernels.fill(openScope().backend.view(rows.block(), 0, count), 0);
}

export interface StepMasks {
  /** [T,B] in processing order: 1 valid. */
  mask: Tensor;
  /** [T,B]: 1 where the output of the step is h. */
  outputMask: Tensor;
}

/**
 * The masks in the form of the kernels. Masked steps before the first valid one output 0 (as in Keras's TensorFlow
 * and PyTorch backends); later ones repeat the last output, which equals the carried h.
 */
function stepMasks(mask: Tensor, { reverse, zeroOutputForMask }: SequenceAttributes): StepMasks {
  const [B, T] = mask.shape as [number, number];
  const { backend } = openScope();
  const given = hostValues(mask, 'The mask of a recurrent layer');
  const valid = new backend.float(T * B);
  const outputs = new backend.float(T * B);
  for (let b = 0; b < B; b++) {
    let seen = 0;
    for (let t = 0; t < T; t++) {
      const use = given[b * T + (reverse ? T - 1 - t : t)] !== 0 ? 1 : 0;
      seen = zeroOutputForMask ? use : seen | use;
      valid[t * B + b] = use;
      outputs[t * B + b] = seen;
    }
  }
  const out = { mask: temporaryTensor([T, B]), outputMask: temporaryTensor([T, B]) };
  backend.write(out.mask.block(), valid);
  backend.write(out.outputMask.block(), outputs);
  return out;
}

/** The inputs of a fused op: bias [G*H], initial states, masks [B,T] and [B,H], in this order. */
export type SequenceInputs<States extends Inputs> = readonly [
  x: Tensor,
  W: Tensor,
  U: Tensor,
  b: Tensor | null,
  ...states: States,
  mask: Tensor | null,
  rmask: Tensor | null,
];

/** The memory for a fused forward pass, filled for the first step. */
export interface Prepared {
  T: number;
  B: number;
  I: number;
  H: number;
  /** [T+1,B,I+H]: x_t, then h_{t-1} after recurrent dropout; with `input` [2,B,I+H], alternating rows. */
  xh: Tensor;
  /** The inputs that the kernels copy to xh step by step; null: xh is already filled. */
  input: Block | null;
  /** [T+1,B,H]: h without dropout, if there is dropout. */
  hs: Tensor | null;
  masks: StepMasks | null;
}

export interface SequenceOperands {
  x: Tensor;
  h0: Tensor | null;
  mask: Tensor | null;
  rmask: Tensor | null;
}

/**
 * Copies x (reversed if time runs backwards), the initial state and the masks to the kernels' buffers. With many
 * rows, and if nothing is saved for backward, x is copied step by step into two rows that stay in the caches.
 */
export function prepare(
  kernels: Kernels,
  { x, h0, mask, rmask }: SequenceOperands,
  H: number,
  attrs: SequenceAttributes,
  saving: boolean,
): Prepared {
  const [B, T, I] = x.shape as [number, number, number];
  const K = I + H;
  const inTurn = !saving && B >= openScope().backend.fewestInTurn;
  const xh = temporaryTensor([inTurn ? 2 : T + 1, B, K]);
  const [start, step] = attrs.reverse ? [(T - 1) * I, -I] : [0, I];
  if (!inTurn) kernels.copy(x.block(), start, [step, T * I, 1], xh.block(), 0, [B * K, K, 1], [T, B, I]);
  const hs = rmask ? temporaryTensor([T + 1, B, H]) : null;
  if (hs) loadRows(kernels, h0, hs, B * H);
  let seen = h0;
  if (h0 && rmask) {
    seen = temporaryTensor([B, H]);
    kernels.binary('mul', h0.block(), [1], rmask.block(), [1], seen.block(), [B * H]);
  }
  const initial = seen ?? copyOrZeros(kernels, [B, H], null);
  kernels.copy(initial.block(), 0, [H, 1], xh.block(), I, [K, 1], [B, H]);
  return {
    T,
    B,
    I,
    H,
    xh,
    input: inTurn ? x.block() : null,
    hs,
    masks: mask ? stepMasks(mask, attrs) : null,
  };
}

/** The memory of an optional tensor. */
export function blockOf(tensor: Tensor | null | undefined): Block | null {
  return tensor ? tensor.block() : null;
}

/** Copies the final state h, and the last output if only that is returned. */
export function finish(
  kernels: Kernels,
  { T, B, I, H, xh, hs, masks }: Prepared,
  y: Tensor,
  hLast: Tensor,
  attrs: SequenceAttributes,
): void {
  const K = I + H;
  if (hs) kernels.copy(hs.block(), T * B * H, [1], hLast.block(), 0, [1], [B * H]);
  else kernels.copy(xh.block(), (T % xh.shape[0]) * B * K + I, [K, 1], hLast.block(), 0, [H, 1], [B, H]);
  if (!attrs.returnSequences) lastOutput(kernels, hLast, masks, y);
}

/** The output of a sequence. If it is the last state, the same tensor is returned, so that it is copied only once. */
export function outputOf(y: Tensor, h: Tensor, mask: Tensor | null, attrs: SequenceAttributes): Tensor {
  return attrs.returnSequences || mask !== null ? y : h;
}

/** The gradient of the final state, [B,H], including that of the last output: the start of backward. */
export function finalGradient(
  kernels: Kernels,
  { B, H, masks }: Prepared,
  dy: Tensor | null,
  dhLast: Tensor | null,
  attrs: SequenceAttributes,
): Tensor {
  const last = attrs.returnSequences ? null : dy;
  // With no other gradient and no mask, that of the last output is that of the last state.
  const alone = last !== null && dhLast === null && masks === null;
  const dh = copyOrZeros(kernels, [B, H], alone ? last : dhLast);
  if (last && !alone) addLastOutput(kernels, last, masks, dh);
  return dh;
}

/** The position of step t of row b in y [B,T,H]; null if only the last output is requested. */
export function outputView(
  y: Tensor,
  { returnSequences, reverse, realign }: SequenceAttributes,
): SequenceView | null {
  if (!returnSequences) return null;
  const [, T, H] = y.shape as [number, number, number];
  const turned = reverse && realign;
  return { block: y.block(), offset: turned ? (T - 1) * H : 0, strideT: turned ? -H : H, strideB: T * H };
}

/** y [B,H] = the output of the last step: h, or 0 where the output mask of the last step is 0. */
function lastOutput(kernels: Kernels, h: Tensor, masks: StepMasks | null, y: Tensor): void {
  const [B, H] = h.shape as [number, number];
  if (masks === null) kernels.copy(h.block(), 0, [1], y.block(), 0, [1], [B * H]);
  else kernels.binary('mul', h.block(), [H, 1], lastRow(masks.outputMask).block(), [1, 0], y.block(), [B, H]);
}

/** dh += the gradient that reaches h_T through the last output. */
function addLastOutput(kernels: Kernels, dy: Tensor, masks: StepMasks | null, dh: Tensor): void {
  let part = dy;
  if (masks !== null) {
    part = temporaryTensor(dy.shape);
    lastOutput(kernels, dy, masks, part);
  }
  kernels.accumulate(dh.block(), part.block(), 1);
}

function lastRow(masks: Tensor): Tensor {
  const [T, B] = masks.shape as [number, number];
  return viewTensor(openScope().backend.view(masks.block(), (T - 1) * B, B), [B]);
}

/** A new tensor with a copy of `from`, or zeros, for kernels that work in place. */
export function copyOrZeros(kernels: Kernels, shape: Shape, from: Tensor | null): Tensor {
  const out = temporaryTensor(shape);
  if (from) kernels.copy(from.block(), 0, [1], out.block(), 0, [1], [out.size]);
  else kernels.fill(out.block(), 0);
  return out;
}

/** [dW; dU] = xhᵀ dG as one product over all T*B rows; dW [I,width] and dU [H,width] are views of it. */
export function weightGradients(
  kernels: Kernels,
  { T, B, I, H, xh }: Prepared,
  dG: Tensor,
): [Tensor, Tensor] {
  const width = dG.shape[2];
  const both = temporaryTensor([I + H, width]);
  kernels.gemm(xh.block(), dG.block(), both.block(), { m: I + H, n: width, k: T * B, transA: true });
  return [part(both, 0, [I, width]), part(both, I * width, [H, width])];
}

/**
 * dx [B,T,I] = dG Wᵀ, converted back from time-major (and from reversed time). Rows of dG may be wider than those of
 * W.
 */
export function inputGradient(kernels: Kernels, dG: Tensor, W: Tensor, reverse: boolean): Tensor {
  const [T, B, width] = dG.shape as [number, number, number];
  const [I, k] = W.shape as [number, number];
  const turned = temporaryTensor([T, B, I]);
  kernels.gemm(dG.block(), W.block(), turned.block(), { m: T * B, n: I, k, lda: width, transB: true });
  const dx = temporaryTensor([B, T, I]);
  const [start, step] = reverse ? [(T - 1) * I, -I] : [0, I];
  kernels.copy(turned.block(), 0, [B * I, I, 1], dx.block(), start, [step, T * I, 1], [T, B, I]);
  return dx;
}

/** The column sums of dG [T,B,width]: the gradient of a bias. */
export function biasGradient(kernels: Kernels, dG: Tensor): Tensor {
  const [T, B, width] = dG.shape as [number, number, number];
  const db = temporaryTensor([width]);
  kernels.reduce('sum', dG.block(), db.block(), 1, T * B, width);
  return db;
}

/** The part of a tensor's memory that starts at `offset`, as a tensor. */
export function part(tensor: Tensor, offset: number, shape: Shape): Tensor {
  return viewTensor(openScope().backend.view(tensor.block(), offset, sizeOf(shape)), shape);
}
