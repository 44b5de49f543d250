/**
 * Losses over sequences: the lengths of predictions and targets, masked and padded steps, weights and reductions,
 * gradients of the prediction and of the parameter of the loss, and errors for invalid examples.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Parameter, type Tensor, tensor, valueAndGrad, zeros } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { onBackend } from '@unroll/testkit';
import { type Loss, losses, type Reduction, registerLoss, resolveLoss } from '@unroll/train';
import { bagOfLabels, bagOfLabelsByHand } from './bag-loss.js';
import { fails } from './fails.js';

const float64 = backendSync('reference:float64');
const [B, T, K] = [4, 3, 3];
const values = Array.from({ length: B }, (_, b) =>
  Array.from({ length: T }, (_, t) => Array.from({ length: K }, (_, k) => Math.sin(7 * b + 3 * t + 5 * k))),
);
const labels = [
  [0, 2, 1, 1, 0],
  [1, -1, -1, -1, -1],
  [-1, -1, -1, -1, -1],
  [2, 2, 0, -1, -1],
];
const maskWithGaps = [
  [1, 1, 1],
  [1, 0, 1],
  [0, 1, 0],
  [0, 0, 0],
];

/** Builds the parameters of a loss, and returns the loss. */
function withParameters(loss: Loss): Loss {
  loss.build?.([-1, -1, K], (name, shape, initial, options = {}) =>
    Object.assign(new Parameter(name, shape, [initial as number]), options),
  );
  return loss;
}

/** Computes the loss of each sequence over its valid steps in plain numbers. */
function byHand(mask: readonly (readonly number[])[] | null, sharpness: number): number[] {
  return values.map((steps, b) =>
    bagOfLabelsByHand(
      steps.filter((_, t) => !mask || mask[b][t] === 1),
      labels[b].filter((label) => label >= 0),
      sharpness,
    ),
  );
}

const close = (got: Tensor, want: readonly number[]): void => {
  const found = got.dataSync();
  assert.equal(found.length, want.length);
  want.forEach((value, i) => {
    assert.ok(Math.abs(found[i] - value) < 1e-12, `${i}: ${found[i]} expected ${value}`);
  });
};

