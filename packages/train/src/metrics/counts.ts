/** Metrics of what is found and what is missed: the confusion matrix, precision, recall and F1. */
import { valueError } from '@unroll/core';
import { checkOptions, shown } from '@unroll/core/internal';
import { largest } from '../losses/row-factors.js';
import {
  eachRow,
  fitClasses,
  fitElements,
  type Metric,
  type MetricBatch,
  makeMetric,
  ratio,
  rowOf,
} from './metric.js';

export interface CountsOptions {
  /**
   * Predictions of K classes, by the largest score: `macro` is the mean over the classes (one that never
   * occurs counts as 0), `micro` counts all rows together. Default none: each number is a yes-or-no question.
   */
  average?: 'macro' | 'micro';
  /** Without `average`: a prediction above it is a yes (strictly above). Default 0.5; 0 for logits. */
  threshold?: number;
}

/**
 * Of one class, or of yes: rows that are it and were found, rows that were taken for it, rows that are it.
 */
type Counts = readonly [found: number, taken: number, actual: number];

/** Three sums per class (one class where each number is a question), and a metric computed from them. */
function ofCounts(name: string, options: CountsOptions, score: (counts: Counts) => number): Metric {
  checkOptions(name, options, { average: true, threshold: 'number' });
  const { average, threshold = 0.5 } = options;
  if (average !== undefined && average !== 'macro' && average !== 'micro') {
    throw valueError(`${name}: average must be 'macro' or 'micro', got ${shown(average)}.`, { average });
  }
  if (average !== undefined && options.threshold !== undefined) {
    throw valueError(
      `${name}: a threshold is for yes-or-no questions; with average the largest score decides.`,
    );
  }
  return makeMetric({
    name,
    config: average === undefined ? { threshold } : { average },
    better: 'higher',
    fit: average === undefined ? fitElements(name) : fitClasses(name),
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
    const taken = largest(rowOf(batch.prediction, row, batch.width));
    const actual = batch.target[row];
    if (taken === actual) sums[3 * taken] += weight;
    sums[3 * taken + 1] += weight;
    sums[3 * actual + 2] += weight;
  });
}

/** Share of what was taken for a class that is it; 0 where nothing was. */
export function precision(options: CountsOptions = {}): Metric {
  return ofCounts('precision', options, ([found, taken]) => ratio(found, taken));
}

/** Share of what is a class that was found; 0 where nothing is. */
export function recall(options: CountsOptions = {}): Metric {
  return ofCounts('recall', options, ([found, , actual]) => ratio(found, actual));
}

/** The harmonic mean of precision and recall: 2 found / (taken + actual). */
export function f1(options: CountsOptions = {}): Metric {
  return ofCounts('f1', options, ([found, taken, actual]) => ratio(2 * found, taken + actual));
}

export interface ConfusionOptions {
  /** For one number per row: a prediction above it means class 1. Default 0.5. */
  threshold?: number;
}

/**
 * How often each true class (row) was taken for each class (column). One number per row makes two classes.
 */
export function confusionMatrix(options: ConfusionOptions = {}): Metric<number[][]> {
  checkOptions('confusionMatrix', options, { threshold: 'number' });
  const { threshold = 0.5 } = options;
  const name = 'confusionMatrix';
  const [elements, classes] = [fitElements(name), fitClasses(name)];
  const count = (width: number): number => (width === 1 ? 2 : width);
  return makeMetric<number[][]>({
    name,
    config: { threshold },
    better: 'higher',
    fit: (prediction, target, mask, weights) =>
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
          width === 1 ? (prediction[row] > threshold ? 1 : 0) : largest(rowOf(prediction, row, width));
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
