/**
 * What the fused recurrent ops share: shape rules, the time-major buffer of inputs and states, masks, and the gradients
 * that are plain products once the kernel has walked back through time. Letters: B batch, T time steps, I input
 * features, H hidden units, G gates.
 */
import type { ActivationName, Kernels, SequenceView } from '../backend.js';
import { formatShape, shapeError } from '../errors.js';
import { runtime } from '../runtime.js';
import type { Shape } from '../shape.js';
import { type Tensor, temporaryTensor, viewTensor } from '../tensor.js';

export interface RecurrentAttributes {
  /** Activation of the candidate and the output. */
  activation: ActivationName;
  /** Activation of the gates. */
  recurrentActivation: ActivationName;
  /** y holds every step, [B,T,H]; otherwise the last output, [B,H]. */
  returnSequences: boolean;
  /** Walk from the last step to the first. */
  reverse: boolean;
  /** With `reverse`: put outputs at the time they belong to, instead of in the order they were made. */
  realign: boolean;
  /** Outputs of masked steps are 0; otherwise they repeat the last valid output (0 before the first). */
  zeroOutputForMask: boolean;
}

export interface SequenceShapes {
  x: Shape;
  W: Shape;
  U: Shape;
  /** Bias and the shape it must have. */
  b: Shape | null;
  bias: Shape;
  states: Readonly<Record<string, Shape | null>>;
  mask: Shape | null;
  rmask: Shape | null;
}

/** Checks every operand against x [B,T,I] and U [H,G*H], and names the first that does not fit. */
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
  const expect = (name: string, got: Shape | null, want: Shape): void => {
    if (got !== null && (got.length !== want.length || got.some((extent, d) => extent !== want[d]))) {
      throw shapeError(
        `${op}: ${name} has shape ${formatShape(got)}, expected ${formatShape(want)} for x ${formatShape(s.x)} and ${H} units.`,
        {
          op,
          name,
          got,
          want,
        },
      );
    }
  };
  if (T === 0)
    throw shapeError(`${op}: the sequences have no time steps (x is ${formatShape(s.x)}).`, { op, x: s.x });
  expect('the recurrent kernel U', s.U, [H, G * H]);
  expect('the kernel W', s.W, [I, G * H]);
  expect('the bias b', s.b, s.bias);
  for (const [name, shape] of Object.entries(s.states)) expect(`the initial state ${name}`, shape, [B, H]);
  expect('the mask', s.mask, [B, T]);
  expect('the recurrent dropout mask', s.rmask, [B, H]);
  return { B, T, I, H };
}

/** Copies x [B,T,I] into the x part of xh [T+1,B,I+H], turned round where time runs backwards. */
export function fillInputs(kernels: Kernels, xh: Tensor, x: Tensor, reverse: boolean): void {
  const [B, T, I] = x.shape as [number, number, number];
  const K = xh.shape[2]!;
  const step = reverse ? -I : I;
  kernels.copy(
    x.block(),
    reverse ? (T - 1) * I : 0,
    [step, T * I, 1],
    xh.block(),
    0,
    [B * K, K, 1],
    [T, B, I],
  );
}

/** Row 0 of a [T+1,B,H] (or [B,H]) buffer of states: the initial state, zeros if null. */
export function loadRows(kernels: Kernels, state: Tensor | null, rows: Tensor, count: number): void {
  if (state) kernels.copy(state.block(), 0, [1], rows.block(), 0, [1], [count]);
  else kernels.fill(runtime.scope!.backend.view(rows.block(), 0, count), 0);
}

/** Puts the initial state h0 (zeros if null) into row 0 of xh, times rmask, and undropped into row 0 of hs. */
export function loadState(
  kernels: Kernels,
  h0: Tensor | null,
  rmask: Tensor | null,
  xh: Tensor,
  hs: Tensor | null,
  H: number,
): void {
  const [, B, K] = xh.shape as [number, number, number];
  if (hs) loadRows(kernels, h0, hs, B * H);
  let seen = h0 ?? copyOrZeros(kernels, [B, H], null);
  if (h0 && rmask) {
    seen = temporaryTensor([B, H]);
    kernels.binary('mul', h0.block(), [1], rmask.block(), [1], seen.block(), [B * H]);
  }
  kernels.copy(seen.block(), 0, [H, 1], xh.block(), K - H, [K, 1], [B, H]);
}

export interface StepMasks {
  /** [T,B] in processing order: 1 valid. */
  mask: Tensor;
  /** [T,B]: 1 where the output of the step is h. */
  emit: Tensor;
}

/**
 * The masks as the kernels take them. Masked steps before the first valid one give 0 (the rule of Keras's TensorFlow and
 * PyTorch backends); later ones repeat the last output, which equals the carried h.
 */
