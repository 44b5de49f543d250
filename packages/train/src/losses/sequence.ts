/**
 * Losses of whole sequences, such as connectionist temporal classification and conditional random fields: they compute one
 * number per sequence instead of one per step.
 *
 *     const ctc = sequenceLoss({
 *       name: 'ctc',
 *       config: {},
 *       padding: -1,
 *       losses: ({ prediction, target, lengths, targetLengths }) => ...,    // [B]
 *     });
 *
 * `losses` receives a batch of B sequences. The prediction is [B, T, K], the target [B, L] or [B, L, ...]; T and L may
 * differ. `mask` is the mask of the prediction, [B, T] (1: valid), or null if all steps are valid. `lengths` contains the
 * number of valid prediction steps of each sequence. `targetLengths` contains the number of valid target steps, which are
 * always the first steps: the steps before the first padding value, the steps marked by `targetMask`, or all L steps.
 * Sequences without a valid prediction step are removed before the call, so their values, including NaN, have no effect. A
 * target may have length 0.
 *
 * `losses` returns one loss per sequence, [B], computed with tensor ops, which provide the gradient. Weights (one per
 * sequence) and reductions are then applied as for other losses (see loss.ts). The divisor is the number of sequences; for
 * a mean over steps, divide by `lengths` in `losses`.
 *
 * A definition with `build` has parameters that are trained with those of the model. Training calls `build` once, when it
 * builds the model, with the shape [-1, T, K] of the output (-1: any size), and passes the result to `losses`. The
 * parameters are treated like those of the model: gradients, clipping, optimizer, moving averages, regularisers,
 * constraints, checkpoints, and checks for non-finite values. A saved model stores the parameters as `loss/<output>/<name>`.
 * Two outputs with the same loss object share its parameters.
 */
import {
  formatShape,
  gather,
  type Parameter,
  reshape,
  type Shape,
  shapeError,
  type Tensor,
  UnrollError,
  valueError,
} from '@unroll/core';
import { checkOptions, hostValues, recording, sizeOf, takeRows } from '@unroll/core/internal';
import {
  checkReduction,
  LOSS_OPTIONS,
  type Loss,
  type LossOptions,
  reduceLosses,
  weighRows,
} from './loss.js';
import type { LossParameterMaker } from './parameters.js';

/** The batch that `losses` receives: B sequences, each with at least one valid prediction step. */
export interface SequenceBatch {
  /** [B, T, K] */
  prediction: Tensor;
  /** [B, L] or [B, L, ...] */
  target: Tensor;
  /** [B, T], 1 for valid steps of the prediction; null: all steps are valid. */
  mask: Tensor | null;
  /** [B]: number of valid prediction steps. */
  lengths: Uint32Array;
  /** [B]: number of valid target steps. Valid steps come before padding. */
  targetLengths: Uint32Array;
  /** Describes sequence b for error messages: `the example at index 3 of the batch`. */
  example(b: number): string;
}

/** The parameters of a definition, by name. */
export type LossParameters = Readonly<Record<string, Parameter>>;

/** The code and options that differ between sequence losses; see the top of this file. */
export interface SequenceLossDefinition<P extends LossParameters = LossParameters> {
  name: string;
  /** The options of the loss, as JSON. Default: none. */
  config?: Readonly<Record<string, unknown>>;
  /** The padding value: a target step is padding if all its values are equal to it. Default: no padding. */
  padding?: number;
  /**
   * Alternative to `padding`: returns 1 for valid target steps and 0 for padding, [B, L]; null: all are valid.
   * @param mask the mask of the prediction
   */
  targetMask?(target: Tensor, mask: Tensor | null): Tensor | null;
  /** Throws for an invalid batch. Called before sequences without a valid step are removed. */
  check?(batch: SequenceBatch): void;
  /** Creates the parameters. @param prediction [-1, T, K], -1 for any size */
  build?(prediction: Shape, make: LossParameterMaker): P;
  /** Returns the loss of each sequence, [B]. For an invalid target, throws an error that names the `example`. */
  losses(batch: SequenceBatch, parameters: P): Tensor;
}

