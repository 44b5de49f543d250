/**
 * Code that the fused recurrent ops share: shape checks, the time-major buffer of inputs and states, masks, and the
 * weight and input gradients, which are matrix products of dG. The kernel computes dG, the gradients of the gates before
 * activation. Letters: B batch, T time steps, I input features, H hidden units, G gates.
 *
 * Each op lists all fields of its kernel call: object spread would take 6 µs in V8 for an object of this size, more
 * than the rest of a streaming step.
 */
import type { ActivationName, Block, Kernels, SequenceView } from '../backend.js';
import { formatShape, shapeError } from '../errors.js';
import type { Inputs } from '../op.js';
import { currentScope } from '../runtime.js';
import { type Shape, sameShape, sizeOf } from '../shape.js';
import { hostValues, type Tensor, temporaryTensor, viewTensor } from '../tensor.js';

export interface SequenceAttributes {
  /** Activation of the candidate and the output. */
  activation: ActivationName;
  /** True: y is the output of every step, [B,T,H]. False: the last output, [B,H]. */
  returnSequences: boolean;
  /** Process the sequence from the last step to the first. */
  reverse: boolean;
  /** With `reverse`: true returns the outputs in time order, false in processing order. */
  timeOrder: boolean;
  /** True: outputs of masked steps are 0. False: they repeat the last valid output (0 if there is none yet). */
  zeroOutputForMask: boolean;
}

/** Attributes of cells with gates. */
export interface RecurrentAttributes extends SequenceAttributes {
  /** Activation of the gates. */
  recurrentActivation: ActivationName;
}

/** The shapes of an op's inputs; null for an omitted input. */
export interface SequenceShapes {
  x: Shape;
  W: Shape;
  U: Shape;
  b: Shape | null;
  /** The expected shape of b. */
  bias: Shape;
  /** The initial states by name. */
  states: Readonly<Record<string, Shape | null>>;
  mask: Shape | null;
  /** The recurrent dropout mask. */
  rmask: Shape | null;
}

