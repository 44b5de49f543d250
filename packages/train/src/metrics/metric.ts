/**
 * The definition of a metric: an accumulator over batches with one result. A row (a slice along the last axis of a
 * prediction) counts mask · weight times, and means are divided by the sum of these, as in Keras; unlike in Keras
 * every metric respects the mask, including precision, recall and R². All sums are doubles. Without any row, every
 * metric is 0, except perplexity, which is 1.
 */
import type { FloatArray, Shape, Tensor } from '@unroll/core';
import { formatShape, shapeError, valueError } from '@unroll/core';
import { hostValues, sameShape, sizeOf } from '@unroll/core/internal';
import { argmax, rowFactors } from '../losses/row-factors.js';
import type { Configured } from '../registry.js';

/** The accumulated sums of a metric, as JSON. */
export interface MetricState {
  /** Number of classes or columns of the sums; 0 before the first batch. */
  readonly width: number;
  readonly sums: readonly number[];
}

export interface Metric<R = number> extends Configured {
  /** Whether higher or lower is better. */
  readonly better: 'higher' | 'lower';
  /**
   * Adds a batch.
   * @param mask [B] or [B, T], 1 for valid rows; null: all are valid
   * @param weights [B] or [B, T], sample weights; null: 1
   */
  update(prediction: Tensor, target: Tensor, mask?: Tensor | null, weights?: Tensor | null): void;
  /** The value over all batches since the start or the last `reset`. */
  result(): R;
  reset(): void;
  /** The state, for checkpoints. Setting it restores the metric. */
  state: MetricState;
}

/** The options of a metric without options. */
export type NoOptions = Readonly<Record<string, never>>;

/** One batch in the form that a metric adds. */
export interface MetricBatch {
  prediction: FloatArray;
  target: FloatArray;
  /** Numbers per row of the prediction: classes or columns. */
  width: number;
  /** The weight of each row. */
  weights: ArrayLike<number>;
}

export interface MetricDefinition<R> {
  name: string;
  config: Record<string, unknown>;
  better: 'higher' | 'lower';
  /** Converts a batch to the form that `add` takes; throws if the shapes do not fit. */
  align(prediction: Tensor, target: Tensor, mask: Tensor | null, weights: Tensor | null): MetricBatch;
  /** The number of sums for rows of `width` numbers. */
  size(width: number): number;
  add(sums: Float64Array, batch: MetricBatch): void;
  /** `width` is 0 before the first batch. */
  result(sums: Float64Array, width: number): R;
}

/** A metric computed from sums. */
export function makeMetric<R = number>(definition: MetricDefinition<R>): Metric<R> {
  const { name, config, better } = definition;
  let width = 0;
  let sums = new Float64Array(0);
  return {
    name,
    config,
    better,
    update(prediction, target, mask = null, weights = null) {
      const batch = definition.align(prediction, target, mask, weights);
      if (width === 0) {
        width = batch.width;
        sums = new Float64Array(definition.size(width));
      } else if (width !== batch.width) {
        throw shapeError(
          `${name}: rows must have ${width} numbers, as before, got ${batch.width}. Reset the metric between models.`,
          {
            before: width,
            now: batch.width,
          },
        );
      }
      definition.add(sums, batch);
    },
    result: () => definition.result(sums, width),
    reset() {
      width = 0;
      sums = new Float64Array(0);
    },
    get state() {
      return { width, sums: [...sums] };
    },
    set state(state) {
      const size = state.width === 0 ? 0 : definition.size(state.width);
      if (state.sums.length !== size) {
        throw valueError(
          `${name}: this state belongs to another metric: it must have ${size} sums, got ${state.sums.length}.`,
        );
      }
      width = state.width;
      sums = Float64Array.from(state.sums);
    },
  };
}

/** total / count, or 0 if count is 0. */
export function ratio(total: number, count: number): number {
  return count === 0 ? 0 : total / count;
}

/** The weight of each row. */
function rowWeights(name: string, lead: Shape, mask: Tensor | null, weights: Tensor | null): Float64Array {
  const { counts, factors } = rowFactors(name, lead, mask, weights);
  const each = factors ?? new Float64Array(sizeOf(lead)).fill(1);
  return counts ? each.map((weight, row) => (counts[row] === 1 ? weight : 0)) : each;
}

