/** The learning-rate finder: its suggestion for a problem whose highest stable rate is known, restored weights, and errors. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, type Tensor, tensor } from '@unroll/core';
import { dense, lstm, type Sequential, sequential } from '@unroll/nn';
import { findLearningRate, train } from '@unroll/train';
import { fails } from './fails.js';

/** Returns pairs of numbers, and their differences as targets. */
function data(): { x: Tensor; y: Tensor } {
  const values = new RandomStream(5, 'pairs').uniform(512, -1, 1);
  const differences = Array.from({ length: 256 }, (_, i) => values[2 * i]! - values[2 * i + 1]!);
  return { x: tensor(values, [256, 2]), y: tensor(differences) };
}

const linear = (): Sequential => sequential([dense({ units: 1 })], { seed: 2 });

describe('findLearningRate', () => {
  test('suggests a rate that trains, below the rate at which training diverges', async () => {
    const curve = await findLearningRate(linear(), { ...data(), loss: 'mse', optimizer: 'sgd', to: 1000 });
    assert.equal(curve.diverged, true);
    // The curvature of this loss is 2/3 for the weights and 2 for the bias, so gradient descent diverges above a rate of 1.
    assert.ok(curve.points.at(-1)!.rate > 1);
    assert.ok(curve.suggestion! > 0.01 && curve.suggestion! < 1, `${curve.suggestion}`);
    const losses: number[] = [];
    const optimizer = { name: 'sgd', learningRate: curve.suggestion! } as const;
    for await (const event of train(linear(), { ...data(), loss: 'mse', optimizer, epochs: 20 })) {
      if (event.type === 'epoch') losses.push(event.loss);
    }
    assert.ok(losses.at(-1)! < 0.05 * losses[0]!);
  });

  test('restores the weights, also of a model that was not built', async () => {
    for (const built of [true, false]) {
      const model = sequential([lstm({ units: 3 }), dense({ units: 1 })]);
      const untouched = sequential([lstm({ units: 3 }), dense({ units: 1 })]);
      untouched.build([[-1, 2, 1]]);
      if (built) model.build([[-1, 2, 1]]);
      const { x, y } = data();
      const steps = tensor(x.dataSync(), [256, 2, 1]);
      const curve = await findLearningRate(model, { x: steps, y, loss: 'mse', optimizer: 'adam', steps: 12 });
      assert.equal(curve.points.length, 12);
      assert.ok(Math.abs(curve.points[11]!.rate - 1) < 1e-12);
      assert.deepEqual(model.getWeights(), untouched.getWeights());
    }
  });

  test('a NaN loss ends the range test without an error', async () => {
    const options = {
      ...data(),
      loss: 'mse',
      optimizer: 'sgd',
      from: 1e10,
      to: 1e38,
      stopAt: Number.POSITIVE_INFINITY,
    } as const;
    const curve = await findLearningRate(linear(), options);
    assert.equal(curve.diverged, true);
    assert.equal(curve.suggestion, null);
  });

  test('rejects an invalid range, an invalid smoothing and an unknown loss', async () => {
    const common = { ...data(), loss: 'mse', optimizer: 'sgd' } as const;
    await assert.rejects(
      findLearningRate(linear(), { ...common, from: 1, to: 0.1 }),
      fails('value', /0 < from < to, got from = 1, to = 0\.1/),
    );
    await assert.rejects(
      findLearningRate(linear(), { ...common, smoothing: 1 }),
      fails('value', /smoothing/),
    );
    await assert.rejects(
      findLearningRate(linear(), { ...common, loss: 'x' as 'mse' }),
      fails('value', /no loss "x"/),
    );
  });
});
