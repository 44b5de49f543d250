/**
 * The definition of a loss, and the common part of all losses.
 *
 * A row is a slice along a prediction's last axis: [B, K] has B rows, [B, T, K] has B T. A loss computes one number l
 * per row (`rows`); the rest is the same for all losses. With the mask m (1: valid) and the weights w, the loss of a
 * batch is
 *
 *   Σ l w m / Σ m        sumOverBatchSize, the default (without a mask: divided by the number of rows)
 *   Σ l w m / Σ w m      meanWithSampleWeight
 *   Σ l w m              sum
 *   l w m                none
 *
 * as in Keras 3: by default weights are not part of the divisor, so doubling them doubles the loss; a row of weight 0
 * is still counted, a masked row is not. If the divisor is 0, the loss and its gradient are 0. Unlike in Keras,
 * masked rows are excluded instead of multiplied by 0, so their values, including NaN, have no effect.
 */
import {
  concat,
  formatShape,
  gather,
  mul,
  type Parameter,
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
  /** How the losses of the rows are reduced to one number. Default `sumOverBatchSize`, the mean over the valid rows. */
  reduction?: Reduction;
}

/** The options of all losses. */
export const LOSS_OPTIONS: OptionTypes<LossOptions> = { reduction: true };

export interface Loss {
  readonly name: string;
  /** The options with their defaults, as JSON: `{ name, ...config }` makes an equal loss. */
  readonly config: Readonly<Record<string, unknown>>;
  /**
   * The loss of each row, before weights, mask and reduction: [B] for predictions [B, K], [B, T] for [B, T, K]. Rows
   * that the loss itself ignores are 0.
   * @throws UnrollError `shape` or `value` if the target does not fit the prediction
   */
  rows(prediction: Tensor, target: Tensor): Tensor;
  /**
   * The loss of a batch: a scalar (with the reduction `none`, one number per row).
   * @param mask [B] or [B, T], 1 for valid rows; null: all are valid
   * @param weights [B], one per sequence, or [B, T]: factors of the rows' losses; null: 1
   * @throws UnrollError `shape` or `value` if target, mask or weights do not fit the prediction
   */
  compute(prediction: Tensor, target: Tensor, mask: Tensor | null, weights?: Tensor | null): Tensor;
  /**
   * The divisor of `compute` (1 for `sum`). The average of the losses of several batches, weighted by it, is the loss
   * of all of them as one batch.
   */
  divisor(prediction: Tensor, target: Tensor, mask: Tensor | null, weights?: Tensor | null): number;
  /** True if one row is a whole sequence: see sequence.ts. Default: a row is a step. */
  readonly perSequence?: boolean;
  /** Parameters that are trained with the model and saved with its weights. Default: none; none before `build`. */
  readonly parameters?: readonly Parameter[];
  /**
   * Creates the parameters, for predictions of this shape ([batch, ...]; -1: any size). Does nothing if they exist.
   * @throws UnrollError `shape` if they were built for predictions of another width
   */
  build?(prediction: Shape, make: LossParameterMaker): void;
}

/** Prediction [..., K] and target [..., width] with the same leading axes. */
export interface Pair {
  prediction: Tensor;
  target: Tensor;
}

/** The part of a loss that differs between losses. */
export interface LossDefinition {
  name: string;
  config: Record<string, unknown>;
  /** Reshapes the target to one row per row of the prediction, or throws. */
  align(prediction: Tensor, target: Tensor): Pair;
  /**
   * Throws if the target of a row is invalid. `at` gives the position of element i of the target, for the message.
   */
  check?(target: Pair, at: (i: number) => string): void;
  /** True if the target marks its row as ignored. */
  ignores?(target: number): boolean;
  /** The loss of each of N rows, [N], for a prediction [N, K] and a target [N, width]. */
  rows(prediction: Tensor, target: Tensor): Tensor;
  /** `scale` times the sum of the losses of all rows, if that needs fewer reads of the data than adding up `rows`. */
  total?(prediction: Tensor, target: Tensor, scale: number): Tensor;
}

/** The valid rows, their factors, and the divisor of their sum. */
interface RowWeighting {
  /** The shape of the rows. */
  lead: Shape;
  /** One number per row; null: 1. */
  factors: Float64Array | null;
  /** The indices of the valid rows; null: all. */
  selection: Uint32Array | null;
  /** The factors of the valid rows. */
  w: Float64Array | null;
  /** The number of valid rows. */
  number: number;
  divisor: number;
}

/** @param ignored further rows to ignore */
export function weighRows(
  name: string,
  reduction: Reduction,
  lead: Shape,
  mask: Tensor | null,
  weights: Tensor | null,
  ignored: ((row: number) => boolean) | null,
): RowWeighting {
  const { counts, factors } = rowFactors(name, lead, mask, weights, ignored);
  const selection = counts && selected(counts);
  const number = selection ? selection.length : sizeOf(lead);
  const w = factors && (selection ? selectRows(factors, selection) : factors);
  const mean = reduction === 'meanWithSampleWeight' && w ? total(w) : number;
  return { lead, factors, selection, w, number, divisor: reduction === 'sum' ? 1 : mean };
}