export function stepMasks(mask: Tensor, { reverse, zeroOutputForMask }: RecurrentAttributes): StepMasks {
  const [B, T] = mask.shape as [number, number];
  const { backend } = runtime.scope!;
  const given = mask.dataSync();
  const valid = new backend.float(T * B);
  const emits = new backend.float(T * B);
  for (let b = 0; b < B; b++) {
    let seen = 0;
    for (let t = 0; t < T; t++) {
      const use = given[b * T + (reverse ? T - 1 - t : t)]! !== 0 ? 1 : 0;
      seen = zeroOutputForMask ? use : seen | use;
      valid[t * B + b] = use;
      emits[t * B + b] = seen;
    }
  }
  const out = { mask: temporaryTensor([T, B]), emit: temporaryTensor([T, B]) };
  backend.write(out.mask.block(), valid);
  backend.write(out.emit.block(), emits);
  return out;
}

/** Where step t of row b lies in a [B,T,H] tensor. */
export function outputView(y: Tensor, { reverse, realign }: RecurrentAttributes): SequenceView {
  const [, T, H] = y.shape as [number, number, number];
  const turned = reverse && realign;
  return { block: y.block(), offset: turned ? (T - 1) * H : 0, strideT: turned ? -H : H, strideB: T * H };
}

/** y [B,H] = the output of the last step: h, or 0 where the last step emits nothing. */
export function lastOutput(kernels: Kernels, h: Tensor, masks: StepMasks | null, y: Tensor): void {
  const [B, H] = h.shape as [number, number];
  if (masks === null) kernels.copy(h.block(), 0, [1], y.block(), 0, [1], [B * H]);
  else kernels.binary('mul', h.block(), [H, 1], lastRow(masks.emit).block(), [1, 0], y.block(), [B, H]);
}

/** dh += the gradient that reaches h_T through the last output. */
export function addLastOutput(kernels: Kernels, dy: Tensor, masks: StepMasks | null, dh: Tensor): void {
  let part = dy;
  if (masks !== null) {
    part = temporaryTensor(dy.shape);
    lastOutput(kernels, dy, masks, part);
  }
  kernels.accumulate(dh.block(), part.block(), 1);
}

function lastRow(masks: Tensor): Tensor {
  const [T, B] = masks.shape as [number, number];
  return viewTensor(runtime.scope!.backend.view(masks.block(), (T - 1) * B, B), [B]);
}

/** A fresh tensor with a copy of `from`, or zeros: for kernels that work in place. */
export function copyOrZeros(kernels: Kernels, shape: Shape, from: Tensor | null): Tensor {
  const out = temporaryTensor(shape);
  if (from) kernels.copy(from.block(), 0, [1], out.block(), 0, [1], [out.size]);
  else kernels.fill(out.block(), 0);
  return out;
}

/** [dW; dU] = xhᵀ dG as one product over all T*B rows; dW [I,width] and dU [H,width] are views of it. */
export function weightGradients(kernels: Kernels, xh: Tensor, dG: Tensor, I: number): [Tensor, Tensor] {
  const [T, B, width] = dG.shape as [number, number, number];
  const K = xh.shape[2]!;
  const both = temporaryTensor([K, width]);
  kernels.gemm(xh.block(), dG.block(), both.block(), { m: K, n: width, k: T * B, transA: true });
  const { backend } = runtime.scope!;
  return [
    viewTensor(backend.view(both.block(), 0, I * width), [I, width]),
    viewTensor(backend.view(both.block(), I * width, (K - I) * width), [K - I, width]),
  ];
}

/** dx [B,T,I] = dG Wᵀ, brought back from time-major (and from reversed time). */
export function inputGradient(kernels: Kernels, dG: Tensor, W: Tensor, reverse: boolean): Tensor {
  const [T, B, width] = dG.shape as [number, number, number];
  const I = W.shape[0]!;
  const turned = temporaryTensor([T, B, I]);
  kernels.gemm(dG.block(), W.block(), turned.block(), { m: T * B, n: I, k: width, transB: true });
  const dx = temporaryTensor([B, T, I]);
  const start = reverse ? (T - 1) * I : 0;
  kernels.copy(turned.block(), 0, [B * I, I, 1], dx.block(), start, [reverse ? -I : I, T * I, 1], [T, B, I]);
  return dx;
}

/** The column sums of dG [T,B,width]: the gradient of a bias. */
export function biasGradient(kernels: Kernels, dG: Tensor): Tensor {
  const [T, B, width] = dG.shape as [number, number, number];
  const db = temporaryTensor([width]);
  kernels.reduce('sum', dG.block(), db.block(), 1, T * B, width);
  return db;
}
