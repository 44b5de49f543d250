/**
 * The definition of a loss, and the code that all losses share: masks, weights and reductions.
 *
 * A row is a slice along the last axis of a prediction: [B, K] has B rows, [B, T, K] has B T rows. A loss computes one
 * number l per row. With the mask m (1: valid) and the weights w, the loss of a batch is
 *
 *   Σ l w m / Σ m        sumOverBatchSize, the default (without a mask: divided by the number of rows)
 *   Σ l w m / Σ w m      meanWithSampleWeight
 *   Σ l w m              sum
 *   l w m                none
 *
 * as in Keras 3. With the default reduction, weights are not part of the divisor: doubling them doubles the loss, and the
 * divisor counts rows of weight 0, but not masked rows. If the divisor is 0, the loss and its gradient are 0. Unlike in
 * Keras, masked rows are excluded instead of multiplied by 0, so their values, including NaN, have no effect.
 */
import {
  concat,
  formatShape,
  gather,
  mul,
  type Parameter,
  type RandomStream,
  reshape,
  type Shape,
  sum,
  type Tensor,
  tensor,
  valueError,
  zeros,
} from '@unroll/core';
import {
  checkOptions,
  formatValue,
  hostValues,
  nameHint,
  type OptionTypes,
  recording,
  sizeOf,
  takeRows,
} from '@unroll/core/internal';
import type { LossParameterMaker } from './parameters.js';
import { rowFactors, selectRows } from './row-factors.js';

const REDUCTIONS = ['sumOverBatchSize', 'meanWithSampleWeight', 'sum', 'none'] as const;
export type Reduction = (typeof REDUCTIONS)[number];

/** Options of every loss. */
export interface LossOptions {
  /** How the losses of the rows are combined. Default `sumOverBatchSize`, the mean over the valid rows. */
  reduction?: Reduction;
}

/** Types of these options, for checks. */
export const LOSS_OPTIONS: OptionTypes<LossOptions> = { reduction: true };

/** Whether a loss is computed in training or in evaluation, and the random stream of the step. */
export interface LossContext {
  /** True in training steps, false in evaluation. */
  readonly training: boolean;
  /** The random stream of the step. Draw from its child streams only. */
  readonly random: RandomStream;
}

export interface Loss {
  readonly name: string;
  /** All options, including defaults, as JSON: `{ name, ...config }` resolves to an equal loss. */
  readonly config: Readonly<Record<string, unknown>>;
  /**
   * Returns the loss of each row, before mask, weights and reduction: [B] for predictions [B, K], [B, T] for [B, T, K].
   * Rows that the loss ignores because of their target have loss 0.
   * @throws UnrollError `shape` or `value` if the target does not fit the prediction
   */
  rows(prediction: Tensor, target: Tensor): Tensor;
  /**
   * Returns the loss of a batch: a scalar, or with the reduction `none` one number per row.
   * @param mask [B] or [B, T], 1 for valid rows; null: all are valid
   * @param weights factors on the losses, [B] (one per sequence) or [B, T]; null: 1
   * @param context default: evaluation
   * @throws UnrollError `shape` or `value` if target, mask or weights do not fit the prediction
   */
  compute(
    prediction: Tensor,
    target: Tensor,
    mask: Tensor | null,
    weights?: Tensor | null,
    context?: LossContext,
  ): Tensor;
  /**
   * Returns the divisor in `compute` (1 for `sum`). The average of the losses of several batches, weighted by their
   * divisors, is the loss of one batch with all their examples.
   */
  divisor(prediction: Tensor, target: Tensor, mask: Tensor | null, weights?: Tensor | null): number;
  /** True if the loss has one number per sequence (see sequence.ts). Default: one number per row. */
  readonly perSequence?: boolean;
  /** Parameters that are trained with the model and saved with its weights. Empty before `build`. Absent: none. */
  readonly parameters?: readonly Parameter[];
  /**
   * Creates the parameters, unless they exist.
   * @param prediction shape of the predictions, [batch, ...]; -1: any size
   * @throws UnrollError `shape` if the parameters exist for predictions of another width
   */
  build?(prediction: Shape, make: LossParameterMaker): void;
}