/** The loss of a batch. @param rows returns the losses of the valid rows, in order */
export function reduceLosses(
  reduction: Reduction,
  { lead, factors, selection, w, number, divisor }: RowWeighting,
  rows: (selection: Uint32Array | null) => Tensor,
): Tensor {
  if (reduction === 'none') {
    const all = everyRow(lead, selection, rows);
    return factors ? mul(all, tensor(factors, lead)) : all;
  }
  if (number === 0 || divisor === 0) return zeros([]);
  const losses = rows(selection);
  return mul(sum(w ? mul(losses, tensor(w)) : losses), 1 / divisor);
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

/** A loss without options of its own. */
export function plainLoss(definition: Omit<LossDefinition, 'config'>, options: LossOptions): Loss {
  checkOptions(definition.name, options, LOSS_OPTIONS);
  return makeLoss({ ...definition, config: {} }, options);
}

/** A loss from its definition. */
export function makeLoss(definition: LossDefinition, { reduction = 'sumOverBatchSize' }: LossOptions): Loss {
  const { name } = definition;
  checkReduction(name, reduction);
  const weigh = ({ prediction, target }: Pair, mask: Tensor | null, weights: Tensor | null): RowWeighting => {
    const lead = prediction.shape.slice(0, -1);
    return weighRows(name, reduction, lead, mask, weights, ignored(definition, target));
  };
  return {
    name,
    config: { ...definition.config, reduction },
    rows(prediction, target) {
      const pair = definition.align(prediction, target);
      const { lead, selection } = weigh(pair, null, null);
      return everyRow(lead, selection, (rows) => checkedRows(definition, pair, rows));
    },
    divisor: (prediction, target, mask, weights = null) =>
      weigh(definition.align(prediction, target), mask, weights).divisor,
    compute(prediction, target, mask, weights = null) {
      const pair = definition.align(prediction, target);
      const rows = weigh(pair, mask, weights);
      const { selection, w, number, divisor } = rows;
      if (definition.total && reduction !== 'none' && !w && !selection && number > 0 && divisor !== 0)
        return definition.total(pair.prediction, pair.target, 1 / divisor);
      return reduceLosses(reduction, rows, (own) => checkedRows(definition, pair, own));
    },
  };
}

/** The losses [N] of the given rows (null: all), after a check of their targets. */
function checkedRows(
  definition: LossDefinition,
  { prediction, target }: Pair,
  selection: Uint32Array | null,
): Tensor {
  const lead = prediction.shape.slice(0, -1);
  const flat = (x: Tensor): Tensor => {
    const table = reshape(x, [sizeOf(lead), x.shape[x.rank - 1]]);
    if (selection === null) return table;
    // Targets in host memory stay there, because the checks and the class lookups read them.
    const onHost = table.hostArray && !recording.current?.tracks(table);
    return onHost ? takeRows(table, selection) : gather(table, Float64Array.from(selection));
  };
  const pair = { prediction: flat(prediction), target: flat(target) };
  const width = target.shape[target.rank - 1];
  definition.check?.(pair, (i) => {
    const row = Math.floor(i / width);
    return position(
      (selection ? selection[row] : row) * width + (i % width),
      width === 1 ? lead : target.shape,
    );
  });
  return definition.rows(pair.prediction, pair.target);
}

/** Indices of rows whose target marks them as ignored; null if the loss has no such targets. */
function ignored({ ignores }: LossDefinition, target: Tensor): ((row: number) => boolean) | null {
  if (!ignores) return null;
  const values = hostValues(target, 'The target');
  return (row) => ignores(values[row]);
}

/** The losses of all rows, [B] or [B, T], 0 for rows that are not valid. */
function everyRow(
  lead: Shape,
  selection: Uint32Array | null,
  rows: (selection: Uint32Array | null) => Tensor,
): Tensor {
  if (selection === null) return reshape(rows(null), lead);
  if (selection.length === 0) return zeros(lead);
  const losses = reshape(rows(selection), [selection.length, 1]);
  // Invalid rows point to the row of zero.
  const places = new Float64Array(sizeOf(lead)).fill(selection.length);
  selection.forEach((row, i) => {
    places[row] = i;
  });
  return reshape(gather(concat([losses, zeros([1, 1])], 0), places), lead);
}

/** The indices of the valid rows; null if all are valid. */
function selected(counts: Uint8Array): Uint32Array | null {
  const numbers = Uint32Array.from(counts.keys()).filter((row) => counts[row] === 1);
  return numbers.length === counts.length ? null : numbers;
}

function total(values: Float64Array): number {
  return values.reduce((all, value) => all + value, 0);
}

/** `[2, 3]`: the indices of element i of a tensor of this shape. */
function position(i: number, shape: Shape): string {
  const indices: number[] = [];
  let rest = i;
  for (const extent of shape.toReversed()) {
    indices.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return formatShape(indices);
}
