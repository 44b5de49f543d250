/**
 * Exploding gradients. The recurrent weights of a plain recurrent network multiply the state by 1.05 at each step, so over
 * 200 steps gradients grow by the factor 1.05^200. Without clipping, the loss is not finite from the second step on. With any
 * kind of clipping, the network learns.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, type Tensor, tensor } from '@unroll/core';
import { dense, orthogonal, type Sequential, sequential, simpleRNN } from '@unroll/nn';
import { type Clip, type StepEvent, train } from '@unroll/train';
import { fails } from './fails.js';

const BATCH = 16;

const network = (): Sequential =>
  sequential([
    simpleRNN({ units: 16, activation: 'linear', recurrentInitializer: orthogonal({ gain: 1.05 }) }),
    dense({ units: 1 }),
  ]);

/** Returns sequences of noise, and as targets the mean of the last three values of each. */
function data(steps: number): { x: Tensor; y: Tensor } {
  const values = new RandomStream(3, 'noise').uniform(BATCH * steps, -1, 1);
  const means = Array.from({ length: BATCH }, (_, b) => {
    const end = (b + 1) * steps;
    return values.subarray(end - 3, end).reduce((total, value) => total + value, 0) / 3;
  });
  return { x: tensor(values, [BATCH, steps, 1]), y: tensor(means) };
}

async function run(steps: number, epochs: number, clip?: Clip): Promise<StepEvent[]> {
  const events: StepEvent[] = [];
  for await (const event of train(network(), {
    ...data(steps),
    loss: 'mse',
    optimizer: { name: 'sgd', learningRate: 0.05 },
    epochs,
    batchSize: BATCH,
    ...(clip && { clip }),
  })) {
    if (event.type === 'step') events.push(event);
  }
  return events;
}

describe('exploding gradients', () => {
  test('the reported norm grows with the length of the sequence', async () => {
    const norms: number[] = [];
    for (const steps of [10, 50, 100, 200]) norms.push((await run(steps, 1))[0]!.gradientNorm);
    assert.ok(norms[0]! < 100, `${norms}`);
    for (let i = 1; i < norms.length; i++) assert.ok(norms[i]! > 5 * norms[i - 1]!, `${norms}`);
    assert.ok(norms[3]! > 1e8, `${norms}`);
  });

  test('without clipping, the second step ends the run with a `nan` error', async () => {
    await assert.rejects(run(200, 3), fails('nan', /epoch 2, step 1/));
  });

  for (const clip of [{ value: 0.02 }, { norm: 0.2 }, { globalNorm: 0.2 }]) {
    test(`with clip ${JSON.stringify(clip)}, all losses are finite, and the network learns`, async () => {
      const events = await run(200, 60, clip);
      const losses = events.map(({ loss }) => loss);
      assert.ok(losses.every(Number.isFinite));
      assert.ok(events[0]!.clipped && events[0]!.gradientNorm > 1e8);
      assert.ok(losses.at(-1)! < 1e-6 * losses[0]!, `from ${losses[0]} to ${losses.at(-1)}`);
    });
  }
});
