/**
 * What a loss is, and what all losses share.
 *
 * A row is a prediction's last axis: [B, K] has B rows, [B, T, K] has B T. A loss gives one number l per row
 * (`rows`); everything after that is the same for all of them. With m the mask (1: counts) and w the weights,
 * the loss of a batch is
 *
 *   Σ l w m / Σ m        sumOverBatchSize, the default (without a mask: divided by the number of rows)
 *   Σ l w m / Σ w m      meanWithSampleWeight
 *   Σ l w m              sum
 *   l w m                none
 *
 * as in Keras 3: weights are no divisor unless asked for, so doubling them doubles the loss; a row of weight
 * 0 still counts, a masked one does not. Where the divisor is 0 the loss is 0 and so is its gradient. Unlike
 * in Keras, masked rows are left out and not multiplied by 0: whatever stands there, NaN included, has no
 * effect.
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
  hostValues,
  type Known,
  nameHint,
  recording,
  shown,
  sizeOf,
  takeRows,
} from '@unroll/core/internal';
import type { LossParameterMaker } from './parameters.js';
import { rowFactors, selectRows } from './row-factors.js';

const REDUCTIONS = ['sumOverBatchSize', 'meanWithSampleWeight', 'sum', 'none'] as const;
export type Reduction = (typeof REDUCTIONS)[number];

/** Options of every loss. */
export interface LossOptions {
  /** How the losses of the rows become one number. Default `sumOverBatchSize`, the mean over what counts. */
  reduction?: Reduction;
}

/** What all losses take. */
export const LOSS: Known<LossOptions> = { reduction: true };

export interface Loss {
  readonly name: string;
  /** The options with their defaults, as JSON: `{ name, ...config }` makes the same loss again. */
  readonly config: Readonly<Record<string, unknown>>;
  /**
   * The loss of each row, before weights, mask and reduction: [B] for predictions [B, K], [B, T] for [B, T,
   * K]. Rows that the loss itself ignores have 0.
   * @throws UnrollError `shape` or `value` when the target does not fit the prediction
   */
  rows(prediction: Tensor, target: Tensor): Tensor;
  /**
   * The loss of a batch: a scalar (with the reduction `none` one number per row).
   * @param mask [B] or [B, T], 1 where a row counts; null: all do
   * @param weights [B], one per sequence, or [B, T]: what each row's loss is multiplied by; null: 1
   * @throws UnrollError `shape` or `value` when target, mask or weights do not fit the prediction
   */
  compute(prediction: Tensor, target: Tensor, mask: Tensor | null, weights?: Tensor | null): Tensor;
  /**
   * What `compute` divides by (1 for `sum`): the losses of several batches, weighted by it, average to the
   * loss of all of them as one batch.
   */
  divisor(prediction: Tensor, target: Tensor, mask: Tensor | null, weights?: Tensor | null): number;
  /** One row is a whole sequence: see sequence.ts. Default: a step. */
  readonly perSequence?: boolean;
  /** What of the loss is trained with the model and saved beside its weights. Default: nothing; none before `build`. */
  readonly parameters?: readonly Parameter[];
  /**
   * Makes the parameters, for predictions of this shape ([batch, ...]; -1: any extent). Does nothing when built.
   * @throws UnrollError `shape` where they are built for predictions of another width
   */
  build?(prediction: Shape, make: LossParameterMaker): void;
}

/** Prediction [..., K] and target [..., width] with the same leading axes. */
export interface Pair {
  prediction: Tensor;
  target: Tensor;
}

/** What one loss adds to the common rules. */
export interface LossDefinition {
  name: string;
  config: Record<string, unknown>;
  /** Brings the target into a shape with one row per row of the prediction, or throws. */
  fit(prediction: Tensor, target: Tensor): Pair;
  /**
   * Throws where a row's target is not allowed. `at` gives the position, for the message, of element i of the
   * target.
   */
  check?(target: Pair, at: (i: number) => string): void;
  /** Whether a target means that its row does not count. */
  ignores?(target: number): boolean;
  /** The loss of each of N rows, [N]: prediction [N, K], target [N, width]. */
  rows(prediction: Tensor, target: Tensor): Tensor;
  /** `scale` times the sum of the losses of all rows, where that reads the data fewer times than adding up `rows`. */
  total?(prediction: Tensor, target: Tensor, scale: number): Tensor;
}

/** Which rows count, what they are multiplied by, and what their sum is divided by. */
interface Weighed {
  /** The shape of the rows. */
  lead: Shape;
  /** One number per row; null: 1. */
  factors: Float64Array | null;
  /** The numbers of the rows that count; null: all. */
  selection: Uint32Array | null;
  /** The factors of those that count. */
  w: Float64Array | null;
  /** How many count. */
  number: number;
  divisor: number;
}

