/**
 * Cross-entropy: the negative log-likelihood of classes. Prefer `fromLogits: true` with a last layer without activation,
 * which is accurate for logits of any size. Probabilities are clipped to [1e-7, 1 - 1e-7] as in Keras; outside this
 * interval the gradient is 0, so a model that is certain and wrong does not learn.
 */
import {
  add,
  div,
  log,
  logSoftmax,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  pick,
  reshape,
  softplus,
  sparseCrossentropy,
  sub,
  sum,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, hostValues, type OptionTypes } from '@unroll/core/internal';
import { alignOnePerRow, alignSameShape } from './align.js';
import { LOSS_OPTIONS, type Loss, type LossOptions, makeLoss, type Pair } from './loss.js';

export interface CrossentropyOptions extends LossOptions {
  /** True: the predictions are logits (the last layer has no activation). Default false: they are probabilities. */
  fromLogits?: boolean;
}

export interface SmoothedCrossentropyOptions extends CrossentropyOptions {
  /** Label smoothing, from 0 to 1: the share of each target that is distributed evenly over the classes. Default 0. */
  labelSmoothing?: number;
}

/** Types of the options of losses with label smoothing, for checks. */
export const SMOOTHED_OPTIONS: OptionTypes<SmoothedCrossentropyOptions> = {
  fromLogits: 'boolean',
  labelSmoothing: 'number',
  ...LOSS_OPTIONS,
};

const EPSILON = 1e-7;

/** Clips p to [1e-7, 1 - 1e-7]; the gradient outside is 0. */
export function clipProbability(p: Tensor): Tensor {
  return maximum(minimum(p, 1 - EPSILON), EPSILON);
}

/** Divides probabilities by their sum over the last axis, then clips them. */
export function normaliseProbabilities(p: Tensor): Tensor {
  return clipProbability(div(p, sum(p, -1, true)));
}

/** Returns the smoothed targets y (1 - s) + s / K, for the smoothing s and K classes. */
export function smoothLabels(target: Tensor, smoothing: number, classes: number): Tensor {
  return smoothing === 0 ? target : add(mul(target, 1 - smoothing), smoothing / classes);
}

/**
 * Returns -(y log p + (1 - y) log(1 - p)) for each element; from logits x as y softplus(-x) + (1 - y) softplus(x), which
 * does not overflow.
 */
export function binaryLosses(prediction: Tensor, target: Tensor, fromLogits: boolean): Tensor {
  if (fromLogits) {
    return add(mul(target, softplus(neg(prediction))), mul(sub(1, target), softplus(prediction)));
  }
  const p = clipProbability(prediction);
  return neg(add(mul(target, log(p)), mul(sub(1, target), log(sub(1, p)))));
}

/** Throws if the option is outside [0, 1]. */
export function checkLabelSmoothing(loss: string, labelSmoothing: number): void {
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw valueError(`${loss}: labelSmoothing must be between 0 and 1, got ${labelSmoothing}.`, {
      labelSmoothing,
    });
  }
}

/** Throws for a target outside [0, 1]. @param hint a sentence for the message that says what to do */
export function checkProbabilities(
  loss: string,
  { target }: Pair,
  positionOf: (i: number) => string,
  hint: string,
): void {
  const values = hostValues(target, `${loss}: the target`);
  const index = values.findIndex((value) => !(value >= 0 && value <= 1));
  if (index < 0) return;
  throw valueError(
    `${loss}: the target at ${positionOf(index)} must be between 0 and 1, got ${values[index]}. ${hint}`,
    {
      target: values[index],
      position: positionOf(index),
    },
  );
}

const BINARY_HINT = 'Write the two classes as 0 and 1.';
export const ONE_HOT_HINT = 'Targets are one-hot; for class indices use sparseCategoricalCrossentropy.';

/**
 * Binary cross-entropy: the mean over K of -(y log p + (1 - y) log(1 - p)), for K binary labels. Label smoothing s changes
 * the target to y (1 - s) + s/2.
 * @remarks prediction and target [B, K] or [B, T, K], targets in [0, 1]. As `BinaryCrossentropy` of Keras 3.
 */
