/**
 * Losses of whole sequences: connectionist temporal classification, conditional random fields, and any other loss
 * that computes one number per sequence instead of one per step.
 *
 *     const ctc = sequenceLoss({
 *       name: 'ctc',
 *       config: {},
 *       padding: -1,
 *       losses: ({ prediction, target, lengths, targetLengths }) => ...,    [B]
 *     });
 *
 * Inputs of a definition, for a batch of B sequences. The prediction is [B, T, K], the target [B, L] or [B, L, ...];
 * T and L may differ. `mask` is the mask of the prediction, [B, T] (1: valid), or null if all steps are valid.
 * `lengths` is the number of valid prediction steps of each sequence; with right padding these are the first steps,
 * otherwise the mask marks them. `targetLengths` is the number of valid target steps, which are always the first
 * ones: those before the padding value of the definition, or those that its `targetMask` marks, or all L. Sequences
 * without a valid prediction step are removed before the definition is called, so their values, including NaN, have
 * no effect. A target may have length 0.
 *
 * Result: one loss per sequence, [B], computed with tensor ops, which provide the gradient. The rest is shared with
 * other losses (see loss.ts): weights, one per sequence, and the four reductions. The divisor counts sequences, not
 * steps: a definition that needs the mean over steps divides by `lengths` itself.
 *
 * Parameters. A definition with `build` owns parameters that are trained with those of the model. Training calls
 * `build` once, with the shape [-1, T, K] of the output (-1: any size), when it builds the model, and `losses`
 * receives the result. From then on they are treated like the model's parameters: gradients, clipping, optimizer,
 * moving averages, regularisers, constraints, checkpoints, checks for non-finite values, and the saved model, which
 * stores them as `loss/<output>/<name>`. A loss that is used for two outputs shares its parameters.
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

/** The inputs of a definition: B sequences, each with at least one valid prediction step. */
export interface SequenceBatch {
  /** [B, T, K] */
  prediction: Tensor;
  /** [B, L] or [B, L, ...] */
  target: Tensor;
  /** [B, T], 1 for valid steps of the prediction; null: all steps are valid. */
  mask: Tensor | null;
  /** [B]: number of valid prediction steps. */
  lengths: Uint32Array;
  /** [B]: number of valid target steps, which are the first ones. */
  targetLengths: Uint32Array;
  /** `example 3 of the batch`: describes sequence b in errors. */
  example(b: number): string;
}

/** The parameters of a definition, by its own names. */
export type LossParameters = Readonly<Record<string, Parameter>>;

/** The part of a sequence loss that differs between losses; see the top of this file. */
export interface SequenceLossDefinition<P extends LossParameters = LossParameters> {
  name: string;
  /** The options, as JSON. */
  config?: Readonly<Record<string, unknown>>;
  /** The value of target steps that are padding; a step [...] is padding if all its values equal it. */
  padding?: number;
  /** Alternative to `padding`: marks the valid target steps, [B, L] of 1 and 0. @param mask that of the prediction */
  targetMask?(target: Tensor, mask: Tensor | null): Tensor | null;
  /** Creates the parameters. @param prediction [-1, T, K], -1 for any size */
  build?(prediction: Shape, make: LossParameterMaker): P;
  /** The loss of each sequence, [B]. Throws for an invalid target; the message names the `example`. */
  losses(batch: SequenceBatch, parameters: P): Tensor;
}

