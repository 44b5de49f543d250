/**
 * Compares metrics with hand-computed values, and tests the variants of accuracy, results without data, and errors.
 * metrics-goldens.test.ts compares metrics with other libraries.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tensor, zeros } from '@unroll/core';
import { type MetricName, type MetricSpec, metrics, resolveMetric } from '@unroll/train';
import { fails } from './fails.js';

const NAMES: MetricName[] = [
  ...([
    'accuracy',
    'binaryAccuracy',
    'categoricalAccuracy',
    'sparseCategoricalAccuracy',
    'topKAccuracy',
  ] as const),
  ...(['precision', 'recall', 'f1', 'auc', 'mae', 'mse', 'rmse', 'r2', 'perplexity'] as const),
];

describe('accuracy selects its variant by the shapes, as in Keras', () => {
  const accuracyOf = (
    prediction: number[] | number[][] | number[][][],
    target: typeof prediction,
  ): number => {
    const metric = resolveMetric('accuracy');
    metric.update(tensor(prediction), tensor(target));
    return metric.result();
  };
  test('one number per row is a probability of class 1', () => {
    assert.equal(accuracyOf([[0.6], [0.6], [0.4], [0.5]], [[1], [0], [0], [0]]), 0.75);
    assert.equal(accuracyOf([0.6, 0.4], [1, 1]), 0.5);
    assert.equal(accuracyOf([[0.6], [0.4]], [1, 1]), 0.5);
  });
  test('several numbers per row with a class index are class scores', () => {
    assert.equal(accuracyOf([[1, 3, 2], [5, 3, 2]], [1, 1]), 0.5); // biome-ignore format: a table
    assert.equal(accuracyOf([[1, 3, 2], [5, 3, 2]], [[1], [0]]), 1); // biome-ignore format: a table
    assert.equal(accuracyOf([[[1, 3], [3, 1]]], [[1, 1]]), 0.5); // biome-ignore format: a table
  });
  test('several numbers per row with as many targets are class scores with one-hot targets', () => {
    assert.equal(accuracyOf([[1, 3, 2], [5, 3, 2]], [[0, 1, 0], [0, 0, 1]]), 0.5); // biome-ignore format: a table
  });
  test('binaryAccuracy counts each number separately', () => {
    const metric = resolveMetric('binaryAccuracy');
    metric.update(tensor([[0.9, 0.2, 0.7]]), tensor([[1, 0, 0]]));
    assert.equal(metric.result(), 2 / 3);
  });
});

describe('metrics without data', () => {
  for (const name of NAMES) {
    const withoutData = name === 'perplexity' ? 1 : 0;
    test(`${name} is ${withoutData} before the first row and if all rows are masked`, () => {
      const metric = resolveMetric(name);
      assert.equal(metric.result(), withoutData);
      const regression = ['mae', 'mse', 'rmse', 'r2'].includes(name);
      const classes = /ategorical|topK|perplexity/.test(name);
      const target = regression ? zeros([2, 3]) : zeros([2, ...(classes ? [] : [1])]);
      metric.update(zeros([2, regression || classes ? 3 : 1]), target, zeros([2]));
      assert.equal(metric.result(), withoutData);
      assert.equal(metric.name, name);
      assert.equal(metric.better, /^(mae|mse|rmse|perplexity)$/.test(name) ? 'lower' : 'higher');
    });
  }
  test('auc is 0 if all targets have the same class', () => {
    const metric = resolveMetric('auc');
    metric.update(tensor([0.2, 0.3]), tensor([1, 1]));
    assert.equal(metric.result(), 0);
  });
});

describe('metrics against hand-computed values', () => {
  test('top-k accuracy, with a masked row whose target is not a class', () => {
    const metric = resolveMetric({ name: 'topKAccuracy', k: 2 });
    const scores = tensor([4, 3, 2, 4, 3, 2, 4, 3, 2], [3, 3]);
    metric.update(scores, tensor([1, 2, -1]), tensor([1, 1, 0]));
    assert.equal(metric.result(), 0.5);
  });
  test('precision, recall and F1 of binary labels', () => {
    const p = tensor([0.9, 0.8, 0.3, 0.6]);
    const y = tensor([1, 0, 1, 1]);
    const resultOf = (name: MetricName): number => {
      const metric = resolveMetric(name);
      metric.update(p, y);
      return metric.result();
    };
    assert.deepEqual([resultOf('precision'), resultOf('recall')], [2 / 3, 2 / 3]);
    assert.equal(resultOf('f1'), 4 / 6);
  });
  test('R² keeps its precision for values far from 0', () => {
    const metric = resolveMetric('r2');
    const y = [1, 2, 3, 4].map((value) => 1e6 + value);
    metric.update(tensor(y.map((value) => value + 1)), tensor(y));
    assert.ok(Math.abs(metric.result() - (1 - 4 / 5)) < 1e-9);
  });
  test('a confusion matrix of one number per row has two classes', () => {
    const metric = metrics.confusionMatrix();
    assert.deepEqual(metric.result(), []);
    metric.update(tensor([[0.9], [0.2], [0.7]]), tensor([[1], [1], [0]]), null, tensor([1, 2, 3]));
    assert.deepEqual(metric.result(), [[0, 3], [2, 1]]); // biome-ignore format: a table
  });
  test('perplexity from logits of any size', () => {
    const metric = resolveMetric({ name: 'perplexity', fromLogits: true });
    metric.update(tensor([[1000, 1000], [-1000, -1000]]), tensor([0, 1])); // biome-ignore format: a table
    assert.ok(Math.abs(metric.result() - 2) < 1e-12);
  });
});

describe('errors of metrics', () => {
  const update = (spec: MetricSpec, prediction: number[][], target: number[] | number[][]) => (): void =>
    resolveMetric(spec).update(tensor(prediction), tensor(target as number[][]));
  test('an unknown name and option', () => {
    assert.throws(() => resolveMetric('acc' as MetricName), fails('value', /no metric "acc".*accuracy/));
    assert.throws(
      () => resolveMetric({ name: 'topKAccuracy', top: 3 }),
      fails('value', /no option "top".* k\./),
    );
  });
  test('class indices instead of binary labels', () => {
    assert.throws(
      update('precision', [[1, 2]], [1]),
      fails('shape', /\[1, 2\].*\[1\].*set average to 'macro'/),
    );
  });
  test('an invalid class', () => {
    const run = update('sparseCategoricalAccuracy', [[1, 2], [1, 2]], [0, 5]); // biome-ignore format: a table
    assert.throws(
      run,
      fails('value', /target of row 1 must be one of the 2 classes of the model, 0 to 1, got 5/),
    );
  });
  test('more targets than predictions', () => {
    assert.throws(
      update('perplexity', [[1, 2]], [1, 1]),
      fails('shape', /class index for each row \(shape \[1\]\)/),
    );
  });
  test('another number of classes in a later batch', () => {
    const metric = resolveMetric('perplexity');
    metric.update(tensor([[1, 2]]), tensor([0]));
    assert.throws(
      () => metric.update(tensor([[1, 2, 3]]), tensor([0])),
      fails('shape', /predictions must have 2 numbers per row, as before, got 3/),
    );
  });
  test('a state of another metric', () => {
    const metric = resolveMetric('mae');
    assert.throws(
      () => (metric.state = { width: 2, sums: [1] }),
      fails('value', /the state must have \d+ sums, got/),
    );
  });
  test('options that contradict each other, and a k of 0', () => {
    const both = { name: 'recall', average: 'macro', threshold: 0.3 } as const;
    assert.throws(() => resolveMetric(both), fails('value', /threshold applies to binary labels/));
    assert.throws(() => resolveMetric({ name: 'f1', average: 'mean' }), fails('value', /'macro' or 'micro'/));
    assert.throws(
      () => resolveMetric({ name: 'topKAccuracy', k: 0 }),
      fails('value', /k must be a positive integer, got 0/),
    );
  });
  test('a NaN score', () => {
    const run = (): void => resolveMetric('auc').update(tensor([0.5, Number.NaN]), tensor([0, 1]));
    assert.throws(run, fails('value', /row 1 must be a number, got NaN/));
  });
});