export function binaryCrossentropy(options: SmoothedCrossentropyOptions = {}): Loss {
  const name = 'binaryCrossentropy';
  checkOptions(name, options, SMOOTHED_OPTIONS);
  const { fromLogits = false, labelSmoothing = 0 } = options;
  checkLabelSmoothing(name, labelSmoothing);
  return makeLoss(
    {
      name,
      config: { fromLogits, labelSmoothing },
      align: (prediction, target) => alignSameShape(name, prediction, target),
      check: (pair, positionOf) => checkProbabilities(name, pair, positionOf, BINARY_HINT),
      rows: (prediction, target) =>
        mean(binaryLosses(prediction, smoothLabels(target, labelSmoothing, 2), fromLogits), -1),
    },
    options,
  );
}

/**
 * Categorical cross-entropy: -Σ y log p over the K classes, for one-hot targets (or any distribution). Label smoothing s
 * changes the target to y (1 - s) + s/K. Predicted probabilities are first divided by their sum.
 * @remarks prediction and target [B, K] or [B, T, K]. As `CategoricalCrossentropy` of Keras 3.
 */
export function categoricalCrossentropy(options: SmoothedCrossentropyOptions = {}): Loss {
  const name = 'categoricalCrossentropy';
  checkOptions(name, options, SMOOTHED_OPTIONS);
  const { fromLogits = false, labelSmoothing = 0 } = options;
  checkLabelSmoothing(name, labelSmoothing);
  return makeLoss(
    {
      name,
      config: { fromLogits, labelSmoothing },
      align: (prediction, target) => alignSameShape(name, prediction, target),
      check: (pair, positionOf) => checkProbabilities(name, pair, positionOf, ONE_HOT_HINT),
      rows(prediction, target) {
        const y = smoothLabels(target, labelSmoothing, prediction.shape[1]);
        return neg(
          sum(mul(y, fromLogits ? logSoftmax(prediction) : log(normaliseProbabilities(prediction))), -1),
        );
      },
    },
    options,
  );
}

export interface SparseCrossentropyOptions extends SmoothedCrossentropyOptions {
  /** Class index of rows to ignore as if they were masked, such as -1 for unlabelled rows. Default null: none. */
  ignoreClass?: number | null;
}

/**
 * Categorical cross-entropy for class indices as targets: -log p of the target class. With label smoothing s, the loss is
 * -(1 - s) log p - s mean(log p over the K classes), as in `categoricalCrossentropy` for the one-hot target. Predicted
 * probabilities are first divided by their sum.
 * @remarks prediction [B, K] or [B, T, K], targets [B] or [B, T] of integers from 0 to K - 1. As
 * `SparseCategoricalCrossentropy` of Keras 3.
 */
export function sparseCategoricalCrossentropy(options: SparseCrossentropyOptions = {}): Loss {
  const name = 'sparseCategoricalCrossentropy';
  checkOptions(name, options, { ignoreClass: true, ...SMOOTHED_OPTIONS });
  const { fromLogits = false, labelSmoothing = 0, ignoreClass = null } = options;
  checkLabelSmoothing(name, labelSmoothing);
  return makeLoss(
    {
      name,
      config: { fromLogits, labelSmoothing, ignoreClass },
      align: (prediction, target) =>
        alignOnePerRow(
          name,
          prediction,
          target,
          'a class index',
          ', or use categoricalCrossentropy for one-hot targets',
        ),
      ...(ignoreClass === null ? {} : { ignores: (target: number) => target === ignoreClass }),
      check: (pair, positionOf) => checkClasses(name, pair, positionOf),
      rows(prediction, target) {
        const ids = reshape(target, [prediction.shape[0]]);
        if (fromLogits) return sparseCrossentropy(prediction, ids, labelSmoothing);
        if (labelSmoothing === 0)
          return neg(log(clipProbability(div(pick(prediction, ids), sum(prediction, -1)))));
        const logP = log(normaliseProbabilities(prediction));
        return neg(add(mul(pick(logP, ids), 1 - labelSmoothing), mul(mean(logP, -1), labelSmoothing)));
      },
    },
    options,
  );
}

/** Throws for a target that is not a class index of the prediction [N, K]. */
export function checkClasses(
  loss: string,
  { prediction, target }: Pair,
  positionOf: (i: number) => string,
): void {
  const classes = prediction.shape[prediction.rank - 1];
  const ids = hostValues(target, `${loss}: the target`);
  const index = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < classes));
  if (index < 0) return;
  throw valueError(
    `${loss}: the target at ${positionOf(index)} must be one of the ${classes} classes of the model, 0 to ${classes - 1}, ` +
      `got ${ids[index]}. Give the last layer one unit per class, number the classes from 0, ` +
      'and mask padding.',
    { target: ids[index], position: positionOf(index), classes },
  );
}
