/** The loss of connectionist temporal classification as an op that computes losses and gradients in one kernel call. */
import { formatShape, shapeError, valueError } from '../errors.js';
import { apply1, type Op } from '../op.js';
import { asTensor, hostValues, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';

export interface CtcAttributes {
  blank: number;
  zeroInfinity: boolean;
}

/** Logits [B, T, C], targets [B, L], lengths [B] and target lengths [B]. */
type CtcInputs = readonly [logits: Tensor, targets: Tensor, lengths: Tensor, targetLengths: Tensor];

const ctcOp: Op<CtcAttributes, CtcInputs> = {
  name: 'ctc',
  shapes: ([logits]) => [[logits[0]]],
  forward({ inputs: [x, targets, lengths, targetLengths], attrs, outputs: [losses], kernels, saving }) {
    const [B, T, C] = x.shape;
    const dx = saving ? temporaryTensor(x.shape) : null;
    kernels.ctc({
      ...{ B, T, C, L: targets.shape[1] },
      ...attrs,
      x: x.block(),
      targets: targets.block(),
      lengths: lengths.block(),
      targetLengths: targetLengths.block(),
      losses: losses.block(),
      dx: dx?.block() ?? null,
    });
    return dx;
  },
  backward({ inputs: [x], saved, grads: [g], kernels }) {
    const [B, T, C] = x.shape;
    const dx = temporaryTensor(x.shape);
    const lossGradients = (saved as Tensor).block();
    kernels.binary({
      op: 'mul',
      a: lossGradients,
      stridesA: [T * C, 1],
      b: g.block(),
      stridesB: [1, 0],
      y: dx.block(),
      shape: [B, T * C],
    });
    return [dx, null, null, null];
  },
};

export const ctcOps = { ctc: ctcOp };

export interface CtcOptions {
  /** The class of the blank. Default 0. */
  blank?: number;
  /** True: the loss of a target that has no alignment is 0. Default false: it is infinite. */
  zeroInfinity?: boolean;
}

/**
 * Returns the loss of connectionist temporal classification (Graves et al. 2006) of each sequence, [B]: -log of the sum
 * of the probabilities of all alignments of its target. The class probabilities are softmax(logits). The gradient of an
 * infinite loss is 0.
 * @param logits [B, T, C], C classes including the blank
 * @param targets [B, L], the class indices of the labels; values after the length of a target are ignored
 * @param lengths [B], the number of valid steps of each sequence, 0 to T
 * @param targetLengths [B], the number of labels of each target, 0 to L
 * @throws UnrollError `shape` if the shapes do not match, `value` if a length, a label or the blank is invalid
 */
export function ctc(
  logits: Tensor,
  targets: TensorLike,
  lengths: TensorLike,
  targetLengths: TensorLike,
  { blank = 0, zeroInfinity = false }: CtcOptions = {},
): Tensor {
  const inputs = [logits, asTensor(targets), asTensor(lengths), asTensor(targetLengths)] as const;
  checkInputs(inputs, blank);
  return apply1(ctcOp, inputs, { blank, zeroInfinity });
}

/** @throws UnrollError if the shapes do not match, or a length, a label or the blank is invalid */
function checkInputs(inputs: CtcInputs, blank: number): void {
  const [x, targets, lengths, targetLengths] = inputs;
  const [B, T, C] = x.shape;
  if (
    x.rank !== 3 ||
    targets.rank !== 2 ||
    inputs.some((input) => input.shape[0] !== B) ||
    lengths.size !== B ||
    targetLengths.size !== B
  ) {
    throw shapeError(
      'ctc takes logits [B, T, C], targets [B, L], lengths [B] and target lengths [B]; ' +
        `got ${inputs.map((input) => formatShape(input.shape)).join(', ')}.`,
    );
  }
  if (!isIndex(blank, C - 1)) {
    throw valueError(`ctc: blank must be a class index from 0 to ${C - 1}, got ${blank}.`, {
      blank,
      classes: C,
    });
  }
  const L = targets.shape[1];
  checkLengths('length', lengths, T);
  checkLengths('target length', targetLengths, L);
  const counts = hostValues(targetLengths, 'ctc: the target lengths');
  hostValues(targets, 'ctc: the targets').forEach((label, i) => {
    const [b, index] = [Math.floor(i / L), i % L];
    if (index >= counts[b] || (isIndex(label, C - 1) && label !== blank)) return;
    throw valueError(
      `ctc: the label at index ${index} of target ${b} must be a class index from 0 to ${C - 1} except the blank ` +
        `(${blank}), got ${label}.`,
      { label, target: b, step: index, classes: C, blank },
    );
  });
}

const isIndex = (value: number, max: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= max;

/** @throws UnrollError unless all lengths are integers from 0 to `max` */
function checkLengths(what: string, lengths: Tensor, max: number): void {
  hostValues(lengths, `ctc: the ${what} of each sequence`).forEach((length, b) => {
    if (isIndex(length, max)) return;
    throw valueError(
      `ctc: the ${what} of sequence ${b} must be an integer from 0 to ${max}, got ${length}.`,
      {
        length,
        sequence: b,
      },
    );
  });
}
