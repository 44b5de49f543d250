/**
 * Connectionist temporal classification: compares the loss with a sum over all alignments, with PyTorch and with Keras,
 * compares the label error rate with jiwer, and tests the options and errors of the loss. Detects a missing or extra alignment,
 * a wrong reduction, a gradient of masked steps, and a loss that does not skip masked steps between valid ones.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ctc, sum, type Tensor, tensor, valueAndGrad } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { gradientTolerance, mismatch, onBackend, outputTolerance, throwProblems } from '@unroll/testkit';
import { losses, metrics, resolveLoss, resolveMetric } from '@unroll/train';
import { fails } from './fails.js';
import { numbersOf, type Packed, toTensor, trainingGoldens } from './goldens.js';

interface Golden {
  name: string;
  options: Record<string, unknown> & { reduction?: 'none' };
  logits: Packed;
  lengths: number[];
  target: Packed;
  value: Packed;
  gradient: Packed;
}

const goldens = trainingGoldens<{ cases: Golden[]; rates: (Omit<Golden, 'value'> & { value: number })[] }>(
  'ctc.json',
);

/** Returns the mask of sequences with these lengths; null if all have T steps. */
const maskOf = (lengths: readonly number[], T: number): Tensor | null =>
  lengths.every((length) => length === T)
    ? null
    : tensor(lengths.map((length) => Array.from({ length: T }, (_, t) => (t < length ? 1 : 0))));

describe('the loss against PyTorch and Keras', () => {
  for (const golden of goldens.cases) {
    test(golden.name, () => {
      const logits = toTensor(golden.logits);
      const mask = maskOf(golden.lengths, logits.shape[1]);
      const loss = resolveLoss({ name: 'ctc', ...golden.options });
      let value: readonly number[] = [];
      const { grads } = valueAndGrad(() => {
        const result = loss.compute(logits, toTensor(golden.target), mask);
        value = [...result.dataSync()];
        return sum(result);
      }, [logits]);
      const [wanted, gradient] = [numbersOf(golden.value), numbersOf(golden.gradient)];
      throwProblems([
        mismatch('value', value, wanted, outputTolerance(wanted)),
        mismatch('gradient', grads[0].dataSync(), gradient, Math.max(1e-7, gradientTolerance(gradient))),
      ]);
    });
  }
});

/** Returns every sequence of `length` classes. */
function sequences(classes: number, length: number): number[][] {
  if (length === 0) return [[]];
  return sequences(classes, length - 1).flatMap((prefix) =>
    Array.from({ length: classes }, (_, k) => [...prefix, k]),
  );
}

/** Returns the labels of an alignment: merges repetitions, then removes blanks. */
const collapse = (path: readonly number[], blank: number): number[] =>
  path.filter((k, t) => k !== blank && k !== path[t - 1]);

describe('the loss against the sum over all alignments', () => {
  const C = 3;
  for (const T of [1, 2, 3, 4, 5, 6]) {
    test(`3 classes, ${T} steps, every blank and every target`, () => {
      const logits = Array.from({ length: T }, (_, t) =>
        Array.from({ length: C }, (_, k) => 3 * Math.sin(5 * t * t + 3 * k + 1)),
      );
      const logP = logits.map((row) => {
        const total = row.reduce((all, x) => all + Math.exp(x), 0);
        return row.map((x) => x - Math.log(total));
      });
      for (const blank of [0, 1, 2]) {
        const probabilities = new Map<string, number>();
        for (const path of sequences(C, T)) {
          const key = collapse(path, blank).join();
          const p = Math.exp(path.reduce((all, k, t) => all + logP[t][k], 0));
          probabilities.set(key, (probabilities.get(key) ?? 0) + p);
        }
        const labels = [0, 1, 2].filter((k) => k !== blank);
        const targets = Array.from({ length: T + 2 }, (_, n) =>
          sequences(2, n).map((target) => target.map((i) => labels[i])),
        ).flat();
        const got = lossesOf(logits, targets, blank);
        targets.forEach((target, i) => {
          const wanted = -Math.log(probabilities.get(target.join()) ?? 0);
          assert.ok(
            got[i] === wanted || Math.abs(got[i] - wanted) < 1e-11,
            `[${target}]: ${got[i]}, ${wanted}`,
          );
        });
      }
    });
  }

  /** Returns the loss of every target for the same logits, in float64. */
  function lossesOf(logits: number[][], targets: readonly (readonly number[])[], blank: number) {
    const L = Math.max(...targets.map((target) => target.length));
    return onBackend(backendSync('reference:float64'), () =>
      ctc(
        tensor(targets.map(() => logits)),
        tensor(targets.map((target) => Array.from({ length: L }, (_, i) => target[i] ?? -1))),
        tensor(targets.map(() => logits.length)),
        tensor(targets.map((target) => target.length)),
        { blank },
      ).dataSync(),
    );
  }
});