/** Creates a loss with one number per sequence. @throws UnrollError `value` for an unknown option or reduction */
export function sequenceLoss<P extends LossParameters = LossParameters>(
  definition: SequenceLossDefinition<P>,
  options: LossOptions = {},
): Loss {
  const { name } = definition;
  checkOptions(name, options, LOSS_OPTIONS);
  const { reduction = 'sumOverBatchSize' } = options;
  checkReduction(name, reduction);
  let builtParameters: P | null = null;
  /** Last axis of the predictions for which the parameters were built. */
  let width = -1;
  const parametersOf = (): P => {
    if (builtParameters) return builtParameters;
    if (!definition.build) return {} as P;
    throw new UnrollError(
      'state',
      `The parameters of ${name} are not built. Train the model, or call build() of the loss.`,
    );
  };
  const weigh = (batch: SequenceBatch, weights: Tensor | null) =>
    weighRows(name, reduction, [batch.lengths.length], null, weights, (b) => batch.lengths[b] === 0);
  const lossesOf = (batch: SequenceBatch, selection: Uint32Array | null): Tensor => {
    const sequences = selection ? selectSequences(batch, selection) : batch;
    const losses = definition.losses(sequences, parametersOf());
    if (formatShape(losses.shape) === `[${sequences.lengths.length}]`) return losses;
    throw shapeError(
      `${name}: losses() must return one number per sequence, shape [${sequences.lengths.length}], got the shape ${formatShape(losses.shape)}.`,
      { name, got: losses.shape },
    );
  };
  return {
    name,
    config: { ...definition.config, reduction },
    perSequence: true,
    get parameters() {
      return Object.values(builtParameters ?? {});
    },
    build(prediction, make) {
      const newWidth = prediction[prediction.length - 1];
      if (builtParameters && newWidth !== width) {
        throw shapeError(
          `${name}: the parameters were built for predictions with a last axis of ${width}, got the shape ${formatShape(prediction)}.`,
          {
            ...{ name, width, got: prediction },
          },
        );
      }
      if (builtParameters || !definition.build) return;
      if (prediction.length !== 3) throw wrongPrediction(name, prediction);
      builtParameters = definition.build(prediction, make);
      width = newWidth;
    },
    rows: (prediction, target) => {
      const batch = batchOf(definition, prediction, target, null);
      return lossesOf(batch, null);
    },
    divisor: (prediction, target, mask, weights = null) =>
      weigh(batchOf(definition, prediction, target, mask), weights).divisor,
    compute(prediction, target, mask, weights = null) {
      const batch = batchOf(definition, prediction, target, mask);
      return reduceLosses(reduction, weigh(batch, weights), (selection) => lossesOf(batch, selection));
    },
  };
}

/** Returns the error for predictions that are not sequences. */
const wrongPrediction = (name: string, shape: Shape): UnrollError =>
  shapeError(
    `${name}: predictions must be sequences [batch, time, features], got ${formatShape(shape)}. ` +
      'Set returnSequences: true in the last recurrent layer.',
    { name, got: shape },
  );

/** Checks the shapes of a batch and computes the lengths of its sequences. */
function batchOf<P extends LossParameters>(
  definition: SequenceLossDefinition<P>,
  prediction: Tensor,
  target: Tensor,
  mask: Tensor | null,
): SequenceBatch {
  const { name } = definition;
  if (prediction.rank !== 3) throw wrongPrediction(name, prediction.shape);
  const [B, T] = prediction.shape;
  if (target.rank < 2 || target.shape[0] !== B) {
    throw shapeError(
      `${name}: the target must have the shape [${B}, steps, ...] for predictions of shape ${formatShape(prediction.shape)}, got ` +
        `${formatShape(target.shape)}.`,
      { prediction: prediction.shape, target: target.shape },
    );
  }
  if (mask && formatShape(mask.shape) !== `[${B}, ${T}]`) {
    throw shapeError(`${name}: the mask must have the shape [${B}, ${T}], got ${formatShape(mask.shape)}.`, {
      mask: mask.shape,
    });
  }
  const batch: SequenceBatch = {
    prediction,
    target,
    mask,
    lengths: mask ? validSteps(mask) : new Uint32Array(B).fill(T),
    targetLengths: targetLengths(definition, target, mask),
    example,
  };
  definition.check?.(batch);
  return batch;
}

