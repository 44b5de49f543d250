/**
 * The public behaviour of the LSTM layer: weights with Keras's names, order and layout, initial values, and every error
 * message. Detects gates in the wrong order, a forget bias in the wrong position, weights that depend on the backend, and an
 * error without a remedy.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ones, type Shape, setBackend, tensor, UnrollError, zeros } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import {
  type Activation,
  bidirectional,
  dense,
  type LstmOptions,
  lstm,
  type Recurrent,
  recurrent,
  sequential,
  type WeightArray,
} from '@unroll/nn';
import { bitMismatch, onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { CustomRnn } from './custom-cells.js';

const [I, H] = [3, 4];

function built(options: Partial<LstmOptions> = {}): Recurrent {
  const layer = lstm({ units: H, ...options });
  layer.build([[-1, -1, I]]);
  return layer;
}

const invoke = (layer: Recurrent, shapes: readonly Shape[], mask: Shape | null = null) =>
  layer.invoke(
    shapes.map((shape, i) => ({ value: zeros(shape), mask: i === 0 && mask ? ones(mask) : null })),
    inferenceContext(),
  );

before(() => setBackend('reference'));

describe('weights', () => {
  test('are kernel, recurrent_kernel and bias, with the columns of the gates in the order i f g o', () => {
    const layer = built();
    assert.deepEqual(
      layer.getWeights().map(({ name, shape }) => [name, shape]),
      [
        ['lstm/kernel', [I, 4 * H]],
        ['lstm/recurrent_kernel', [H, 4 * H]],
        ['lstm/bias', [4 * H]],
      ],
    );
    assert.equal(layer.countParams(), 4 * H * (I + H + 1));
    assert.equal(built({ useBias: false }).parameters.length, 2);
  });

  test('each gate reads its own columns', () => {
    // One unit, one feature: h = σ(o) tanh(σ(f) c + σ(i) tanh(g)) where only the biases determine the gates.
    const layer = lstm({ units: 1 });
    layer.build([[-1, -1, 1]]);
    const [i, f, g, o] = [0.3, -0.7, 1.1, 0.5];
    layer.setWeights([
      { shape: [1, 4], values: [0, 0, 0, 0] },
      { shape: [1, 4], values: [0, 0, 0, 0] },
      { shape: [4], values: [i, f, g, o] },
    ]);
    const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
    const states = [zeros([1, 1]), tensor([[2]])];
    const inputs = [zeros([1, 1, 1]), ...states].map((value) => ({ value, mask: null }));
    const [y] = layer.invoke(inputs, inferenceContext());
    const wanted = sigma(o) * Math.tanh(sigma(f) * 2 + sigma(i) * Math.tanh(g));
    assert.ok(Math.abs(y!.value.item() - wanted) < 1e-7);
  });

  test('are initially an orthogonal recurrent kernel, a kernel within Glorot limits, and a bias of 1 for the forget gate', () => {
    const [kernel, recurrentKernel, bias] = built().getWeights() as [WeightArray, WeightArray, WeightArray];
    const limit = Math.sqrt(6 / (I + 4 * H));
    assert.ok(kernel.values.every((x) => Math.abs(x) <= limit && x !== 0));
    assert.ok(kernel.values.some((x) => Math.abs(x) > 0.7 * limit));
    for (let a = 0; a < H; a++) {
      for (let b = 0; b < H; b++) {
        let dot = 0;
        for (let k = 0; k < 4 * H; k++)
          dot += recurrentKernel.values[a * 4 * H + k]! * recurrentKernel.values[b * 4 * H + k]!;
        assert.ok(Math.abs(dot - (a === b ? 1 : 0)) < 1e-6, `rows ${a} and ${b}`);
      }
    }
    assert.deepEqual(Array.from(bias.values), [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    const [, , zeroBias] = built({ unitForgetBias: false }).getWeights();
    assert.ok(zeroBias!.values.every((x) => x === 0));
  });

  test('depend on the seed, not on the backend', () => {
    const make = (seed: number) => {
      const model = sequential([lstm({ units: H })], { seed });
      model.build([[-1, -1, I]]);
      return model.getWeights()[1]!.values;
    };
    const first = make(1);
    assert.notDeepEqual(make(2), first);
    for (const { backend } of testBackends()) {
      if (backend)
        assert.equal(
          bitMismatch(
            backend.description,
            onBackend(backend, () => make(1)),
            first,
          ),
          null,
        );
    }
  });
});

describe('outputs', () => {
  test('have the requested shapes', () => {
    const shapes = (options: Partial<LstmOptions>): Shape[] =>
      invoke(built(options), [[2, 5, I]]).map(({ value }) => value.shape);
    assert.deepEqual(shapes({}), [[2, H]]);
    assert.deepEqual(shapes({ returnSequences: true }), [[2, 5, H]]);
    assert.deepEqual(shapes({ returnState: true }), [[2, H], [2, H], [2, H]]); // biome-ignore format: shapes
    assert.deepEqual(shapes({ returnSequences: true, returnState: true })[0], [2, 5, H]);
    const layer = built({ returnSequences: true, returnState: true });
    // biome-ignore format: shapes
    assert.deepEqual(layer.outputShapes([[-1, -1, I]]), [[-1, -1, H], [-1, H], [-1, H]]);
  });

  test('propagate the mask only if they are a sequence', () => {
    const maskOf = (options: Partial<LstmOptions>) => invoke(built(options), [[2, 5, I]], [2, 5])[0]!.mask;
    assert.equal(maskOf({}), null);
    assert.deepEqual(maskOf({ returnSequences: true })!.shape, [2, 5]);
  });
});

describe('errors', () => {
  const throwsShapeError = (message: string, work: () => unknown): void =>
    assert.throws(work, (error) => {
      assert.ok(error instanceof UnrollError);
      assert.deepEqual([error.code, error.message], ['shape', message]);
      return true;
    });
  const throwsValueError = (message: string | RegExp, work: () => unknown): void =>
    assert.throws(work, (error) => {
      assert.ok(error instanceof UnrollError);
      assert.equal(error.code, 'value');
      if (typeof message === 'string') assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    });

  test('a wrong rank', () => {
    throwsShapeError(
      'Layer LSTM: expected a sequence [batch, time, features], got [2, 3]. ' +
        'Set returnSequences: true on the recurrent layer before it, or add a feature axis to the data.',
      () => invoke(built(), [[2, 3]]),
    );
    throwsShapeError('Layer LSTM: expected a sequence [batch, time, features], got [2].', () =>
      invoke(built(), [[2]]),
    );
  });

  test('a number of features that differs from the first call or is unknown', () => {
    throwsShapeError('Layer LSTM: expected [batch, time, 3], got [2, 5, 4].', () =>
      invoke(built(), [[2, 5, 4]]),
    );
    throwsShapeError(
      'Layer LSTM: expected a sequence [batch, time, features] with a known number of features, got [-1, -1, -1].',
      () => lstm({ units: H }).build([[-1, -1, -1]]),
    );
  });

  test('a mask of the wrong length', () => {
    throwsShapeError(
      'Layer LSTM: expected a mask [batch, time] of shape [2, 5] for a sequence [2, 5, 3], got [2, 4]. Give one number ' +
        'per step: 1 for valid steps, 0 for padding.',
      () => invoke(built(), [[2, 5, I]], [2, 4]),
    );
  });

  test('a wrong number or size of initial states', () => {
    throwsShapeError(
      'Layer LSTM: takes initial states (h, c) or none; got 1.',
      () => invoke(built(), [[2, 5, I], [2, H]]), // biome-ignore format: one line
    );
    throwsShapeError('Layer LSTM: expected the initial state c of shape [2, 4], got [2, 5].', () =>
      invoke(built(), [[2, 5, I], [2, H], [2, 5]]),
    ); // biome-ignore format: one line
    throwsShapeError('Layer LSTM: expected the initial state h of shape [2, 4], got [3, 4].', () =>
      invoke(built(), [[2, 5, I], [3, H], [2, H]]),
    ); // biome-ignore format: one line
  });

  test('invalid units', () => {
    for (const units of [0, -1, 2.5, Number.NaN]) {
      throwsValueError(`lstm: units must be a positive integer, got ${units}.`, () => lstm({ units }));
    }
  });

  test('unknown activations, and activations that change the width', () => {
    throwsValueError(/^LSTMCell: there is no activation "swoosh"\. Choose one of tanh, sigmoid, relu, /, () =>
      lstm({ units: H, activation: 'swoosh' as Activation }),
    );
    throwsValueError(/^LSTMCell: there is no activation "toString"/, () =>
      lstm({ units: H, recurrentActivation: 'toString' as Activation }),
    );
    throwsValueError('LSTMCell: a cell cannot use the activation "glu", because it changes the width.', () =>
      lstm({ units: H, activation: 'glu' }),
    );
  });

  test('dropout rates outside [0, 1)', () => {
    throwsValueError('lstm: dropout must be in [0, 1), got 1.', () => lstm({ units: H, dropout: 1 }));
    throwsValueError('lstm: recurrentDropout must be in [0, 1), got -0.5.', () =>
      lstm({ units: H, recurrentDropout: -0.5 }),
    );
  });

  test('a batch size that differs from that of the carried states', () => {
    const layer = built({ stateful: true });
    invoke(layer, [[2, 5, I]]);
    throwsShapeError(
      'Layer LSTM: has the states of 2 sequences, got a batch of 3. ' +
        'Use a constant batchSize that divides the number of examples, or call resetStates().',
      () => invoke(layer, [[3, 5, I]]),
    );
    layer.resetStates();
    invoke(layer, [[3, 5, I]]);
  });

  test('bidirectional around a cell that cannot be cloned', () => {
    const cell = new CustomRnn({ units: H, phi: (x) => x, sigma: (x) => x, useBias: true });
    throwsValueError(
      'Layer RNN: cannot be copied for the other direction, because CustomCell has no method clone(). Implement it.',
      () => bidirectional(recurrent(cell, { returnSequences: true })),
    );
  });

  test('in a model, the message names the layer', () => {
    const model = sequential([lstm({ units: H }), dense({ units: 1 }), lstm({ units: 2, name: 'last' })]);
    throwsShapeError(
      'Layer last: expected a sequence [batch, time, features], got [-1, 1]. ' +
        'Set returnSequences: true on the recurrent layer before it, or add a feature axis to the data.',
      () => model.build([[-1, 5, I]]),
    );
  });
});