/** @param ignored further rows that do not count */
export function weighed(
  name: string,
  reduction: Reduction,
  lead: Shape,
  mask: Tensor | null,
  weights: Tensor | null,
  ignored: ((row: number) => boolean) | null,
): Weighed {
  const { counts, factors } = rowFactors(name, lead, mask, weights, ignored);
  const selection = counts && selected(counts);
  const number = selection ? selection.length : sizeOf(lead);
  const w = factors && (selection ? selectRows(factors, selection) : factors);
  const mean = reduction === 'meanWithSampleWeight' && w ? total(w) : number;
  return { lead, factors, selection, w, number, divisor: reduction === 'sum' ? 1 : mean };
}

/** The loss of a batch. @param rows gives the losses of the rows that count, one after another */
export function reduced(
  reduction: Reduction,
  { lead, factors, selection, w, number, divisor }: Weighed,
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

/** @throws UnrollError `value` for a reduction that is not known */
export function checkReduction(name: string, reduction: Reduction): void {
  if (REDUCTIONS.includes(reduction)) return;
  throw valueError(`${name}: there is no reduction ${shown(reduction)}. ${nameHint(reduction, REDUCTIONS)}`, {
    reduction,
  });
}

/** The loss of a definition without options of its own. */
export function plainLoss(definition: Omit<LossDefinition, 'config'>, options: LossOptions): Loss {
  checkOptions(definition.name, options, LOSS);
  return makeLoss({ ...definition, config: {} }, options);
}

/** The loss of a definition. */
export function makeLoss(definition: LossDefinition, { reduction = 'sumOverBatchSize' }: LossOptions): Loss {
  const { name } = definition;
  checkReduction(name, reduction);
  const weigh = ({ prediction, target }: Pair, mask: Tensor | null, weights: Tensor | null): Weighed => {
    const lead = prediction.shape.slice(0, -1);
    return weighed(name, reduction, lead, mask, weights, ignored(definition, target));
  };
  return {
    name,
    config: { ...definition.config, reduction },
    rows(prediction, target) {
      const pair = definition.fit(prediction, target);
      const { lead, selection } = weigh(pair, null, null);
      return everyRow(lead, selection, (rows) => checkedRows(definition, pair, rows));
    },
    divisor: (prediction, target, mask, weights = null) =>
      weigh(definition.fit(prediction, target), mask, weights).divisor,
    compute(prediction, target, mask, weights = null) {
      const pair = definition.fit(prediction, target);
      const rows = weigh(pair, mask, weights);
      const { selection, w, number, divisor } = rows;
      if (definition.total && reduction !== 'none' && !w && !selection && number > 0 && divisor !== 0)
        return definition.total(pair.prediction, pair.target, 1 / divisor);
      return reduced(reduction, rows, (own) => checkedRows(definition, pair, own));
    },
  };
}

/** The losses [N] of the given rows (null: all), their targets checked. */
function checkedRows(
  definition: LossDefinition,
  { prediction, target }: Pair,
  selection: Uint32Array | null,
): Tensor {
  const lead = prediction.shape.slice(0, -1);
  const flat = (x: Tensor): Tensor => {
    const table = reshape(x, [sizeOf(lead), x.shape[x.rank - 1]]);
    if (selection === null) return table;
    // Targets that lie on the host stay there: what checks them, and what looks up their classes, reads them.
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

/** Row numbers whose target tells that they do not count; null where the loss has no such targets. */
function ignored({ ignores }: LossDefinition, target: Tensor): ((row: number) => boolean) | null {
  if (!ignores) return null;
  const values = hostValues(target, 'The target');
  return (row) => ignores(values[row]);
}

/** The losses of all rows, [B] or [B, T], 0 where a row does not count. */
function everyRow(
  lead: Shape,
  selection: Uint32Array | null,
  rows: (selection: Uint32Array | null) => Tensor,
): Tensor {
  if (selection === null) return reshape(rows(null), lead);
  if (selection.length === 0) return zeros(lead);
  const losses = reshape(rows(selection), [selection.length, 1]);
  // The row of zero, but for those that count.
  const places = new Float64Array(sizeOf(lead)).fill(selection.length);
  selection.forEach((row, i) => {
    places[row] = i;
  });
  return reshape(gather(concat([losses, zeros([1, 1])], 0), places), lead);
}

/** The numbers of the rows that count; null when all do. */
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