/** Prediction [..., K] and target [..., width] with the same leading axes. */
export interface Pair {
  prediction: Tensor;
  target: Tensor;
}

/** The code and options that differ between losses. */
export interface LossDefinition {
  name: string;
  config: Record<string, unknown>;
  /** Adds missing axes of size 1, so that each row of the prediction has a row of the target. Throws for other shapes. */
  align(prediction: Tensor, target: Tensor): Pair;
  /** Throws if the target of a row is invalid. `positionOf` returns the indices of element i, for the message. */
  check?(pair: Pair, positionOf: (i: number) => string): void;
  /** Returns true if rows with this target are ignored. */
  ignores?(target: number): boolean;
  /** Returns the losses of N rows, [N], for a prediction [N, K] and a target [N, width]. @param context null: evaluation */
  rows(prediction: Tensor, target: Tensor, context: LossContext | null): Tensor;
  /** Returns `scale` times the sum of the losses of all rows. Present if this is faster than adding up `rows`. */
  total?(prediction: Tensor, target: Tensor, scale: number): Tensor;
}

/** The valid rows of a batch, their weights, and the divisor of the reduction. */
interface RowWeighting {
  /** Shape of a tensor with one number per row: the leading axes of the prediction, [B] or [B, T]. */
  lead: Shape;
  /** Weight of each row; null: 1. */
  weights: Float64Array | null;
  /** Indices of the valid rows; null: all. */
  selection: Uint32Array | null;
  /** Weights of the valid rows; null: 1. */
  validWeights: Float64Array | null;
  /** Number of valid rows. */
  count: number;
  divisor: number;
}

/**
 * Computes the valid rows, their weights and the divisor.
 * @param lead shape of a tensor with one number per row: [B] or [B, T]
 * @param ignored returns true for rows to ignore in addition to masked rows; null: none
 */
export function weighRows(
  name: string,
  reduction: Reduction,
  lead: Shape,
  mask: Tensor | null,
  weights: Tensor | null,
  ignored: ((row: number) => boolean) | null,
): RowWeighting {
  const { valid, factors } = rowFactors(name, lead, mask, weights, ignored);
  const selection = valid && validRows(valid);
  const count = selection ? selection.length : sizeOf(lead);
  const validWeights = factors && (selection ? selectRows(factors, selection) : factors);
  const meanDivisor = reduction === 'meanWithSampleWeight' && validWeights ? total(validWeights) : count;
  const divisor = reduction === 'sum' ? 1 : meanDivisor;
  return { lead, weights: factors, selection, validWeights, count, divisor };
}

/** Returns the loss of a batch. @param rows returns the losses of the selected rows (null: all), in order */
export function reduceLosses(
  reduction: Reduction,
  { lead, weights, selection, validWeights, count, divisor }: RowWeighting,
  rows: (selection: Uint32Array | null) => Tensor,
): Tensor {
  if (reduction === 'none') {
    const all = allRows(lead, selection, rows);
    return weights ? mul(all, tensor(weights, lead)) : all;
  }
  if (count === 0 || divisor === 0) return zeros([]);
  const losses = rows(selection);
  return mul(sum(validWeights ? mul(losses, tensor(validWeights)) : losses), 1 / divisor);
}

/** @throws UnrollError `value` for an unknown reduction */
export function checkReduction(name: string, reduction: Reduction): void {
  if (REDUCTIONS.includes(reduction)) return;
  throw valueError(
    `${name}: there is no reduction ${formatValue(reduction)}. ${nameHint(reduction, REDUCTIONS)}`,
    {
      reduction,
    },
  );
}

/** Creates a loss whose only option is the reduction. */
export function plainLoss(definition: Omit<LossDefinition, 'config'>, options: LossOptions): Loss {
  checkOptions(definition.name, options, LOSS_OPTIONS);
  return makeLoss({ ...definition, config: {} }, options);
}