describe('a loss over sequences', () => {
  test('receives the lengths of predictions and targets, and returns one number per sequence', () => {
    onBackend(float64, () => {
      const loss = withParameters(bagOfLabels({ start: 1.5 }));
      close(loss.rows(tensor(values), tensor(labels)), byHand(null, 1.5));
      const seen: number[][] = [];
      const recorder = losses.sequence({
        ...{ name: 'recorder', padding: -1 },
        losses({ lengths, targetLengths, prediction }) {
          seen.push([...lengths], [...targetLengths]);
          return zeros([prediction.shape[0]]);
        },
      });
      recorder.compute(tensor(values), tensor(labels), tensor(maskWithGaps));
      recorder.compute(tensor(values), tensor(labels), null);
      assert.deepEqual(seen, [[3, 2, 1], [5, 1, 0], [3, 3, 3, 3], [5, 1, 0, 3]]); // biome-ignore format: one line
    });
  });

  test('supports reductions and weights per sequence; fully masked sequences have no effect', () => {
    onBackend(float64, () => {
      const rows = byHand(maskWithGaps, 1).slice(0, 3);
      const weights = [1, 0.5, 3, 100];
      const weighted = rows.map((row, b) => row * weights[b]);
      const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
      const want: Record<Reduction, [number[], number[]]> = {
        sumOverBatchSize: [[sum(rows) / 3], [sum(weighted) / 3]],
        meanWithSampleWeight: [[sum(rows) / 3], [sum(weighted) / 4.5]],
        sum: [[sum(rows)], [sum(weighted)]],
        none: [
          [...rows, 0],
          [...weighted, 0],
        ],
      };
      const withNaN = values.map((steps, b) => (b === 3 ? steps.map((x) => x.map(() => Number.NaN)) : steps));
      for (const [reduction, [plain, byWeight]] of Object.entries(want)) {
        const loss = withParameters(bagOfLabels({ reduction: reduction as Reduction }));
        close(loss.compute(tensor(withNaN), tensor(labels), tensor(maskWithGaps)), plain);
        close(loss.compute(tensor(withNaN), tensor(labels), tensor(maskWithGaps), tensor(weights)), byWeight);
        const divisor = { sum: 1, meanWithSampleWeight: 4.5 }[reduction] ?? 3;
        assert.equal(
          loss.divisor(tensor(withNaN), tensor(labels), tensor(maskWithGaps), tensor(weights)),
          divisor,
        );
      }
      const loss = withParameters(bagOfLabels());
      assert.equal(loss.compute(tensor(withNaN), tensor(labels), zeros([B, T])).item(), 0);
    });
  });

  test('has correct gradients for the prediction and the parameter of the loss (central differences)', () => {
    onBackend(float64, () => {
      const loss = withParameters(bagOfLabels({ start: 0.7 }));
      const x = new Parameter('x', [B, T, K], values.flat(2));
      const parameters = [x, loss.parameters![0]];
      const compute = (): Tensor =>
        loss.compute(x, tensor(labels), tensor(maskWithGaps), tensor([1, 2, 3, 4]));
      const { grads } = valueAndGrad(compute, parameters);
      parameters.forEach((parameter, n) => {
        const before = parameter.dataSync();
        before.forEach((value, i) => {
          const lossWith = (newValue: number): number => {
            parameter.assign(before.map((old, j) => (j === i ? newValue : old)));
            return compute().item();
          };
          const difference = (lossWith(value + 1e-5) - lossWith(value - 1e-5)) / 2e-5;
          const got = grads[n].dataSync()[i];
          assert.ok(
            Math.abs(got - difference) < 1e-8,
            `${parameter.name} ${i}: ${got} expected ${difference}`,
          );
        });
        parameter.assign(before);
      });
      assert.ok(Math.abs(grads[1].item()) > 1e-3);
    });
  });

  test('supports a target mask instead of a padding value, and vectors as target steps', () => {
    const lengthsOf = (definition: object, target: Tensor, mask: Tensor | null = null): number[] => {
      let found: number[] = [];
      losses
        .sequence({
          name: 'recorder',
          ...definition,
          losses({ targetLengths, prediction }) {
            found = [...targetLengths];
            return zeros([prediction.shape[0]]);
          },
        })
        .compute(zeros([2, 3, 1]), target, mask);
      return found;
    };
    const predictionMask = { targetMask: (_target: Tensor, mask: Tensor | null) => mask };
    assert.deepEqual(lengthsOf(predictionMask, zeros([2, 3]), tensor([[1, 1, 0], [1, 0, 0]])), [2, 1]); // biome-ignore format: one line
    assert.deepEqual(lengthsOf(predictionMask, zeros([2, 3])), [3, 3]);
    assert.deepEqual(lengthsOf({}, zeros([2, 5])), [5, 5]);
    const vectors = tensor([[[0, 1], [9, 9]], [[9, 9], [9, 9]]]); // biome-ignore format: one line
    assert.deepEqual(lengthsOf({ padding: 9 }, vectors), [1, 0]);
    assert.deepEqual(lengthsOf({ padding: 0.1 }, tensor([[0.5, 0.1], [0.1, 0.1]])), [1, 0]); // biome-ignore format: one line
    assert.throws(
      () => lengthsOf({ targetMask: () => zeros([1, 2]) }, zeros([2, 3])),
      fails('shape', /recorder: the target mask must have the shape \[2, 3\], got \[1, 2\]/),
    );
  });

  test('errors name the example', () => {
    const loss = withParameters(bagOfLabels());
    const x = tensor(values);
    const wrong = labels.map((row, b) => (b === 3 ? [2, 7, -1, -1, -1] : row));
    // Example 2 is fully masked; errors still number the examples of the whole batch.
    const maskOfExample2 = tensor([[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 1, 1]]); // biome-ignore format: one line
    assert.throws(
      () => loss.compute(x, tensor(wrong), maskOfExample2),
      fails('value', /the target of the example at index 3 of the batch has the label 7/),
    );
    const paddingBeforeLabel = labels.map((row, b) => (b === 1 ? [1, -1, -1, 0, -1] : row));
    assert.throws(
      () => loss.compute(x, tensor(paddingBeforeLabel), null),
      fails(
        'value',
        /target of the example at index 1 of the batch has padding at step 1, before the value at step 3\. Padding must be at the end/,
      ),
    );
    assert.throws(
      () => loss.compute(zeros([4, 3]), tensor(labels), null),
      fails('shape', /bagOfLabels: predictions must be sequences .* got \[4, 3\].*returnSequences/),
    );
    assert.throws(
      () => loss.compute(x, zeros([3, 5]), null),
      fails('shape', /the target must have the shape \[4, steps, \.\.\.\] .* got \[3, 5\]/),
    );
    assert.throws(
      () => loss.compute(x, tensor(labels), zeros([4])),
      fails('shape', /the mask must have the shape \[4, 3\], got \[4\]/),
    );
    assert.throws(
      () => loss.compute(x, tensor(labels), null, zeros([4, 3])),
      fails('shape', /the weights have shape \[4, 3\], but there is one result per example/),
    );
    assert.throws(() => bagOfLabels({ reduction: 'avg' as Reduction }), fails('value', /no reduction "avg"/));
    const one = losses.sequence({ name: 'one', losses: () => zeros([]) });
    assert.throws(
      () => one.compute(x, tensor(labels), null),
      fails('shape', /one: losses\(\) must return one number per sequence, shape \[4\], got the shape \[\]/),
    );
    assert.throws(
      () => bagOfLabels().compute(x, tensor(labels), null),
      fails('state', /The parameters of bagOfLabels are not built/),
    );
    assert.throws(
      () => loss.build!([-1, -1, 5], null as never),
      fails(
        'shape',
        /parameters were built for predictions with a last axis of 3, got the shape \[-1, -1, 5\]/,
      ),
    );
    assert.throws(
      () => bagOfLabels().build!([-1, 5], null as never),
      fails('shape', /predictions must be sequences/),
    );
  });

  test('can be registered by name', () => {
    assert.throws(
      () => resolveLoss({ name: 'bagOfLabels' } as never),
      fails('value', /There is no loss "bagOfLabels"/),
    );
    registerLoss('bagOfLabels', bagOfLabels);
    const loss = resolveLoss({ name: 'bagOfLabels', start: 3, reduction: 'sum' } as never);
    assert.deepEqual(loss.config, { start: 3, reduction: 'sum' });
    assert.throws(
      () => registerLoss('mse', bagOfLabels),
      fails('value', /registerLoss: "mse" is a built-in loss/),
    );
  });
});