/** A loss with one number per sequence. @throws UnrollError `value` for an unknown reduction */
export function sequenceLoss<P extends LossParameters = LossParameters>(
  definition: SequenceLossDefinition<P>,
  options: LossOptions = {},
): Loss {
  const { name } = definition;
  checkOptions(name, options, LOSS_OPTIONS);
  const { reduction = 'sumOverBatchSize' } = options;
  checkReduction(name, reduction);
  let made: P | null = null;
  let width = -1;
  const parametersOf = (): P => {
    if (made) return made;
    if (!definition.build) return {} as P;
    throw new UnrollError(
      'state',
      `${name} has parameters that are not built. Train the model, or call build() of the loss.`,
    );
  };
  const weigh = (batch: SequenceBatch, weights: Tensor | null) =>
    weighRows(name, reduction, [batch.lengths.length], null, weights, (b) => batch.lengths[b] === 0);
  const lossesOf = (batch: SequenceBatch, selection: Uint32Array | null): Tensor => {
    const part = selection ? selected(batch, selection) : batch;
    const losses = definition.losses(part, parametersOf());
    if (formatShape(losses.shape) === `[${part.lengths.length}]`) return losses;
    throw shapeError(
      `${name}: losses() must return one number per sequence, [${part.lengths.length}], got ${formatShape(losses.shape)}.`,
      { name, got: losses.shape },
    );
  };
  return {
    name,
    config: { ...definition.config, reduction },
    perSequence: true,
    get parameters() {
      return Object.values(made ?? {});
    },
    build(prediction, make) {
      const last = prediction[prediction.length - 1];
      if (made && last !== width) {
        throw shapeError(
          `${name} has parameters for predictions of width ${width}, got ${formatShape(prediction)}.`,
          {
            ...{ name, width, got: prediction },
          },
        );
      }
      if (made || !definition.build) return;
      if (prediction.length !== 3) throw wrongPrediction(name, prediction);
      made = definition.build(prediction, make);
      width = last;
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

const wrongPrediction = (name: string, shape: Shape): UnrollError =>
  shapeError(
    `${name}: predictions must be sequences [batch, time, features], got ${formatShape(shape)}. ` +
      'Set returnSequences: true on the recurrent layer before it.',
    { name, got: shape },
  );

/** Checks the shapes of a batch and computes its lengths. */
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
      `${name}: the target must be [${B}, steps, ...] for predictions ${formatShape(prediction.shape)}, got ` +
        `${formatShape(target.shape)}.`,
      { prediction: prediction.shape, target: target.shape },
    );
  }
  if (mask && formatShape(mask.shape) !== `[${B}, ${T}]`) {
    throw shapeError(`${name}: the mask must be [${B}, ${T}], got ${formatShape(mask.shape)}.`, {
      mask: mask.shape,
    });
  }
  return {
    prediction,
    target,
    mask,
    lengths: mask ? counted(mask) : new Uint32Array(B).fill(T),
    targetLengths: targetLengths(definition, target, mask),
    example,
  };
}

const example = (b: number): string => `example ${b} of the batch`;

/** The number of valid steps in each row of a mask [B, T]. */
function counted(mask: Tensor): Uint32Array {
  const [B, T] = mask.shape;
  const values = hostValues(mask, 'A mask');
  const counts = new Uint32Array(B);
  for (let i = 0; i < B * T; i++) if (values[i] !== 0) counts[Math.floor(i / T)]++;
  return counts;
}

/** The number of valid target steps of each sequence. @throws UnrollError `value` if they are not the first ones */
function targetLengths<P extends LossParameters>(
  definition: SequenceLossDefinition<P>,
  target: Tensor,
  mask: Tensor | null,
): Uint32Array {
  const { name, padding } = definition;
  const [B, L] = target.shape;
  const counts = definition.targetMask
    ? maskCounts(name, definition.targetMask(target, mask), target)
    : padding === undefined
      ? null
      : paddingCounts(target, padding);
  return Uint32Array.from({ length: B }, (_, b) => {
    if (!counts) return L;
    let length = 0;
    while (length < L && counts(b * L + length)) length++;
    for (let step = length; step < L; step++) {
      if (!counts(b * L + step)) continue;
      throw valueError(
        `${name}: the target of ${example(b)} has padding at step ${length} but values again at step ${step}. Pad at the end.`,
        { example: b, padding: length, step },
      );
    }
    return length;
  });
}

type Counts = (step: number) => boolean;

function paddingCounts(target: Tensor, padding: number): Counts {
  const values = hostValues(target, 'The target');
  const [B, L] = target.shape;
  const size = values.length / (B * L);
  const filler = values instanceof Float32Array ? Math.fround(padding) : padding;
  return (step) => values.subarray(step * size, (step + 1) * size).some((value) => value !== filler);
}

function maskCounts(name: string, mask: Tensor | null, { shape: [B, L] }: Tensor): Counts | null {
  if (!mask) return null;
  if (formatShape(mask.shape) !== `[${B}, ${L}]`) {
    throw shapeError(`${name}: the target mask must be [${B}, ${L}], got ${formatShape(mask.shape)}.`, {
      mask: mask.shape,
    });
  }
  const values = hostValues(mask, `${name}: the target mask`);
  return (step) => values[step] !== 0;
}

/** The sequences with these indices. */
function selected(
  { prediction, target, mask, lengths, targetLengths: targets }: SequenceBatch,
  selection: Uint32Array,
): SequenceBatch {
  const pick = (x: Tensor): Tensor => {
    const [B, ...rest] = x.shape;
    const table = reshape(x, [B, sizeOf(rest)]);
    // Targets and masks in host memory stay there, for definitions that read them.
    const onHost = table.hostArray && !recording.current?.tracks(table);
    const rows = onHost ? takeRows(table, selection) : gather(table, Float64Array.from(selection));
    return reshape(rows, [selection.length, ...rest]);
  };
  return {
    prediction: pick(prediction),
    target: pick(target),
    mask: mask && pick(mask),
    lengths: Uint32Array.from(selection, (b) => lengths[b]),
    targetLengths: Uint32Array.from(selection, (b) => targets[b]),
    example: (b) => example(selection[b]),
  };
}