/** Creates a loss from its definition. */
export function makeLoss(definition: LossDefinition, { reduction = 'sumOverBatchSize' }: LossOptions): Loss {
  const { name } = definition;
  checkReduction(name, reduction);
  const weigh = ({ prediction, target }: Pair, mask: Tensor | null, weights: Tensor | null): RowWeighting => {
    const lead = prediction.shape.slice(0, -1);
    return weighRows(name, reduction, lead, mask, weights, ignoredRows(definition, target));
  };
  return {
    name,
    config: { ...definition.config, reduction },
    rows(prediction, target) {
      const pair = definition.align(prediction, target);
      const { lead, selection } = weigh(pair, null, null);
      return allRows(lead, selection, (rows) => lossesOfRows(definition, pair, rows, null));
    },
    divisor: (prediction, target, mask, weights = null) =>
      weigh(definition.align(prediction, target), mask, weights).divisor,
    compute(prediction, target, mask, weights = null, context) {
      const pair = definition.align(prediction, target);
      const weighting = weigh(pair, mask, weights);
      const { selection, validWeights, count, divisor } = weighting;
      if (
        definition.total &&
        reduction !== 'none' &&
        !validWeights &&
        !selection &&
        count > 0 &&
        divisor !== 0
      )
        return definition.total(pair.prediction, pair.target, 1 / divisor);
      return reduceLosses(reduction, weighting, (rows) =>
        lossesOfRows(definition, pair, rows, context ?? null),
      );
    },
  };
}

/** Checks the targets of the selected rows (null: all) and returns their losses, [N]. */
function lossesOfRows(
  definition: LossDefinition,
  { prediction, target }: Pair,
  selection: Uint32Array | null,
  context: LossContext | null,
): Tensor {
  const lead = prediction.shape.slice(0, -1);
  const selectFrom = (x: Tensor): Tensor => {
    const table = reshape(x, [sizeOf(lead), x.shape[x.rank - 1]]);
    if (selection === null) return table;
    // Keep targets in host memory if they are there, because checks and class lookups read them.
    const onHost = table.hostArray && !recording.current?.tracks(table);
    return onHost ? takeRows(table, selection) : gather(table, Float64Array.from(selection));
  };
  const pair = { prediction: selectFrom(prediction), target: selectFrom(target) };
  const width = target.shape[target.rank - 1];
  definition.check?.(pair, (i) => {
    const row = Math.floor(i / width);
    return position(
      (selection ? selection[row] : row) * width + (i % width),
      width === 1 ? lead : target.shape,
    );
  });
  return definition.rows(pair.prediction, pair.target, context);
}

/** Returns a function that is true for rows ignored because of their target; null if the loss ignores no targets. */
function ignoredRows({ ignores }: LossDefinition, target: Tensor): ((row: number) => boolean) | null {
  if (!ignores) return null;
  const values = hostValues(target, 'The target');
  return (row) => ignores(values[row]);
}

/** Returns the losses of all rows, [B] or [B, T], with 0 for rows that are not selected. */
function allRows(
  lead: Shape,
  selection: Uint32Array | null,
  rows: (selection: Uint32Array | null) => Tensor,
): Tensor {
  if (selection === null) return reshape(rows(null), lead);
  if (selection.length === 0) return zeros(lead);
  const losses = reshape(rows(selection), [selection.length, 1]);
  // Rows that are not selected refer to a zero after the losses.
  const indices = new Float64Array(sizeOf(lead)).fill(selection.length);
  selection.forEach((row, i) => {
    indices[row] = i;
  });
  return reshape(gather(concat([losses, zeros([1, 1])], 0), indices), lead);
}

/** Returns the indices of the valid rows; null if all are valid. */
function validRows(valid: Uint8Array): Uint32Array | null {
  const indices = Uint32Array.from(valid.keys()).filter((row) => valid[row] === 1);
  return indices.length === valid.length ? null : indices;
}

function total(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Returns the indices of element i of a tensor of this shape as text, such as `[2, 3]`. */
function position(i: number, shape: Shape): string {
  const indices: number[] = [];
  let remainder = i;
  for (const extent of shape.toReversed()) {
    indices.unshift(remainder % extent);
    remainder = Math.floor(remainder / extent);
  }
  return formatShape(indices);
}