/**
 * Checks the shape of every input against x [B,T,I] and U [H,G*H], and returns the sizes.
 * @throws UnrollError `shape` for the first input that does not fit
 */
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
  const expect = (label: string, got: Shape | null, want: Shape, state = ''): void => {
    if (got === null || sameShape(got, want)) return;
    const name = `${label}${state && ` ${state}`}`;
    throw shapeError(
      `${op}: ${name} has shape ${formatShape(got)}, expected ${formatShape(want)} for x ${formatShape(s.x)} and ${H} units.`,
      { op, name, got, want },
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

/** Writes the initial state (null: zeros) to the first `count` = B*H elements of a buffer [T+1,B,H] or [B,H]. */
export function loadInitialState(
  kernels: Kernels,
  state: Tensor | null,
  buffer: Tensor,
  count: number,
): void {
  if (state) kernels.copy({ x: state.block(), y: buffer.block(), shape: [count] });
  else kernels.fill(currentScope().backend.view(buffer.block(), 0, count), 0);
}

/** The masks that the kernels read, [T,B] in processing order. */
export interface StepMasks {
  /** 1 for a valid step, 0 for a masked one. */
  mask: Tensor;
  /** 1 if the step outputs h, 0 if it outputs 0. */
  outputMask: Tensor;
}

/**
 * Converts a mask [B,T] to the masks of the kernels. Without zeroOutputForMask, masked steps before the first valid
 * step output 0 (as in Keras's TensorFlow and PyTorch backends), and later ones repeat the last output, which is the
 * current h.
 */
function stepMasks(mask: Tensor, { reverse, zeroOutputForMask }: SequenceAttributes): StepMasks {
  const [B, T] = mask.shape as [number, number];
  const { backend } = currentScope();
  const maskValues = hostValues(mask, 'The mask of a recurrent layer');
  const valid = new backend.float(T * B);
  const outputs = new backend.float(T * B);
  for (let b = 0; b < B; b++) {
    let hasOutput = 0;
    for (let t = 0; t < T; t++) {
      const isValid = maskValues[b * T + (reverse ? T - 1 - t : t)] !== 0 ? 1 : 0;
      hasOutput = zeroOutputForMask ? isValid : hasOutput | isValid;
      valid[t * B + b] = isValid;
      outputs[t * B + b] = hasOutput;
    }
  }
  const out = { mask: temporaryTensor([T, B]), outputMask: temporaryTensor([T, B]) };
  backend.write(out.mask.block(), valid);
  backend.write(out.outputMask.block(), outputs);
  return out;
}

/** The inputs of a fused op, in order: sequence, kernels, bias, initial states, step mask, recurrent dropout mask. */
export type SequenceInputs<States extends Inputs> = readonly [
  x: Tensor,
  W: Tensor,
  U: Tensor,
  b: Tensor | null,
  ...states: States,
  mask: Tensor | null,
  rmask: Tensor | null,
];

/** The buffers of a fused forward pass, filled for the first step. */
export interface SequenceBuffers {
  T: number;
  B: number;
  I: number;
  H: number;
  /**
   * [T+1,B,I+H]: x_t, followed by h_{t-1} after recurrent dropout. If `input` is set, [2,B,I+H]: even steps use entry
   * 0 and odd steps entry 1.
   */
  xh: Tensor;
  /** The inputs, which the kernels copy to xh one step at a time; null: xh already contains them. */
  input: Block | null;
  /** [T+1,B,H]: h before recurrent dropout; null: there is no recurrent dropout. */
  hs: Tensor | null;
  /** Null: every step is valid. */
  masks: StepMasks | null;
}

export interface SequenceOperands {
  x: Tensor;
  h0: Tensor | null;
  mask: Tensor | null;
  rmask: Tensor | null;
}

/**
 * Copies x, the initial state and the masks to the buffers of the kernels; with `reverse`, x from its last step to
 * its first. For large batches, if backward does not need xh (`saving` is false), the kernels copy x one step at a
 * time, because a buffer of two steps stays in the caches.
 */
export function prepareSequence(
  kernels: Kernels,
  { x, h0, mask, rmask }: SequenceOperands,
  H: number,
  attrs: SequenceAttributes,
  saving: boolean,
): SequenceBuffers {
  const [B, T, I] = x.shape as [number, number, number];
  const K = I + H;
  const copyStepwise = !saving && B >= currentScope().backend.minBatchForStepCopies;
  const xh = temporaryTensor([copyStepwise ? 2 : T + 1, B, K]);
  const [start, step] = attrs.reverse ? [(T - 1) * I, -I] : [0, I];
  if (!copyStepwise)
    kernels.copy({
      x: x.block(),
      offsetX: start,
      stridesX: [step, T * I, 1],
      y: xh.block(),
      stridesY: [B * K, K, 1],
      shape: [T, B, I],
    });
  const hs = rmask ? temporaryTensor([T + 1, B, H]) : null;
  if (hs) loadInitialState(kernels, h0, hs, B * H);
  let dropped = h0;
  if (h0 && rmask) {
    dropped = temporaryTensor([B, H]);
    kernels.binary({ op: 'mul', a: h0.block(), b: rmask.block(), y: dropped.block() });
  }
  const initial = dropped ?? copyOrZeros(kernels, [B, H], null);
  kernels.copy({ x: initial.block(), y: xh.block(), offsetY: I, stridesY: [K, 1], shape: [B, H] });
  return {
    T,
    B,
    I,
    H,
    xh,
    input: copyStepwise ? x.block() : null,
    hs,
    masks: mask ? stepMasks(mask, attrs) : null,
  };
}

/** Returns the memory of a tensor, or null without a tensor. */
export function blockOf(tensor: Tensor | null | undefined): Block | null {
  return tensor ? tensor.block() : null;
}

/** Copies the final state to hLast and, if only the last output is returned, that output to y. */
export function copyFinalState(
  kernels: Kernels,
  { T, B, I, H, xh, hs, masks }: SequenceBuffers,
  y: Tensor,
  hLast: Tensor,
  attrs: SequenceAttributes,
): void {
  const K = I + H;
  if (hs) kernels.copy({ x: hs.block(), offsetX: T * B * H, y: hLast.block(), shape: [B * H] });
  else
    kernels.copy({
      x: xh.block(),
      offsetX: (T % xh.shape[0]) * B * K + I,
      stridesX: [K, 1],
      y: hLast.block(),
      shape: [B, H],
    });
  if (!attrs.returnSequences) writeLastOutput(kernels, hLast, masks, y);
}

/** Returns the output: h if the output is the final state, so that a scope copies the values only once; otherwise y. */
export function outputOf(y: Tensor, h: Tensor, mask: Tensor | null, attrs: SequenceAttributes): Tensor {
  return attrs.returnSequences || mask !== null ? y : h;
}

/**
 * Returns the gradient of the final state [B,H], from which backward starts: `dhLast`, plus the gradient of the last output
 * if only the last output is returned.
 */
export function finalGradient(
  kernels: Kernels,
  { B, H, masks }: SequenceBuffers,
  dy: Tensor | null,
  dhLast: Tensor | null,
  attrs: SequenceAttributes,
): Tensor {
  const last = attrs.returnSequences ? null : dy;
  // Whether the only gradient is that of the last output, and the last output is the final state.
  const onlyLast = last !== null && dhLast === null && masks === null;
  const dh = copyOrZeros(kernels, [B, H], onlyLast ? last : dhLast);
  if (last && !onlyLast) addLastOutput(kernels, last, masks, dh);
  return dh;
}

/** Returns where the kernels write the output of each step in y [B,T,H]; null if only the last output is returned. */
export function outputView(
  y: Tensor,
  { returnSequences, reverse, timeOrder }: SequenceAttributes,
): SequenceView | null {
  if (!returnSequences) return null;
  const [, T, H] = y.shape as [number, number, number];
  const backwards = reverse && timeOrder;
  return {
    block: y.block(),
    offset: backwards ? (T - 1) * H : 0,
    strideT: backwards ? -H : H,
    strideB: T * H,
  };
}

/** Writes the output of the last step to y [B,H]: h, or 0 in batch rows whose output mask is 0 at that step. */
function writeLastOutput(kernels: Kernels, h: Tensor, masks: StepMasks | null, y: Tensor): void {
  const [B, H] = h.shape as [number, number];
  if (masks === null) kernels.copy({ x: h.block(), y: y.block() });
  else
    kernels.binary({
      op: 'mul',
      a: h.block(),
      b: lastStep(masks.outputMask).block(),
      stridesB: [1, 0],
      y: y.block(),
      shape: [B, H],
    });
}

/** Adds the gradient of the last output, `dy`, to the gradient of the final state, `dh`. */
function addLastOutput(kernels: Kernels, dy: Tensor, masks: StepMasks | null, dh: Tensor): void {
  let masked = dy;
  if (masks !== null) {
    masked = temporaryTensor(dy.shape);
    writeLastOutput(kernels, dy, masks, masked);
  }
  kernels.accumulate(dh.block(), masked.block(), 1);
}

function lastStep(masks: Tensor): Tensor {
  const [T, B] = masks.shape as [number, number];
  return viewTensor(currentScope().backend.view(masks.block(), (T - 1) * B, B), [B]);
}

/** Returns a new tensor for kernels that work in place: a copy of `from`, or zeros if it is null. */
export function copyOrZeros(kernels: Kernels, shape: Shape, from: Tensor | null): Tensor {
  const out = temporaryTensor(shape);
  if (from) kernels.copy({ x: from.block(), y: out.block() });
  else kernels.fill(out.block(), 0);
  return out;
}

/** Returns dx = dG Wᵀ, in the order of x [B,T,I]. If dG has more columns than W, only the first columns of dG are used. */
export function inputGradient(kernels: Kernels, dG: Tensor, W: Tensor, reverse: boolean): Tensor {
  const [T, B, width] = dG.shape as [number, number, number];
  const [I, k] = W.shape as [number, number];
  const timeMajor = temporaryTensor([T, B, I]);
  kernels.gemm(dG.block(), W.block(), timeMajor.block(), { m: T * B, n: I, k, lda: width, transB: true });
  const dx = temporaryTensor([B, T, I]);
  const [start, step] = reverse ? [(T - 1) * I, -I] : [0, I];
  kernels.copy({
    x: timeMajor.block(),
    stridesX: [B * I, I, 1],
    y: dx.block(),
    offsetY: start,
    stridesY: [step, T * I, 1],
    shape: [T, B, I],
  });
  return dx;
}

/** Returns the gradient of a bias: the column sums of dG [T,B,width]. */
export function biasGradient(kernels: Kernels, dG: Tensor): Tensor {
  const width = dG.shape[2];
  const db = temporaryTensor([width]);
  kernels.reduce('sum', dG.block(), db.block(), width);
  return db;
}

/** Returns a tensor of `shape` over the memory of `tensor`, starting at `offset`. */
export function viewPart(tensor: Tensor, offset: number, shape: Shape): Tensor {
  return viewTensor(currentScope().backend.view(tensor.block(), offset, sizeOf(shape)), shape);
}
