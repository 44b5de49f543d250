/** Losses of empty, masked and extreme inputs, and the shapes that losses accept. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mul, sub, sum, type Tensor, tensor, valueAndGrad, zeros } from '@unroll/core';
import { type LossName, type LossSpec, losses, resolveLoss } from '@unroll/train';
import { combineWeights } from '@unroll/train/internal';
import { fails } from './fails.js';
import { close, example, LOSS_VARIANTS, title } from './loss-examples.js';

const { log } = Math;

const ALL: LossSpec[] = [
  ...new Set(LOSS_VARIANTS.map((spec) => (spec as { name: string }).name ?? spec)),
].map((name) => (name === 'pinball' ? { name: 'pinball', quantiles: [0.1, 0.5, 0.9] } : (name as LossName)));

describe('losses without valid rows', () => {
  for (const spec of ALL) {
    test(`${title(spec)}: loss and gradient are 0 if all rows are masked or have weight 0, or if there are no rows`, () => {
      const loss = resolveLoss(spec);
      const { prediction, target } = example(loss.name as LossName, 3);
      const p = tensor(prediction);
      const y = tensor(target as number[][]);
      const assertZero = (loss: () => Tensor, input: Tensor): void => {
        const { value, grads } = valueAndGrad(loss, [input]);
        assert.equal(value.item(), 0);
        assert.deepEqual(
          [...grads[0]!.dataSync()],
          Array.from({ length: input.size }, () => 0),
        );
      };
      assertZero(() => loss.compute(p, y, zeros([2, 3])), p);
      const emptyP = zeros([0, 3, prediction[0]![0]!.length]);
      assertZero(() => loss.compute(emptyP, zeros([0, ...y.shape.slice(1)]), null), emptyP);
      const byWeight = resolveLoss({
        ...(typeof spec === 'string' ? { name: spec } : spec),
        reduction: 'meanWithSampleWeight',
      } as LossSpec);
      assertZero(() => byWeight.compute(p, y, null, zeros([2])), p);
    });

    test(`${title(spec)}: masked values have no effect, including NaN`, () => {
      const loss = resolveLoss(spec);
      const { prediction, target } = example(loss.name as LossName, 5);
      const y = tensor(target as number[][]);
      const mask = tensor([
        [1, 1, 1],
        [1, 0, 0],
      ]);
      const replaceMasked = (values: Tensor, replacement: number): Tensor => {
        const width = values.size / 6;
        return tensor(
          values.dataSync().map((value, i) => (i >= 4 * width ? replacement : value)),
          values.shape,
        );
      };
      const compute = (p: Tensor, t: Tensor): { value: number; gradient: readonly number[] } => {
        const { value, grads } = valueAndGrad(() => loss.compute(p, t, mask), [p]);
        return { value: value.item(), gradient: [...grads[0]!.dataSync()] };
      };
      const clean = compute(tensor(prediction), y);
      assert.ok(Number.isFinite(clean.value));
      const [maskedPrediction, maskedTarget] = [tensor(prediction), y].map((x) =>
        replaceMasked(x, Number.NaN),
      );
      assert.deepEqual(compute(maskedPrediction!, maskedTarget!), clean);
      assert.deepEqual(compute(tensor(prediction), replaceMasked(y, -1)), clean); // the padding -1 is not a valid class or count
    });
  }
});

describe('losses of extreme predictions', () => {
  const BIG = [1000, -1000, 88, -88, 0];
  for (const name of ['binaryCrossentropy', 'binaryFocalCrossentropy'] as const) {
    test(`${name} from logits of ±1000 is finite, with the full gradient for certain but wrong predictions`, () => {
      const loss = resolveLoss({ name, fromLogits: true });
      for (const target of [0, 1]) {
        const p = tensor(BIG.map((x) => [x]));
        const { value, grads } = valueAndGrad(
          () => loss.compute(p, tensor(BIG.map(() => [target])), null),
          [p],
        );
        assert.ok(Number.isFinite(value.item()));
        const wrong = BIG.map((x) => (target === 1 ? x === -1000 : x === 1000));
        grads[0]!.dataSync().forEach((grad, i) => {
          assert.ok(Number.isFinite(grad));
          if (wrong[i]) close([grad], [(target === 1 ? -1 : 1) / BIG.length]);
        });
        close(
          loss
            .rows(p, tensor(BIG.map(() => [target])))
            .dataSync()
            .filter((_, i) => wrong[i]),
          [1000],
        );
      }
    });
  }
  for (const name of [
    'categoricalCrossentropy',
    'sparseCategoricalCrossentropy',
    'categoricalFocalCrossentropy',
  ] as const) {
    test(`${name} from logits of ±1000 is finite, with the full gradient for certain but wrong predictions`, () => {
      const loss = resolveLoss({ name, fromLogits: true });
      const p = tensor([
        [1000, -1000, 0],
        [-1000, 1000, 0],
        [1000, 1000, 1000],
      ]);
      const y = name.startsWith('sparse')
        ? tensor([0, 0, 0])
        : tensor([
            [1, 0, 0],
            [1, 0, 0],
            [1, 0, 0],
          ]);
      const { grads } = valueAndGrad(() => loss.compute(p, y, null), [p]);
      const alpha = name === 'categoricalFocalCrossentropy' ? 0.25 : 1;
      const factorOfThird = name === 'categoricalFocalCrossentropy' ? 0.25 * (2 / 3) ** 2 : 1;
      close(loss.rows(p, y).dataSync(), [0, 2000 * alpha, log(3) * factorOfThird]);
      close(grads[0]!.dataSync().slice(0, 6), [0, 0, 0, -alpha / 3, alpha / 3, 0]);
      assert.ok(grads[0]!.dataSync().every(Number.isFinite));
    });
  }
  for (const name of ['gaussianNll', 'studentTNll', 'negativeBinomialNll'] as const) {
    test(`${name}: raw outputs of ±1000 give a finite loss and gradient`, () => {
      const loss = resolveLoss(name);
      const parts = name === 'studentTNll' ? 3 : 2;
      for (let signs = 0; signs < 2 ** parts; signs++) {
        const p = tensor([Array.from({ length: parts }, (_, i) => ((signs >> i) & 1 ? 1000 : -1000))]);
        for (const y of [0, 3]) {
          const { value, grads } = valueAndGrad(() => loss.compute(p, tensor([[y]]), null), [p]);
          assert.ok(Number.isFinite(value.item()), `value for ${p.toArray()}`);
          assert.ok(grads[0]!.dataSync().every(Number.isFinite), `gradient for ${p.toArray()}`);
        }
      }
    });
  }
  test('focal losses with gamma below 1 have a finite gradient for perfect predictions', () => {
    const p = tensor([[1], [0]]);
    const loss = resolveLoss({ name: 'binaryFocalCrossentropy', gamma: 0.5 });
    const { grads } = valueAndGrad(() => loss.compute(p, tensor([[1], [0]]), null), [p]);
    assert.ok(grads[0]!.dataSync().every(Number.isFinite));
  });
});

describe('losses of single rows', () => {
  const loss = resolveLoss({ name: 'sparseCategoricalCrossentropy', ignoreClass: -1, reduction: 'none' });
  const p = tensor([
    [0.5, 0.5],
    [0.25, 0.75],
    [0.5, 0.5],
  ]);
  test('are 0 for masked and ignored rows with any target', () => {
    const rows = loss.compute(p, tensor([9, 0, -1]), tensor([0, 1, 1]), tensor([1, 2, 3]));
    close(rows.dataSync(), [0, -2 * log(0.25), 0]);
    close(loss.rows(p, tensor([-1, 0, -1])).dataSync(), [0, -log(0.25), 0]);
    close(loss.rows(p, tensor([-1, -1, -1])).dataSync(), [0, 0, 0]);
  });
  test('a custom loss supports masks and weights', () => {
    const cubed = losses.custom('cubed', (prediction, target) => {
      const error = sub(prediction, target);
      return sum(mul(error, mul(error, error)), -1);
    });
    const p = tensor([1, 2, 3, 4], [2, 2, 1]);
    const cubes = cubed.compute(p, zeros([2, 2]), tensor([1, 1, 1, 0], [2, 2]), tensor([1, 2]));
    assert.equal(cubes.item(), (1 + 8 + 2 * 27) / 3);
    assert.throws(() => cubed.compute(zeros([2, 1]), zeros([3]), null), fails('shape', /^cubed: /));
  });
});

describe('shapes of predictions, targets, masks and weights', () => {
  const mse = resolveLoss('mse');
  test('adds a missing last axis of 1, and treats [B] as one row per example', () => {
    const p = tensor([[1], [3]]);
    assert.equal(mse.compute(p, tensor([0, 0]), null).item(), 5);
    assert.deepEqual([...mse.rows(tensor([1, 3]), tensor([0, 0])).dataSync()], [1, 9]);
    assert.equal(losses.sparseCategoricalCrossentropy().rows(tensor([[0.5, 0.5]]), tensor([[1]])).size, 1);
  });
  test('weights [B] apply to sequences, [B, T] to steps', () => {
    const p = tensor([
      [[1], [2]],
      [[3], [4]],
    ]);
    const y = zeros([2, 2, 1]);
    assert.equal(mse.compute(p, y, null, tensor([1, 2])).item(), (1 + 4 + 2 * 9 + 2 * 16) / 4);
    assert.equal(
      mse
        .compute(
          p,
          y,
          null,
          tensor([
            [1, 0],
            [0, 1],
          ]),
        )
        .item(),
      (1 + 16) / 4,
    );
    assert.equal(mse.compute(p, y, tensor([1, 0]), null).item(), (1 + 4) / 2);
  });
  test('class weights from class indices and from one-hot targets, multiplied by sample weights', () => {
    const ids = combineWeights(tensor([0, 1, 2]), [3], { 1: 5, 2: 0.5 });
    assert.deepEqual([...ids.dataSync()], [1, 5, 0.5]);
    const oneHot = combineWeights(
      tensor([
        [0, 1],
        [1, 0],
      ]),
      [2],
      [3, 4],
      tensor([1, 2]),
    );
    assert.deepEqual([...oneHot.dataSync()], [4, 6]);
    const steps = combineWeights(
      tensor([
        [0, 1],
        [1, 1],
      ]),
      [2, 2],
      [1, 7],
      tensor([1, 10]),
    );
    assert.deepEqual([...steps.dataSync()], [1, 7, 70, 70]);
  });
});
