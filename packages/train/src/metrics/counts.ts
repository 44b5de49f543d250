/** Metrics from counts of hits and misses: the confusion matrix, precision, recall and F1. */
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
   * For predictions of K classes, by the largest score: `macro` is the mean over the classes (a class that never
   * occurs counts as 0), `micro` pools all rows. Default none: each number is a binary label.
   */
  average?: 'macro' | 'micro';
  /** Without `average`: predictions strictly above it are positive. Default 0.5; 0 for logits. */
  threshold?: number;
}

/**
 * For one class (or the positives): true positives, predicted positives, actual positives.
 */
type Counts = readonly [found: number, taken: number, actual: number];

/** Three sums per class (a single class for binary labels), and a metric computed from them. */
function ofCounts(name: string, options: CountsOptions, score: (counts: Counts) => number): Metric {
  checkOptions(name, options, { average: true, threshold: 'number' });
  const { average, threshold = 0.5 } = options;
  if (average !== undefined && average !== 'macro' && average !== 'micro') {
    throw valueError(`${name}: average must be 'macro' or 'micro', got ${formatValue(average)}.`, {
      average,
    });
  }
  if (average !== undefined && options.threshold !== undefined) {
    throw valueError(
      `${name}: threshold is for binary labels; with average, the largest score decides. Remove one of them.`,
    );
  }
  return makeMetric({
    name,
    config: average === undefined ? { threshold } : { average },
    better: 'higher',
    align: average === undefined ? alignElements(name) : alignClasses(name),
    size: (width) => 3 * width,
    add: (sums, batch) =>
      average === undefined ? addAnswers(sums, batch, threshold) : addClasses(sums, batch),
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
      return score(
        perClass.reduce<Counts>((all, c) => [all[0] + c[0], all[1] + c[1], all[2] + c[2]], [0, 0, 0]),
      );
    },
  });
}

function addAnswers(sums: Float64Array, batch: MetricBatch, threshold: number): void {
  eachRow(batch, (row, weight) => {
    const taken = batch.prediction[row] > threshold;
    const actual = batch.target[row] !== 0;
    if (taken && actual) sums[0] += weight;
    if (taken) sums[1] += weight;
    if (actual) sums[2] += weight;
  });
}

function addClasses(sums: Float64Array, batch: MetricBatch): void {
  eachRow(batch, (row, weight) => {
    const taken = argmax(rowOf(batch.prediction, row, batch.width));
    const actual = batch.target[row];
    if (taken === actual) sums[3 * taken] += weight;
    sums[3 * taken + 1] += weight;
    sums[3 * actual + 2] += weight;
  });
}

/** Share of the predicted positives that are correct; 0 if there are none. */
export function precision(options: CountsOptions = {}): Metric {
  return ofCounts('precision', options, ([found, taken]) => ratio(found, taken));
}

/** Share of the actual positives that are found; 0 if there are none. */
export function recall(options: CountsOptions = {}): Metric {
  return ofCounts('recall', options, ([found, , actual]) => ratio(found, actual));
}

/** The harmonic mean of precision and recall: 2 TP / (predicted + actual). */
export function f1(options: CountsOptions = {}): Metric {
  return ofCounts('f1', options, ([found, taken, actual]) => ratio(2 * found, taken + actual));
}

export interface ConfusionOptions {
  /** For one number per row: predictions above it are class 1. Default 0.5. */
  threshold?: number;
}

/**
 * Number of rows of each true class (row) predicted as each class (column). One number per row means two classes.
 */
export function confusionMatrix(options: ConfusionOptions = {}): Metric<number[][]> {
  checkOptions('confusionMatrix', options, { threshold: 'number' });
  const { threshold = 0.5 } = options;
  const name = 'confusionMatrix';
  const [elements, classes] = [alignElements(name), alignClasses(name)];
  const count = (width: number): number => (width === 1 ? 2 : width);
  return makeMetric<number[][]>({
    name,
    config: { threshold },
    better: 'higher',
    align: (prediction, target, mask, weights) =>
      (prediction.rank === 1 || prediction.shape.at(-1) === 1 ? elements : classes)(
        prediction,
        target,
        mask,
        weights,
      ),
    size: (width) => count(width) ** 2,
    add(sums, batch) {
      const { prediction, target, width } = batch;
      eachRow(batch, (row, weight) => {
        const taken =
          width === 1 ? (prediction[row] > threshold ? 1 : 0) : argmax(rowOf(prediction, row, width));
        const actual = width === 1 ? (target[row] === 0 ? 0 : 1) : target[row];
        sums[actual * count(width) + taken] += weight;
      });
    },
    result: (sums, width) =>
      Array.from({ length: width === 0 ? 0 : count(width) }, (_, actual) => [
        ...sums.subarray(actual * count(width), (actual + 1) * count(width)),
      ]),
  });
}
