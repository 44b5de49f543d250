/**
 * The definition of a metric, which accumulates sums over batches and computes one result. A row is a slice along the last
 * axis of a prediction. The weight of a row is its sample weight, or 0 if the row is masked. A mean is the weighted sum over
 * the rows, divided by the sum of their weights, as in Keras. Unlike in Keras, every metric respects the mask, including
 * precision, recall and R². All sums are in double precision. Before the first row, metrics are 0, except perplexity (1) and
 * the confusion matrix (empty).
 */
import type { FloatArray, Shape, Tensor } from '@unroll/core';
import { formatShape, shapeError, valueError } from '@unroll/core';
import { hostValues, sameShape, sizeOf } from '@unroll/core/internal';
import { argmax, rowFactors } from '../losses/row-factors.js';
import type { ConfiguredObject } from '../registry.js';

/** The accumulated sums of a metric, as JSON. */
export interface MetricState {
  /** Length of a row of the predictions: the number of classes or columns; 0 before the first batch. */
  readonly width: number;
  readonly sums: readonly number[];
}

export interface Metric<R = number> extends ConfiguredObject {
  /** Whether a higher or lower value is better. */
  readonly better: 'higher' | 'lower';
  /**
   * Returns the tensor that `update` receives in place of a prediction. Called during the forward pass, with the output of
   * the model. Default: the prediction.
   */
  prepare?(prediction: Tensor): Tensor;
  /**
   * Adds a batch.
   * @param mask [B] or [B, T], 1 for valid rows; null: all are valid
   * @param weights sample weights, [B] or [B, T]; null: 1
   */
  update(prediction: Tensor, target: Tensor, mask?: Tensor | null, weights?: Tensor | null): void;
  /** Returns the value over all batches since the start or the last `reset`. */
  result(): R;
  /** Discards all batches. */
  reset(): void;
  /** The accumulated state, for checkpoints. To restore the metric, set this property. */
  state: MetricState;
}

/** The options type of metrics that have no options. */
export type NoOptions = Readonly<Record<string, never>>;

/** One batch as rows. */
export interface MetricBatch {
  prediction: FloatArray;
  target: FloatArray;
  /** Length of a row of the prediction: the number of classes or columns. */
  width: number;
  /** The weight of each row; 0 for masked rows. */
  weights: ArrayLike<number>;
}

/** The code and options that differ between metrics. */
export interface MetricDefinition<R> {
  name: string;
  config: Record<string, unknown>;
  better: 'higher' | 'lower';
  /** Converts the tensors of a batch to rows; throws if the shapes do not match. */
  align(prediction: Tensor, target: Tensor, mask: Tensor | null, weights: Tensor | null): MetricBatch;
  /** Returns the number of sums for rows of `width` numbers. */
  size(width: number): number;
  /** Adds a batch to the sums. */
  add(sums: Float64Array, batch: MetricBatch): void;
  /** Returns the result for the sums; before the first batch, `sums` is empty and `width` is 0. */
  result(sums: Float64Array, width: number): R;
}

/** Creates a metric from its definition. */
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
          `${name}: predictions must have ${width} numbers per row, as before, got ${batch.width}. Call reset() before using the metric for another model.`,
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
          `${name}: the state must have ${size} sums, got ${state.sums.length}. Pass the state of a ${name} metric.`,
        );
      }
      width = state.width;
      sums = Float64Array.from(state.sums);
    },
  };
}

/** Returns total / count, or 0 if count is 0. */
export function ratio(total: number, count: number): number {
  return count === 0 ? 0 : total / count;
}

/** Returns the weight of each row: 0 for masked rows, otherwise the sample weight. */
function rowWeights(name: string, lead: Shape, mask: Tensor | null, weights: Tensor | null): Float64Array {
  const { valid, factors } = rowFactors(name, lead, mask, weights);
  const sampleWeights = factors ?? new Float64Array(sizeOf(lead)).fill(1);
  return valid ? sampleWeights.map((weight, row) => (valid[row] === 1 ? weight : 0)) : sampleWeights;
}

const CLASSES_HINT =
  "For predictions of several classes, set average to 'macro' or 'micro', or use the categorical metrics.";