const LOGITS = tensor([
  [[0.1, 0.7, -0.3], [1.1, 0.2, 0.4], [-0.5, 0.9, 0.3], [0.6, -0.8, 0.2], [0, 0.3, 0.9]],
  [[0.9, 0.1, -0.7], [0.3, -0.2, 1.4], [0.5, 0.4, 0.2], [0.1, 0.8, -0.2], [0.7, 0.3, 0.1]],
]); // biome-ignore format: numbers

describe('options of the loss', () => {
  test('a mask with gaps gives the same loss as the valid steps alone', () => {
    const gaps = tensor([
      [0, 1, 1, 0, 1],
      [1, 0, 0, 1, 1],
    ]);
    const values = LOGITS.toArray() as number[][][];
    const validSteps = tensor([
      [values[0][1], values[0][2], values[0][4]],
      [values[1][0], values[1][3], values[1][4]],
    ]);
    const target = tensor([
      [1, 2],
      [2, -1],
    ]);
    const loss = losses.ctc();
    const compute = (x: Tensor, mask: Tensor | null) =>
      valueAndGrad(() => loss.compute(x, target, mask), [x]);
    const [withGaps, withoutGaps] = [compute(LOGITS, gaps), compute(validSteps, null)];
    assert.equal(withGaps.value.item(), withoutGaps.value.item());
    const [dx, dValid] = [
      withGaps.grads[0].toArray() as number[][][],
      withoutGaps.grads[0].toArray() as number[][][],
    ];
    assert.deepEqual([dx[0][1], dx[0][2], dx[0][4], dx[1][0], dx[1][3], dx[1][4]], dValid.flat());
    assert.deepEqual([dx[0][0], dx[0][3], dx[1][1], dx[1][2]].flat(), new Array(12).fill(0));
  });

  test('the config contains all options', () => {
    const { name, config } = losses.ctc({ blank: 2, normalize: 'targetLength' });
    const wanted = {
      blank: 2,
      padding: -1,
      zeroInfinity: false,
      normalize: 'targetLength',
      reduction: 'sumOverBatchSize',
    };
    assert.deepEqual([name, config], ['ctc', wanted]);
    assert.deepEqual(resolveLoss({ name: 'ctc', ...config }).config, wanted);
  });

  test('a target [B, L, 1] gives the same loss as [B, L]', () => {
    const target = tensor([[1, 2], [2, -1]]); // biome-ignore format: one line
    const deeper = tensor([[[1], [2]], [[2], [-1]]]); // biome-ignore format: one line
    const loss = losses.ctc();
    assert.equal(loss.compute(LOGITS, deeper, null).item(), loss.compute(LOGITS, target, null).item());
  });
});

