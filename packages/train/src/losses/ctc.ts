/**
 * Connectionist temporal classification (Graves et al. 2006, "Connectionist Temporal Classification: Labelling Unsegmented
 * Sequence Data with Recurrent Neural Networks"): trains a model to predict a class or a blank at every step. The targets
 * are shorter than the input and not aligned to it.
 */
import {
  ctc as ctcLosses,
  formatShape,
  gather,
  mul,
  reshape,
  shapeError,
  type Tensor,
  tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, hostValues } from '@unroll/core/internal';
import { LOSS_OPTIONS, type Loss, type LossOptions } from './loss.js';
import { type SequenceBatch, sequenceLoss } from './sequence.js';

export interface CtcLossOptions extends LossOptions {
  /** The class of the blank. Default 0, as in PyTorch and Keras. */
  blank?: number;
  /** The value that fills targets after their last label. Default -1. May be equal to `blank`, as in Keras (both are 0). */
  padding?: number;
  /**
   * True: if a target is too long for its input, its infinite loss and its gradient are replaced by 0.
   * Default false: a target that is too long raises an error.
   */
  zeroInfinity?: boolean;
  /**
   * `targetLength` divides the loss of each sequence by the number of its labels (at least 1). With the default reduction,
   * the result is then that of PyTorch's reduction `mean`. Default `none`, as in Keras.
   */
  normalize?: 'none' | 'targetLength';
}

/**
 * The loss of connectionist temporal classification: -log p for the probability p of the target, which is the sum of the
 * probabilities of all its alignments. In an alignment, every step emits a label or the blank; repetitions are merged, then
 * blanks are removed.
 *
 * The predictions are logits [B, T, C] of C classes including the blank (the last layer has no activation). The targets are
 * labels [B, L], padded at the end. Masked steps are skipped.
 * @throws UnrollError (in training) `shape` for a target that is not [B, L], `value` for labels that are not classes of the
 * model, a blank in a target, or a target that is too long for its input
 */
export function ctc(options: CtcLossOptions = {}): Loss {
  checkOptions('ctc', options, {
    blank: 'nonNegativeInteger',
    padding: 'number',
    zeroInfinity: 'boolean',
    normalize: ['none', 'targetLength'],
    ...LOSS_OPTIONS,
  });
  const { blank = 0, padding = -1, zeroInfinity = false, normalize = 'none', reduction } = options;
  return sequenceLoss(
    {
      name: 'ctc',
      config: { blank, padding, zeroInfinity, normalize },
      padding,
      losses(batch) {
        const targets = checkTargets(batch, blank, zeroInfinity);
        const { lengths, targetLengths } = batch;
        const losses = ctcLosses(
          validStepsFirst(batch),
          targets,
          Float64Array.from(lengths),
          Float64Array.from(targetLengths),
          { blank, zeroInfinity },
        );
        if (normalize === 'none') return losses;
        return mul(losses, tensor(Float64Array.from(targetLengths, (length) => 1 / Math.max(1, length))));
      },
    },
    reduction === undefined ? {} : { reduction },
  );
}

/** Returns the predictions [B, T, C] with the valid steps of each sequence first, in order. */
function validStepsFirst({ prediction, mask }: SequenceBatch): Tensor {
  if (!mask) return prediction;
  const [B, T, C] = prediction.shape;
  const values = hostValues(mask, 'ctc: the mask');
  const indices = new Float64Array(B * T);
  let inOrder = true;
  for (let b = 0; b < B; b++) {
    let count = b * T;
    for (let t = b * T; t < (b + 1) * T; t++) {
      if (values[t] === 0) continue;
      indices[count] = t;
      inOrder &&= count === t;
      count++;
    }
  }
  if (inOrder) return prediction;
  return reshape(gather(reshape(prediction, [B * T, C]), indices), [B, T, C]);
}

/** Returns the targets [B, L]. @throws UnrollError `shape` or `value` for an invalid target, or one that is too long */
function checkTargets(batch: SequenceBatch, blank: number, zeroInfinity: boolean) {
  const { prediction, target, lengths, targetLengths, example } = batch;
  const [B, , C] = prediction.shape;
  const L = target.shape[1];
  if (target.size !== B * L) {
    throw shapeError(
      `ctc: the target must be labels of the shape [${B}, steps], got the shape ${formatShape(target.shape)}.`,
      {
        target: target.shape,
      },
    );
  }
  if (blank >= C) {
    throw valueError(
      `ctc: blank must be a class of the model, 0 to ${C - 1}, got ${blank}. The last layer needs one unit per label ` +
        'and one for the blank.',
      { blank, classes: C },
    );
  }
  const values = hostValues(target, 'ctc: the target');
  for (let b = 0; b < B; b++) {
    const labels = values.subarray(b * L, b * L + targetLengths[b]);
    const invalid = labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < C));
    if (invalid >= 0) {
      throw valueError(
        `ctc: the labels of ${example(b)} must be classes of the model, 0 to ${C - 1}, got ${labels[invalid]} at step ` +
          `${invalid}. Set padding if this is the padding value.`,
        { label: labels[invalid], step: invalid, classes: C },
      );
    }
    const firstBlank = labels.indexOf(blank);
    if (firstBlank >= 0) {
      throw valueError(
        `ctc: the labels of ${example(b)} contain the blank (${blank}) at step ${firstBlank}. Set blank to a class that is ` +
          'not a label, or set padding if this is the padding value.',
        { blank, step: firstBlank },
      );
    }
    if (!zeroInfinity) checkLength(labels, lengths[b], example(b));
  }
  return reshape(target, [B, L]);
}

/** @throws UnrollError `value` if the target needs more steps than the input has */
function checkLength(labels: ArrayLike<number>, steps: number, example: string): void {
  let repeats = 0;
  for (let i = 1; i < labels.length; i++) if (labels[i] === labels[i - 1]) repeats++;
  const needed = labels.length + repeats;
  if (needed <= steps) return;
  throw valueError(
    `ctc: the target of ${example} needs ${needed} steps (${labels.length} labels, and a blank between ${repeats} pairs ` +
      `of equal neighbours), but the prediction has ${steps}. Use longer inputs or less downsampling, or set ` +
      'zeroInfinity: true to ignore such examples.',
    { labels: labels.length, repeats, needed, steps },
  );
}