const example = (b: number): string => `the example at index ${b} of the batch`;

/** Returns the number of valid steps of each sequence, for a mask [B, T]. */
function validSteps(mask: Tensor): Uint32Array {
  const [B, T] = mask.shape;
  const values = hostValues(mask, 'A mask');
  const counts = new Uint32Array(B);
  for (let i = 0; i < B * T; i++) if (values[i] !== 0) counts[Math.floor(i / T)]++;
  return counts;
}

/**
 * Returns the number of valid target steps of each sequence.
 * @throws UnrollError `value` if a valid step follows padding
 */
function targetLengths<P extends LossParameters>(
  definition: SequenceLossDefinition<P>,
  target: Tensor,
  mask: Tensor | null,
): Uint32Array {
  const { name, padding } = definition;
  const [B, L] = target.shape;
  const isValid = definition.targetMask
    ? targetMaskTest(name, definition.targetMask(target, mask), target)
    : padding === undefined
      ? null
      : paddingTest(target, padding);
  return Uint32Array.from({ length: B }, (_, b) => {
    if (!isValid) return L;
    let length = 0;
    while (length < L && isValid(b * L + length)) length++;
    for (let step = length; step < L; step++) {
      if (!isValid(b * L + step)) continue;
      throw valueError(
        `${name}: the target of ${example(b)} has padding at step ${length}, before the value at step ${step}. Padding must be at the end.`,
        { example: b, padding: length, step },
      );
    }
    return length;
  });
}

/** Returns true if a target step is valid. The argument is its index in all steps of the batch, b L + l. */
type StepTest = (step: number) => boolean;

/** Returns the test for targets with a padding value. */
function paddingTest(target: Tensor, padding: number): StepTest {
  const values = hostValues(target, 'The target');
  const [B, L] = target.shape;
  const size = values.length / (B * L);
  const padValue = values instanceof Float32Array ? Math.fround(padding) : padding;
  return (step) => values.subarray(step * size, (step + 1) * size).some((value) => value !== padValue);
}

/** Returns the test for targets with a mask; null if there is no mask. */
function targetMaskTest(name: string, mask: Tensor | null, { shape: [B, L] }: Tensor): StepTest | null {
  if (!mask) return null;
  if (formatShape(mask.shape) !== `[${B}, ${L}]`) {
    throw shapeError(
      `${name}: the target mask must have the shape [${B}, ${L}], got ${formatShape(mask.shape)}.`,
      {
        mask: mask.shape,
      },
    );
  }
  const values = hostValues(mask, `${name}: the target mask`);
  return (step) => values[step] !== 0;
}

/** Returns the batch of the sequences with these indices. */
function selectSequences(
  { prediction, target, mask, lengths, targetLengths: targets }: SequenceBatch,
  selection: Uint32Array,
): SequenceBatch {
  const selectFrom = (x: Tensor): Tensor => {
    const [B, ...sequenceShape] = x.shape;
    const table = reshape(x, [B, sizeOf(sequenceShape)]);
    // Keep targets and masks in host memory if they are there, because definitions may read them.
    const onHost = table.hostArray && !recording.current?.tracks(table);
    const rows = onHost ? takeRows(table, selection) : gather(table, Float64Array.from(selection));
    return reshape(rows, [selection.length, ...sequenceShape]);
  };
  return {
    prediction: selectFrom(prediction),
    target: selectFrom(target),
    mask: mask && selectFrom(mask),
    lengths: Uint32Array.from(selection, (b) => lengths[b]),
    targetLengths: Uint32Array.from(selection, (b) => targets[b]),
    example: (b) => example(selection[b]),
  };
}