/**
 * Treats every number as a row: predictions and targets have the same shape (a last axis of 1 may be missing).
 */
export function alignElements(name: string): MetricDefinition<unknown>['align'] {
  return (prediction, target, mask, weights) => {
    if (!sameShape(withoutOne(prediction.shape), withoutOne(target.shape))) {
      throw shapeError(
        `${name}: the prediction ${formatShape(prediction.shape)} and the target ` +
          `${formatShape(target.shape)} differ. ` +
          "For predictions of several classes set average to 'macro' or 'micro', or use the " +
          'categorical metrics.',
        { prediction: prediction.shape, target: target.shape },
      );
    }
    return {
      prediction: hostValues(prediction, `${name}: the prediction`),
      target: hostValues(target, `${name}: the target`),
      width: 1,
      weights: rowWeights(name, prediction.shape, mask, weights),
    };
  };
}

/** Rows of columns: predictions and targets of the same shape, [..., K]. */
export function alignColumns(name: string): MetricDefinition<unknown>['align'] {
  return (prediction, target, mask, weights) => {
    const batch = alignElements(name)(prediction, target, null, null);
    const shape = prediction.rank === 1 ? [...prediction.shape, 1] : prediction.shape;
    return {
      ...batch,
      width: shape[shape.length - 1],
      weights: rowWeights(name, shape.slice(0, -1), mask, weights),
    };
  };
}

/**
 * Rows of class scores [..., K] and a class for each, as an index [...] (or [..., 1]) or one-hot [..., K].
 */
export function alignClasses(name: string): MetricDefinition<unknown>['align'] {
  return (prediction, target, mask, weights) => {
    const lead = prediction.shape.slice(0, -1);
    const width = prediction.shape.at(-1) ?? 0;
    const oneHot = width > 1 && sameShape(prediction.shape, target.shape);
    if (
      !oneHot &&
      !sameShape(withoutOne(target.shape), withoutOne(lead)) &&
      !sameShape(target.shape, [...lead, 1])
    ) {
      throw shapeError(
        `${name}: the model predicts ${formatShape(prediction.shape)} and the target is ` +
          `${formatShape(target.shape)}. Pass a class index for each row, ${formatShape(lead)}, ` +
          `or one-hot classes, ${formatShape(prediction.shape)}.`,
        { prediction: prediction.shape, target: target.shape },
      );
    }
    const values = hostValues(target, `${name}: the target`);
    const classes = oneHot ? values.slice(0, values.length / width) : values;
    if (oneHot) classes.forEach((_, row) => void (classes[row] = argmax(rowOf(values, row, width))));
    const each = rowWeights(name, lead, mask, weights);
    checkClasses(name, classes, each, width);
    return {
      prediction: hostValues(prediction, `${name}: the prediction`),
      target: classes,
      width,
      weights: each,
    };
  };
}

function checkClasses(name: string, classes: FloatArray, weights: Float64Array, width: number): void {
  const wrong = classes.findIndex(
    (id, i) => weights[i] !== 0 && !(Number.isInteger(id) && id >= 0 && id < width),
  );
  if (wrong < 0) return;
  throw valueError(
    `${name}: the target of row ${wrong} must be one of the ${width} classes of the model, 0 to ${width - 1}, ` +
      `got ${classes[wrong]}.`,
    { target: classes[wrong], row: wrong, classes: width },
  );
}

/** Row `row` of an array of rows with `width` numbers, without a copy. */
export function rowOf(values: FloatArray, row: number, width: number): FloatArray {
  return values.subarray(row * width, (row + 1) * width);
}

function withoutOne(shape: Shape): Shape {
  return shape.length > 1 && shape.at(-1) === 1 ? shape.slice(0, -1) : shape;
}

/** Calls `visit` for each row of nonzero weight, with the weight. */
export function eachRow({ weights }: MetricBatch, visit: (row: number, weight: number) => void): void {
  for (let row = 0; row < weights.length; row++) if (weights[row] !== 0) visit(row, weights[row]);
}