/**
 * Returns an `align` function that makes every number a row. Predictions and targets must have the same shape; a last axis of
 * size 1 may be missing.
 * @param hint the end of the message about different shapes
 */
export function alignElements(name: string, hint = CLASSES_HINT): MetricDefinition<unknown>['align'] {
  return (prediction, target, mask, weights) => {
    if (!sameShape(withoutUnitAxis(prediction.shape), withoutUnitAxis(target.shape))) {
      throw shapeError(
        `${name}: the prediction has shape ${formatShape(prediction.shape)}, but the target has shape ` +
          `${formatShape(target.shape)}. ${hint}`,
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

/** Returns an `align` function for predictions and targets of the same shape [..., K], with rows of K columns. */
export function alignColumns(name: string): MetricDefinition<unknown>['align'] {
  return (prediction, target, mask, weights) => {
    const alignToRows = alignElements(name, 'Pass one target for each predicted number.');
    const batch = alignToRows(prediction, target, null, null);
    const shape = prediction.rank === 1 ? [...prediction.shape, 1] : prediction.shape;
    return {
      ...batch,
      width: shape[shape.length - 1],
      weights: rowWeights(name, shape.slice(0, -1), mask, weights),
    };
  };
}

/**
 * Returns an `align` function for rows of class scores, [..., K], and targets that are class indices, [...] or [..., 1], or
 * one-hot, [..., K]. The resulting target contains class indices.
 */
export function alignClasses(name: string): MetricDefinition<unknown>['align'] {
  return (prediction, target, mask, weights) => {
    const lead = prediction.shape.slice(0, -1);
    const width = prediction.shape.at(-1) ?? 0;
    const oneHot = width > 1 && sameShape(prediction.shape, target.shape);
    if (
      !oneHot &&
      !sameShape(withoutUnitAxis(target.shape), withoutUnitAxis(lead)) &&
      !sameShape(target.shape, [...lead, 1])
    ) {
      throw shapeError(
        `${name}: the prediction has shape ${formatShape(prediction.shape)}, but the target has shape ` +
          `${formatShape(target.shape)}. Pass a class index for each row (shape ${formatShape(lead)}) ` +
          `or one-hot classes (shape ${formatShape(prediction.shape)}).`,
        { prediction: prediction.shape, target: target.shape },
      );
    }
    const values = hostValues(target, `${name}: the target`);
    const classes = oneHot ? values.slice(0, values.length / width) : values;
    if (oneHot) classes.forEach((_, row) => void (classes[row] = argmax(rowOf(values, row, width))));
    const allWeights = rowWeights(name, lead, mask, weights);
    checkClasses(name, classes, allWeights, width);
    return {
      prediction: hostValues(prediction, `${name}: the prediction`),
      target: classes,
      width,
      weights: allWeights,
    };
  };
}

/** Throws for a target that is not a class index; rows of weight 0 are not checked. */
function checkClasses(name: string, classes: FloatArray, weights: Float64Array, width: number): void {
  const index = classes.findIndex(
    (id, i) => weights[i] !== 0 && !(Number.isInteger(id) && id >= 0 && id < width),
  );
  if (index < 0) return;
  throw valueError(
    `${name}: the target of row ${index} must be one of the ${width} classes of the model, 0 to ${width - 1}, ` +
      `got ${classes[index]}.`,
    { target: classes[index], row: index, classes: width },
  );
}

/** Returns one row of an array of rows with `width` numbers, without a copy. */
export function rowOf(values: FloatArray, row: number, width: number): FloatArray {
  return values.subarray(row * width, (row + 1) * width);
}

/** Removes a last axis of size 1, unless it is the only axis. */
function withoutUnitAxis(shape: Shape): Shape {
  return shape.length > 1 && shape.at(-1) === 1 ? shape.slice(0, -1) : shape;
}

/** Calls `visit` with the index and the weight of each row whose weight is not 0. */
export function eachRow({ weights }: MetricBatch, visit: (row: number, weight: number) => void): void {
  for (let row = 0; row < weights.length; row++) if (weights[row] !== 0) visit(row, weights[row]);
}