describe('errors of the loss', () => {
  const computeLoss = (target: number[][], options = {}) => () => losses.ctc(options).compute(LOGITS, tensor(target), null); // biome-ignore format: one line
  test('a target that is too long for its input', () => {
    assert.throws(
      computeLoss([[1, 2, -1, -1], [1, 1, 1, 2]]), // biome-ignore format: one line
      fails(
        'value',
        /target of the example at index 1 of the batch needs 6 steps \(4 labels, and a blank between 2 pairs of equal neighbours\), but the prediction has 5\. Use longer inputs .* zeroInfinity: true/,
      ),
    );
    const loss = computeLoss([[1, 2, -1, -1], [1, 1, 1, 2]], { zeroInfinity: true, reduction: 'none' })(); // biome-ignore format: one line
    assert.equal(loss.dataSync()[1], 0);
    assert.ok(loss.dataSync()[0] > 0);
  });
  test('labels that are not classes of the model', () => {
    assert.throws(computeLoss([[1], [3]]), fails('value', /labels of the example at index 1 of the batch must be classes of the model, 0 to 2, got 3 at step 0/)); // biome-ignore format: one line
    assert.throws(computeLoss([[1.5], [1]]), fails('value', /index 0 .* got 1.5/));
    assert.throws(computeLoss([[1, -2], [1, 1]]), fails('value', /index 0 .* got -2 at step 1\. Set padding/)); // biome-ignore format: one line
  });
  test('a blank that is not a class of the model, or that is in a target', () => {
    assert.throws(computeLoss([[1, 0], [1, 1]]), fails('value', /index 0 of the batch contain the blank \(0\) at step 1\. Set blank/)); // biome-ignore format: one line
    assert.throws(computeLoss([[1], [1]], { blank: 3 }), fails('value', /blank must be a class of the model, 0 to 2, got 3\. The last layer needs one unit per label/)); // biome-ignore format: one line
    assert.throws(() => losses.ctc({ blank: -1 }), fails('value', /blank/));
  });
  test('wrong shapes and options, and padding before a label', () => {
    const target = tensor([[[1, 2]], [[1, 2]]]); // biome-ignore format: one line
    assert.throws(() => losses.ctc().compute(LOGITS, target, null), fails('shape', /target must be labels of the shape \[2, steps\], got the shape \[2, 1, 2\]/)); // biome-ignore format: one line
    assert.throws(() => losses.ctc().compute(tensor([[1, 2]]), tensor([[1]]), null), fails('shape', /returnSequences: true/)); // biome-ignore format: one line
    assert.throws(() => losses.ctc({ normalize: 'x' as 'none' }), fails('value', /normalize/));
    assert.throws(computeLoss([[-1, 1], [1, 1]]), fails('value', /padding at step 0/)); // biome-ignore format: one line
  });
  test('invalid arguments of the op itself', () => {
    const call = (targets: number[][], lengths: number[], counts: number[], options = {}) => () => ctc(LOGITS, targets, lengths, counts, options); // biome-ignore format: one line
    assert.throws(call([[1], [1]], [5, 6], [1, 1]), fails('value', /the length of sequence 1 must be an integer from 0 to 5, got 6/)); // biome-ignore format: one line
    assert.throws(call([[1], [1]], [5, 5], [2, 1]), fails('value', /the target length of sequence 0 must be an integer from 0 to 1, got 2/)); // biome-ignore format: one line
    assert.throws(call([[1], [0]], [5, 5], [1, 1]), fails('value', /index 0 of target 1 must be a class index from 0 to 2 except the blank \(0\), got 0/)); // biome-ignore format: one line
    assert.throws(call([[1], [1]], [5, 5], [1, 1], { blank: 9 }), fails('value', /blank must be a class index from 0 to 2, got 9/)); // biome-ignore format: one line
    assert.throws(call([[1]], [5, 5], [1, 1]), fails('shape', /ctc takes logits \[B, T, C\]/));
  });
});

describe('the label error rate', () => {
  for (const { name, options, logits, lengths, target, value } of goldens.rates) {
    test(`against jiwer: ${name}`, () => {
      const scores = toTensor(logits);
      const metric = resolveMetric({ name: 'labelErrorRate', ...options });
      metric.update(scores, toTensor(target), maskOf(lengths, scores.shape[1]));
      assert.ok(Math.abs(metric.result() - value) < 1e-12, `${metric.result()}, ${value}`);
    });
  }
  test('supports weights and empty targets, and rejects wrong shapes', () => {
    const metric = metrics.labelErrorRate();
    assert.equal(metric.result(), 0);
    const path = (classes: number[]): number[][] =>
      classes.map((k) => [0, 1, 2].map((c) => (c === k ? 1 : 0)));
    const scores = tensor([path([1, 1, 0, 1]), path([0, 2, 2, 0])]);
    metric.update(scores, tensor([[1, 1, 2], [-1, -1, -1]]), null, tensor([2, 1])); // biome-ignore format: one line
    assert.equal(metric.result(), (2 * 1 + 1) / (2 * 3));
    assert.throws(
      () => metric.update(scores, tensor([[1]])),
      fails('shape', /labelErrorRate: predictions must have the shape/),
    );
  });
});
