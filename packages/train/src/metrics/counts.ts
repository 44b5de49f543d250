/** Metrics from counts of correct and wrong predictions: the confusion matrix, precision, recall and F1. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { argmax } from '../losses/row-factors.js';
import {
  alignClasses,
  alignElements,
  eachRow,
  type Metric,
  type MetricBatch,
  makeMetric,
  ratio,
  rowOf,
} from './metric.js';

export interface CountsOptions {
  /**
   * For predictions of K classes (the class with the largest score is predicted): `macro` is the mean of the metric over the
   * classes (0 for a class without targets and predictions); `micro` computes the metric from the counts of all classes
   * together. Default: none; each number is the prediction of a binary label.
   */
  average?: 'macro' | 'micro';
  /** Without `average`: predictions above the threshold are positive. Default 0.5; set 0 for logits. */
  threshold?: number;
}

/** Weighted numbers of rows, for one class or for the positive class of binary labels. */
type Counts = readonly [truePositives: number, predicted: number, actual: number];

/**
 * Creates a metric from the counts of each class (for binary labels: of the positive class).
 * @param score computes the metric from the counts of one class
 */
function countsMetric(name: string, options: CountsOptions, score: (counts: Counts) => number): Metric {
  checkOptions(name, options, { average: true, threshold: 'number' });
  const { average, threshold = 0.5 } = options;
  if (average !== undefined && average !== 'macro' && average !== 'micro') {
    throw valueError(`${name}: average must be 'macro' or 'micro', got ${formatValue(average)}.`, {
      average,
    });
  }
  if (average !== undefined && options.threshold !== undefined) {
    throw valueError(
      `${name}: threshold applies to binary labels, and average applies to classes. Remove one of them.`,
    );
  }
  return makeMetric({
    name,
    config: average === undefined ? { threshold } : { average },
    better: 'higher',
    align: average === undefined ? alignElements(name) : alignClasses(name),
    size: (width) => 3 * width,
    add: (sums, batch) =>
      average === undefined ? addBinaryLabels(sums, batch, threshold) : addClasses(sums, batch),
    result(sums, width) {
      const perClass = Array.from(
        { length: width },
        (_, k) => [...sums.subarray(3 * k, 3 * k + 3)] as unknown as Counts,
      );
      if (average === 'macro')
        return ratio(
          perClass.reduce((total, counts) => total + score(counts), 0),
          width,
        );
      return score(perClass.reduce<Counts>((a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]], [0, 0, 0]));
    },
  });
}

/** Adds the counts of a batch of binary labels to `sums`. */
function addBinaryLabels(sums: Float64Array, batch: MetricBatch, threshold: number): void {
  eachRow(batch, (row, weight) => {
    const predicted = batch.prediction[row] > threshold;
    const actual = batch.target[row] !== 0;
    if (predicted && actual) sums[0] += weight;
    if (predicted) sums[1] += weight;
    if (actual) sums[2] += weight;
  });
}

/** Adds the counts of a batch of classes to `sums`. */
function addClasses(sums: Float64Array, batch: MetricBatch): void {
  eachRow(batch, (row, weight) => {
    const predicted = argmax(rowOf(batch.prediction, row, batch.width));
    const actual = batch.target[row];
    if (predicted === actual) sums[3 * predicted] += weight;
    sums[3 * predicted + 1] += weight;
    sums[3 * actual + 2] += weight;
  });
}

/** Precision: the share of the predicted positives that are correct; 0 if there are no predicted positives. */
export function precision(options: CountsOptions = {}): Metric {
  return countsMetric('precision', options, ([truePositives, predicted]) => ratio(truePositives, predicted));
}

/** Recall: the share of the actual positives that are predicted; 0 if there are no actual positives. */
export function recall(options: CountsOptions = {}): Metric {
  return countsMetric('recall', options, ([truePositives, , actual]) => ratio(truePositives, actual));
}

/** F1 score, the harmonic mean of precision and recall: 2 · true positives / (predicted positives + actual positives). */
export function f1(options: CountsOptions = {}): Metric {
  return countsMetric('f1', options, ([truePositives, predicted, actual]) =>
    ratio(2 * truePositives, predicted + actual),
  );
}

export interface ConfusionOptions {
  /** For one number per row: predictions above the threshold are class 1. Default 0.5; set 0 for logits. */
  threshold?: number;
}

/**
 * Confusion matrix: element [i][j] is the number of examples or steps of true class i that are predicted as class j.
 * If a prediction is one number per row, there are two classes.
 */
export function confusionMatrix(options: ConfusionOptions = {}): Metric<number[][]> {
  checkOptions('confusionMatrix', options, { threshold: 'number' });
  const { threshold = 0.5 } = options;
  const name = 'confusionMatrix';
  const [alignLabels, alignScores] = [alignElements(name), alignClasses(name)];
  const classesFor = (width: number): number => (width === 1 ? 2 : width);
  return makeMetric<number[][]>({
    name,
    config: { threshold },
    better: 'higher',
    align: (prediction, target, mask, weights) =>
      (prediction.rank === 1 || prediction.shape.at(-1) === 1 ? alignLabels : alignScores)(
        prediction,
        target,
        mask,
        weights,
      ),
    size: (width) => classesFor(width) ** 2,
    add(sums, batch) {
      const { prediction, target, width } = batch;
      eachRow(batch, (row, weight) => {
        const predicted =
          width === 1 ? (prediction[row] > threshold ? 1 : 0) : argmax(rowOf(prediction, row, width));
        const actual = width === 1 ? (target[row] === 0 ? 0 : 1) : target[row];
        sums[actual * classesFor(width) + predicted] += weight;
      });
    },
    result: (sums, width) =>
      Array.from({ length: width === 0 ? 0 : classesFor(width) }, (_, actual) => [
        ...sums.subarray(actual * classesFor(width), (actual + 1) * classesFor(width)),
      ]),
  });
}
