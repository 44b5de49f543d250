/**
 * Tensors of a training step that user code stores: without `keep`, using them later is an error; with `keep`, they stay valid.
 * Detects a stored tensor that reads memory of a later step, a kept tensor that becomes invalid, and user code that changes
 * training by reading tensors.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keep, mean, setBackend, square, sub, type Tensor, tensor, UnrollError } from '@unroll/core';
import { testBackends } from '@unroll/testkit/node';
import { fit, type Loss, losses, train } from '@unroll/train';
import { forecaster, waves, weightsOf } from './small-model.js';

const isScopeError = (error: unknown): boolean => error instanceof UnrollError && error.code === 'scope';
const { x, y } = waves();
const options = { x, y, optimizer: 'adam', batchSize: 8, shuffle: false } as const;

/** Mean squared error that passes each prediction and its error to `look`. */
const watched = (look: (prediction: Tensor, error: Tensor) => void): Loss => ({
  ...losses.mse(),
  name: 'watched',
  compute(prediction, target) {
    const error = sub(prediction, target);
    look(prediction, error);
    return mean(square(error));
  },
});

for (const { name, backend, reason } of testBackends()) {
  describe(`training on ${name}`, { skip: reason || false }, () => {
    test('a tensor that a loss has stored cannot be read after training', async () => {
      await setBackend(backend!);
      const stored: Tensor[] = [];
      await fit(forecaster(), { ...options, loss: watched((prediction) => stored.push(prediction)) });
      assert.ok(stored.length >= 5);
      for (const prediction of stored) assert.throws(() => prediction.dataSync(), isScopeError);
    });

    test('a stored tensor cannot be used in the next step', async () => {
      await setBackend(backend!);
      let before: Tensor | null = null;
      const loss = watched((prediction) => {
        if (before) sub(prediction, before);
        before = prediction;
      });
      await assert.rejects(() => fit(forecaster(), { ...options, loss }), isScopeError);
    });

    test('a kept tensor stays valid, and training is not affected', async () => {
      await setBackend(backend!);
      const kept: { prediction: Tensor; error: Tensor; seen: number[] }[] = [];
      const model = forecaster();
      await fit(model, {
        ...options,
        loss: watched((prediction, error) => {
          kept.push({ ...keep({ prediction, error }), seen: [...error.dataSync()] });
        }),
      });
      for (const { prediction, error, seen } of kept) {
        assert.deepEqual([...error.dataSync()], seen);
        assert.equal(prediction.size, seen.length);
      }
      assert.notDeepEqual(kept[0]!.seen, kept[1]!.seen);
      const plain = forecaster();
      await fit(plain, { ...options, loss: watched(() => {}) });
      assert.deepEqual(weightsOf(model), weightsOf(plain));
    });

    test('a consumer of events may compute between two steps', async () => {
      await setBackend(backend!);
      const model = forecaster();
      const computed: { tensor: Tensor; loss: number }[] = [];
      for await (const event of train(model, { ...options, loss: 'mse' })) {
        if (event.type === 'step')
          computed.push({ tensor: square(tensor([event.loss, 1])), loss: event.loss });
      }
      for (const { tensor: result, loss } of computed) {
        assert.deepEqual(result.toArray(), square(tensor([loss, 1])).toArray());
      }
      const plain = forecaster();
      await fit(plain, { ...options, loss: 'mse' });
      assert.deepEqual(weightsOf(model), weightsOf(plain));
    });

    test('a stored tensor cannot be read by a consumer of events', async () => {
      await setBackend(backend!);
      let prediction: Tensor | null = null;
      const loss = watched((latest) => {
        prediction = latest;
      });
      for await (const event of train(forecaster(), { ...options, loss })) {
        if (event.type === 'step') assert.throws(() => prediction!.dataSync(), isScopeError);
      }
    });
  });
}
