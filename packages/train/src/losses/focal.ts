/**
 * Focal losses (Lin et al. 2017, "Focal loss for dense object detection"): cross-entropy times (1 - p)^gamma, where p is
 * the predicted probability of the true class. This factor reduces the weight of easy examples.
 *
 * From probabilities, the results equal those of Keras, including the clipping. From logits, Keras computes probabilities
 * and clips them, whereas these losses are not clipped. The results agree for logits up to about 16; for larger logits,
 * a model that is certain and wrong still gets its full loss and gradient here.
 */
import {
  add,
  exp,
  log,
  logSoftmax,
  maximum,
  mean,
  mul,
  neg,
  pow,
  sigmoid,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  valueError,
} from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { alignSameShape } from './align.js';
import {
  binaryLosses,
  checkLabelSmoothing,
  checkProbabilities,
  normaliseProbabilities,
  ONE_HOT_HINT,
  SMOOTHED_OPTIONS,
  type SmoothedCrossentropyOptions,
  smoothLabels,
} from './crossentropy.js';
import { type Loss, makeLoss } from './loss.js';

export interface BinaryFocalOptions extends SmoothedCrossentropyOptions {
  /** Focusing parameter: larger values reduce the weight of easy examples. 0 is plain cross-entropy. Default 2. */
  gamma?: number;
  /** Weight of class 1 if `applyClassBalancing` is true; the weight of class 0 is 1 - alpha. Default 0.25. */
  alpha?: number;
  /** Multiply the losses by the class weights `alpha` and 1 - `alpha`. Default false. */
  applyClassBalancing?: boolean;
}

/** Returns error^gamma, with a finite gradient at 0. @param error 1 - the probability of the true class */
function focus(error: Tensor, gamma: number): Tensor | number {
  if (gamma === 0) return 1;
  if (gamma === 1) return error;
  return gamma === 2 ? square(error) : pow(gamma < 1 ? maximum(error, 1e-7) : error, gamma);
}

function checkGamma(loss: string, gamma: number): void {
  if (gamma >= 0 && gamma < Number.POSITIVE_INFINITY) return;
  throw valueError(`${loss}: gamma must be a finite, non-negative number, got ${gamma}.`, { gamma });
}

/**
 * Binary focal cross-entropy: the mean over K of -(1 - q)^gamma log q, where q = p if y = 1 and q = 1 - p if y = 0.
 * @remarks prediction and target [B, K] or [B, T, K], targets in [0, 1]. As `BinaryFocalCrossentropy` of
 * Keras 3.
 */
export function binaryFocalCrossentropy(options: BinaryFocalOptions = {}): Loss {
  const name = 'binaryFocalCrossentropy';
  checkOptions(name, options, {
    gamma: 'number',
    alpha: 'number',
    applyClassBalancing: 'boolean',
    ...SMOOTHED_OPTIONS,
  });
  const { fromLogits = false, labelSmoothing = 0 } = options;
  const { gamma = 2, alpha = 0.25, applyClassBalancing = false } = options;
  checkLabelSmoothing(name, labelSmoothing);
  checkGamma(name, gamma);
  return makeLoss(
    {
      name,
      config: { fromLogits, labelSmoothing, gamma, alpha, applyClassBalancing },
      align: (prediction, target) => alignSameShape(name, prediction, target),
      check: (pair, positionOf) =>
        checkProbabilities(name, pair, positionOf, 'Write the two classes as 0 and 1.'),
      rows(prediction, target) {
        const y = smoothLabels(target, labelSmoothing, 2);
        const p = fromLogits ? sigmoid(prediction) : prediction;
        const error = add(mul(y, sub(1, p)), mul(sub(1, y), p));
        const losses = mul(focus(error, gamma), binaryLosses(prediction, y, fromLogits));
        const classWeight = (): Tensor => add(mul(y, alpha), mul(sub(1, y), 1 - alpha));
        return mean(applyClassBalancing ? mul(classWeight(), losses) : losses, -1);
      },
    },
    options,
  );
}

export interface CategoricalFocalOptions extends SmoothedCrossentropyOptions {
  /** Focusing parameter: larger values reduce the weight of easy examples. Default 2. */
  gamma?: number;
  /** One factor for the losses of all classes, or a list with a factor for each class. Default 0.25. */
  alpha?: number | readonly number[];
}

/**
 * Categorical focal cross-entropy: -Σ alpha (1 - p)^gamma y log p over the K classes, for one-hot targets.
 * @remarks prediction and target [B, K] or [B, T, K]. As `CategoricalFocalCrossentropy` of Keras 3.
 */
export function categoricalFocalCrossentropy(options: CategoricalFocalOptions = {}): Loss {
  const name = 'categoricalFocalCrossentropy';
  checkOptions(name, options, { gamma: 'number', alpha: true, ...SMOOTHED_OPTIONS });
  const { fromLogits = false, labelSmoothing = 0, gamma = 2, alpha = 0.25 } = options;
  checkLabelSmoothing(name, labelSmoothing);
  checkGamma(name, gamma);
  return makeLoss(
    {
      name,
      config: { fromLogits, labelSmoothing, gamma, alpha },
      align: (prediction, target) => alignSameShape(name, prediction, target),
      check: (pair, positionOf) => checkProbabilities(name, pair, positionOf, ONE_HOT_HINT),
      rows(prediction, target) {
        const classes = prediction.shape[1];
        if (typeof alpha !== 'number' && alpha.length !== classes) {
          throw valueError(
            `${name}: alpha must have one number for each of the ${classes} classes, got ${alpha.length}.`,
            {
              alpha,
              classes,
            },
          );
        }
        const clipped = fromLogits ? null : normaliseProbabilities(prediction);
        const logP = clipped ? log(clipped) : logSoftmax(prediction);
        const p = clipped ?? exp(logP);
        const factor = mul(focus(sub(1, p), gamma), typeof alpha === 'number' ? alpha : tensor([...alpha]));
        return neg(sum(mul(factor, mul(smoothLabels(target, labelSmoothing, classes), logP)), -1));
      },
    },
    options,
  );
}
