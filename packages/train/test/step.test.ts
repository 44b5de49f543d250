/**
 * Compares a training step with the same step computed by hand: the gradient with `valueAndGrad`, the update with its formula.
 * Detects the gradient of one parameter applied to another, an update of frozen weights, a step that uses outdated
 * weights, and a wrong reported loss or norm.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Parameter, setBackend, sum, type Tensor, UnrollError, valueAndGrad } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import { dense, lstm, type Network, sequential } from '@unroll/nn';
import { mismatch } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { losses, type StepEvent, sgd, train } from '@unroll/train';
import { rows, waves } from './small-model.js';

after(() => setBackend());

const BATCH = 8;
const { x, y } = waves(BATCH * 3);
const RATE = 0.1;
const loss = losses.mse();

const make = (): Network =>
  sequential([lstm({ units: 6, returnSequences: true }), lstm({ units: 5 }), dense({ units: 1 })], {
    seed: 2,
  });

/** Returns the loss, gradient norm and new weights of one step of plain gradient descent. */
function byHand(model: Network, step: number): { loss: number; norm: number; weights: ArrayLike<number>[] } {
  const [from, to] = [step * BATCH, (step + 1) * BATCH];
  const trainable = model.parameters.filter((parameter) => parameter.trainable);
  const { value, grads } = valueAndGrad(() => {
    const [output] = model.forward([{ value: rows(x, from, to), mask: null }], inferenceContext());
    return loss.compute(output!.value, rows(y, from, to), null);
  }, trainable);
  const gradients = new Map<Tensor, Float32Array | Float64Array>(
    trainable.map((parameter, i) => [parameter, grads[i]!.dataSync()]),
  );
  let squares = 0;
  for (const gradient of gradients.values()) for (const g of gradient) squares += g * g;
  const weights = model.parameters.map((parameter) => {
    const gradient = gradients.get(parameter);
    return Array.from(parameter.dataSync(), (w, i) => w - RATE * (gradient ? gradient[i]! : 0));
  });
  return { loss: value.item(), norm: Math.sqrt(squares), weights };
}

for (const { name, backend, reason } of testBackends()) {
  describe(`training steps on ${name}`, { skip: reason || false }, () => {
    before(() => setBackend(backend!));

    for (const frozen of [false, true]) {
      test(`equal the results computed by hand${frozen ? ', with a frozen layer' : ''}`, async () => {
        const model = make();
        model.build([[-1, ...x.shape.slice(1)]]);
        if (frozen) model.layers[1]!.trainable = false;
        const initialWeights = model.layers[1]!.getWeights();
        const options = {
          x,
          y,
          loss,
          optimizer: sgd({ learningRate: RATE }),
          batchSize: BATCH,
          shuffle: false,
        };
        let step = 0;
        let expected = byHand(model, step);
        for await (const event of train(model, options)) {
          if (event.type !== 'step') continue;
          const found = event as StepEvent;
          assert.ok(Math.abs(found.loss - expected.loss) <= 1e-6, `loss ${found.loss} and ${expected.loss}`);
          assert.ok(Math.abs(found.gradientNorm - expected.norm) <= 1e-5 * expected.norm);
          model.parameters.forEach((parameter, i) => {
            assert.equal(mismatch(parameter.name, parameter.dataSync(), expected.weights[i]!, 1e-6), null);
          });
          step++;
          if (step < 3) expected = byHand(model, step);
        }
        assert.equal(step, 3);
        if (frozen) assert.deepEqual(model.layers[1]!.getWeights(), initialWeights);
        else assert.notDeepEqual(model.layers[1]!.getWeights(), initialWeights);
      });
    }
  });
}

describe('a model without layers', () => {
  /** A model with the minimal interface: the output is the parameter `value`, for any input; `idle` does not affect it. */
  function constant(trainable: boolean) {
    const value = new Parameter('value', [1, 1], [5], trainable);
    const idle = new Parameter('idle', [2], [1, 2], trainable);
    return {
      ...{ name: 'constant', built: true, parameters: [idle, value], config: {}, value, idle },
      build: () => {},
      forward: () => [{ value, mask: null }],
    };
  }
  const data = { x: rows(x, 0, 1), y: rows(y, 0, 1), loss: 'mse', epochs: 60 } as const;

  test('learns, and does not change parameters that the loss does not depend on', async () => {
    await setBackend('reference');
    const model = constant(true);
    for await (const _ of train(model, { ...data, optimizer: { name: 'adam', learningRate: 0.2 } }));
    assert.ok(Math.abs(model.value.item() - sum(data.y).item()) < 0.2);
    assert.deepEqual(model.idle.toArray(), [1, 2]);
  });

  test('is rejected if there is nothing to train', async () => {
    const events = train(constant(false), { ...data, optimizer: 'adam' });
    await assert.rejects(
      () => events.next(),
      new UnrollError('state', 'constant has no trainable weights: there is nothing to train.'),
    );
  });
});
