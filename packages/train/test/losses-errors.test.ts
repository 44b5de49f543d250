/** Errors of losses for wrong shapes, targets and options. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, type Tensor, tensor, zeros } from '@unroll/core';
import { type LossName, type LossSpec, losses, resolveLoss } from '@unroll/train';
import { combineWeights } from '@unroll/train/internal';
import { fails } from './fails.js';

describe('errors of losses', () => {
  const compute = (spec: LossSpec, prediction: number[][], target: number[] | number[][]) => (): Tensor =>
    resolveLoss(spec).compute(tensor(prediction), tensor(target as number[][]), null);
  const cases: [string, () => unknown, ErrorCode, RegExp][] = [
    [
      'an unknown name',
      () => resolveLoss('mes' as LossName),
      'value',
      /no loss "mes"\. Choose one of .*mae, mse.*Did you mean "mse"/,
    ],
    [
      'an unknown option',
      () => resolveLoss({ name: 'mse', delta: 1 }),
      'value',
      /mse: there is no option "delta".*reduction/,
    ],
    [
      'an unknown reduction',
      () => resolveLoss({ name: 'mse', reduction: 'avg' }),
      'value',
      /no reduction "avg"/,
    ],
    [
      'targets with more features than the prediction',
      compute('mse', [[1, 2]], [[1, 2, 3]]),
      'shape',
      /\[1, 2\].*\[1, 3\].*as many units/,
    ],
    [
      'one-hot targets instead of class indices',
      compute('sparseCategoricalCrossentropy', [[1, 2]], [[0, 1]]),
      'shape',
      /class index for each row \(shape \[1\]\), or use categoricalCrossentropy/,
    ],
    [
      'a class index that is too large',
      compute(
        'sparseCategoricalCrossentropy',
        [
          [1, 2],
          [1, 2],
        ],
        [0, 2],
      ),
      'value',
      /target at \[1\] must be one of the 2 classes of the model, 0 to 1, got 2/,
    ],
    [
      'a class index that is not an integer',
      compute('sparseCategoricalCrossentropy', [[1, 2]], [0.5]),
      'value',
      /got 0\.5/,
    ],
    [
      'a target below 0',
      compute('binaryCrossentropy', [[0.5, 0.5]], [[0, -1]]),
      'value',
      /target at \[0, 1\] must be between 0 and 1, got -1.*as 0 and 1/,
    ],
    [
      'class indices instead of one-hot targets',
      compute('categoricalCrossentropy', [[0.5, 0.5]], [[0, 2]]),
      'value',
      /got 2.*sparseCategorical/,
    ],
    [
      'a negative count',
      compute('poisson', [[1], [1]], [[0], [-2]]),
      'value',
      /target at \[1\] must be .*, got -2.*without differencing/,
    ],
    [
      'a count with a fraction',
      compute('negativeBinomialNll', [[1, 1]], [[0.5]]),
      'value',
      /must be an integer >= 0, got 0\.5/,
    ],
    [
      'too few outputs for a distribution',
      compute('studentTNll', [[1, 1]], [[1]]),
      'shape',
      /3 outputs.*3 x 1 = 3 units/,
    ],
    [
      'more outputs than quantiles',
      compute({ name: 'pinball', quantiles: [0.1, 0.9] }, [[1, 2, 3]], [1]),
      'value',
      /must predict 2 numbers, one for each quantile, got 3/,
    ],
    ['a quantile of 1', () => losses.pinball({ quantile: 1 }), 'value', /above 0 and below 1, got 1/],
    [
      'both quantile and quantiles',
      () => losses.pinball({ quantile: 0.5, quantiles: [0.5] }),
      'value',
      /not both/,
    ],
    ['a delta of 0', () => resolveLoss({ name: 'huber', delta: 0 }), 'value', /above 0, got 0/],
    [
      'an infinite delta',
      () => resolveLoss({ name: 'huber', delta: Number.POSITIVE_INFINITY }),
      'value',
      /delta must be a finite number above 0, got Infinity/,
    ],
    [
      'a label smoothing above 1',
      () => resolveLoss({ name: 'binaryCrossentropy', labelSmoothing: 2 }),
      'value',
      /labelSmoothing/,
    ],
    [
      'an infinite gamma',
      () => resolveLoss({ name: 'binaryFocalCrossentropy', gamma: Number.POSITIVE_INFINITY }),
      'value',
      /gamma must be a finite, non-negative number, got Infinity/,
    ],
    ['a negative gamma', () => resolveLoss({ name: 'binaryFocalCrossentropy', gamma: -1 }), 'value', /gamma/],
    [
      'more alphas than classes',
      compute({ name: 'categoricalFocalCrossentropy', alpha: [1, 2, 3] }, [[0.5, 0.5]], [[0, 1]]),
      'value',
      /each of the 2 classes, got 3/,
    ],
    [
      'an unknown spread',
      () => resolveLoss({ name: 'gaussianNll', spread: 'sd' }),
      'value',
      /'scale' or 'variance'/,
    ],
    [
      'a mask per step for a loss per sequence',
      () => resolveLoss('mse').compute(zeros([2, 1]), zeros([2, 1]), zeros([2, 5])),
      'shape',
      /mask has shape \[2, 5\].*must not return a mask/,
    ],
    [
      'weights of another batch size',
      () => resolveLoss('mse').compute(zeros([2, 3, 1]), zeros([2, 3, 1]), null, zeros([3])),
      'shape',
      /weights have shape \[3\].*\[2\] or one per step, \[2, 3\]/,
    ],
    [
      'a scalar prediction',
      () => resolveLoss('mse').compute(zeros([]), zeros([]), null),
      'shape',
      /single number/,
    ],
    [
      'a class weight below 0',
      () => combineWeights(zeros([2]), [2], { 0: -1 }),
      'value',
      /got -1 for class 0/,
    ],
    [
      'an infinite class weight',
      () => combineWeights(zeros([2]), [2], { 1: Number.POSITIVE_INFINITY }),
      'value',
      /must be finite, non-negative numbers by class index.*got Infinity for class 1/,
    ],
    [
      'targets without a class for each row',
      () => combineWeights(zeros([2]), [2, 3], [1]),
      'shape',
      /must have one class per row/,
    ],
  ];
  for (const [name, run, code, message] of cases) {
    test(name, () => {
      assert.throws(run, fails(code, message));
    });
  }
  test('the error for an invalid class gives its index among all rows, including masked ones', () => {
    const run = (): Tensor =>
      losses.sparseCategoricalCrossentropy().compute(
        zeros([2, 3, 4]),
        tensor([
          [9, 0, 1],
          [9, 9, 2],
        ]),
        tensor([
          [0, 1, 1],
          [0, 1, 1],
        ]),
      );
    assert.throws(run, fails('value', /target at \[1, 1\] must be .*, got 9/));
  });
});
