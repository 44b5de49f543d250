/**
 * Training of a convolutional classifier and of an LSTM with the regularisation of the AWD-LSTM: both learn, and a resumed run
 * gives the same weights.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, type Tensor, tensor } from '@unroll/core';
import {
  activationRegularization,
  conv1d,
  dense,
  embedding,
  globalMaxPooling1d,
  lstm,
  residual,
  sequential,
  spatialDropout1d,
  wordDropout,
} from '@unroll/nn';
import { evaluate, fit, train } from '@unroll/train';

describe('training', () => {
  /** Sequences of 3 to 12 ids, padded with 0; the label of a sequence is 1 if id 3 directly follows id 2. */
  const examples = (count: number): { x: Tensor; y: Tensor } => {
    const random = new RandomStream(4, 'phrases');
    const ids = new Float32Array(count * 12);
    const labels = new Float32Array(count);
    for (let row = 0; row < count; row++) {
      const draws = random.uniform(15);
      const length = 3 + Math.floor(draws[12]! * 10);
      for (let t = 0; t < length; t++) ids[row * 12 + t] = 2 + Math.floor(draws[t]! * 6);
      if (draws[13]! < 0.5) {
        const offset = row * 12 + Math.floor(draws[14]! * (length - 1));
        ids.set([2, 3], offset);
      }
      const text = ids.subarray(row * 12, row * 12 + 12).join();
      labels[row] = text.includes('2,3') ? 1 : 0;
    }
    return { x: tensor(ids, [count, 12]), y: tensor(labels, [count, 1]) };
  };
  const common = { loss: 'binaryCrossentropy', metrics: ['accuracy'], batchSize: 20 } as const;

  test('a convolutional text classifier learns to detect a phrase in padded sequences', async () => {
    const model = sequential([
      embedding({ inputDim: 8, outputDim: 8, maskZero: true }),
      conv1d({ filters: 16, kernelSize: 2, padding: 'same', activation: 'relu' }),
      globalMaxPooling1d(),
      dense({ units: 1, activation: 'sigmoid' }),
    ]);
    await fit(model, {
      ...examples(300),
      ...common,
      optimizer: { name: 'adam', learningRate: 0.02 },
      epochs: 12,
    });
    const scores = await evaluate(model, examples(300), { ...common });
    assert.ok(scores.accuracy! > 0.97, JSON.stringify(scores));
  });

  test('a regularised LSTM with a lazy optimizer learns, and a resumed run gives the same weights', async () => {
    const make = () =>
      sequential([
        wordDropout({ rate: 0.05, id: 1 }),
        embedding({ inputDim: 8, outputDim: 12, maskZero: true, embeddingDropout: 0.1 }),
        spatialDropout1d({ rate: 0.1 }),
        residual(lstm({ units: 12, returnSequences: true, weightDrop: 0.2 })),
        activationRegularization({ ar: 0.01, tar: 0.01 }),
        globalMaxPooling1d(),
        dense({ units: 1, activation: 'sigmoid' }),
      ]);
    const options = {
      ...examples(300),
      ...common,
      optimizer: { name: 'adam', learningRate: 0.02, lazy: true },
      epochs: 12,
    } as const;
    const model = make();
    const run = train(model, options);
    for (let event = 0; event < 3; event++) await run.next();
    const resume = (await run.snapshot())!;
    for await (const _ of run);
    const resumed = make();
    for await (const event of train(resumed, { ...options, resume })) assert.ok(event);
    assert.deepEqual(resumed.getWeights(), model.getWeights());
    const scores = await evaluate(model, examples(300), { ...common });
    assert.ok(scores.accuracy! > 0.95, JSON.stringify(scores));
  });
});
