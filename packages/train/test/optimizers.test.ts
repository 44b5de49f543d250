/**
 * Compares optimizers, weight decay and moving averages with hand-computed values, and tests names, options and errors.
 * optimizers-goldens.test.ts compares optimizers with Keras and PyTorch.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FlatBuffer } from '@unroll/core/internal';
import {
  adam,
  cosineDecay,
  nadam,
  type OptimizerName,
  type OptimizerSpec,
  resolveOptimizer,
  sgd,
  WeightAverage,
} from '@unroll/train';
import { fails } from './fails.js';
import { close } from './loss-examples.js';
import { runOptimizer } from './optimizer-run.js';

const NAMES: OptimizerName[] = ['sgd', 'rmsprop', 'adagrad', 'adam', 'adamw', 'nadam'];

describe('optimizers by name', () => {
  for (const name of NAMES) {
    test(`${name} can be restored from its name and options, including its schedule`, () => {
      const original = resolveOptimizer({
        name,
        learningRate: cosineDecay({ initialLearningRate: 1, decaySteps: 4 }),
      });
      const restored = resolveOptimizer(
        JSON.parse(JSON.stringify({ name, ...original.config })) as OptimizerSpec,
      );
      assert.deepEqual(restored.config, original.config);
      assert.deepEqual([original.learningRate, restored.rate(2), restored.rate(9)], [1, 0.5, 0]);
      assert.deepEqual(restored.slots, original.slots);
    });
  }
  test('the defaults are those of Keras', () => {
    const rates = NAMES.map((name) => resolveOptimizer(name).learningRate);
    assert.deepEqual(rates, [0.01, 0.001, 0.001, 0.001, 0.001, 0.001]);
    const { learningRate, excludeFromWeightDecay, ...otherOptions } = adam().config;
    assert.deepEqual([learningRate, excludeFromWeightDecay], [0.001, []]);
    const adamOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
    assert.deepEqual(otherOptions, { ...adamOptions, weightDecay: 0, convention: 'keras', lazy: false });
    assert.equal(resolveOptimizer('adamw').config.weightDecay, 0.004);
    assert.deepEqual(sgd({ momentum: 0.9 }).slots, ['momentum']);
    assert.deepEqual(resolveOptimizer({ name: 'rmsprop', centered: true, momentum: 0.5 }).slots, [
      'v',
      'mean',
      'momentum',
    ]);
  });
});

describe('hand-computed updates', () => {
  test('the first step of Adam changes each weight by the learning rate, for gradients of any size', async () => {
    const { after } = await runOptimizer(adam({ learningRate: 0.5, epsilon: 0 }), {
      initial: [[1, 1, 1]],
      gradients: [[[1e-6, -3, 2000]]],
    });
    close(after[0]!, [0.5, 1.5, 0.5]);
  });
  test('weight decay skips excluded parameters, and each parameter gets its own gradient', async () => {
    const optimizer = sgd({ learningRate: 0.1, weightDecay: 1, excludeFromWeightDecay: ['p1'] });
    const { after } = await runOptimizer(optimizer, {
      initial: [[10], [20], [30]],
      gradients: [[[1], [2], [3]]],
    });
    close(after[0]!, [9 - 0.1, 20 - 0.2, 27 - 0.3]);
  });
  test('one Nadam optimizer can be used in two runs, because its state is in the slots', async () => {
    const optimizer = nadam({ learningRate: 0.1 });
    const run = { initial: [[1, 2]], gradients: Array.from({ length: 5 }, (_, n) => [[n - 2, 0.3]]) };
    const first = (await runOptimizer(optimizer, run)).after.at(-1)!;
    assert.deepEqual((await runOptimizer(optimizer, run)).after.at(-1), first);
    assert.deepEqual((await runOptimizer(nadam({ learningRate: 0.1 }), run)).after.at(-1), first);
  });
});

describe('the moving average of weights', () => {
  const weights = (values: number[]): FlatBuffer => {
    const buffer = new FlatBuffer(values.length);
    buffer.write(values);
    return buffer;
  };
  test('equals the weights after the first update, then follows the later weights', async () => {
    const buffer = weights([4]);
    const average = new WeightAverage(buffer, { momentum: 0.75 });
    average.update();
    buffer.write([8]);
    average.update();
    close(await average.buffer.read(), [5]);
    assert.equal(average.updates, 2);
  });
  test('replaces the weights temporarily; they are restored even after an error', async () => {
    const buffer = weights([4, 5]);
    const average = new WeightAverage(buffer);
    assert.deepEqual(await average.withAverage(async () => [...(await buffer.read())]), [4, 5]); // there is no average yet
    average.update();
    buffer.write([0, 1]);
    assert.deepEqual(await average.withAverage(async () => [...(await buffer.read())]), [4, 5]);
    await assert.rejects(
      average.withAverage(() => Promise.reject(new Error('stop'))),
      /stop/,
    );
    assert.deepEqual(
      [[...(await buffer.read())], [...(await average.buffer.read())], average.swapped],
      [[0, 1], [4, 5], false],
    );
  });
  test('can replace the weights every few updates', async () => {
    const buffer = weights([4]);
    const average = new WeightAverage(buffer, { momentum: 0.5, overwriteEvery: 2 });
    average.update();
    buffer.write([8]);
    average.update();
    close(await buffer.read(), [6]);
  });
  test('rejects a momentum of 1 and overwriteEvery: 0', () => {
    assert.throws(
      () => new WeightAverage(weights([1]), { momentum: 1 }),
      fails('value', /must be in \[0, 1\), got 1/),
    );
    const never = { overwriteEvery: 0 };
    assert.throws(() => new WeightAverage(weights([1]), never), fails('value', /overwriteEvery.*got 0/));
  });
});

describe('errors of optimizers', () => {
  const cases: [string, () => unknown, RegExp][] = [
    [
      'an unknown name',
      () => resolveOptimizer('adamax' as OptimizerName),
      /no optimizer "adamax".*sgd, rmsprop/,
    ],
    [
      'an unknown option',
      () => resolveOptimizer({ name: 'sgd', beta1: 0.5 }),
      /sgd: there is no option "beta1".*momentum/,
    ],
    ['a rate of 0', () => sgd({ learningRate: 0 }), /learningRate must be a finite number above 0, got 0/],
    ['a momentum of 1', () => sgd({ momentum: 1 }), /momentum must be in \[0, 1\), got 1/],
    ['Nesterov without momentum', () => sgd({ nesterov: true }), /requires a momentum above 0, got 0/],
    ['a beta of 1', () => adam({ beta2: 1 }), /beta2 must be in \[0, 1\)/],
    [
      'a negative epsilon',
      () => adam({ epsilon: -1 }),
      /epsilon must be a finite, non-negative number, got -1/,
    ],
    [
      'an infinite decay',
      () => adam({ weightDecay: Infinity }),
      /weightDecay must be a finite, non-negative number/,
    ],
    [
      'an unknown convention',
      () => resolveOptimizer({ name: 'adam', convention: 'tf' }),
      /'keras' or 'pytorch'/,
    ],
  ];
  for (const [name, run, message] of cases) {
    test(name, () => {
      assert.throws(run, fails('value', message));
    });
  }
});
