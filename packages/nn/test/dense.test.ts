/** `dense`: values, gradients and errors. Detects a transposed kernel, a bias on the wrong axis, and a lost mask. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ones, setBackend, sum, tensor, UnrollError, valueAndGrad, zeros } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import { type Activation, type Dense, dense } from '@unroll/nn';

before(() => setBackend('reference'));

function layerOf(options: Partial<Parameters<typeof dense>[0]> = {}): Dense {
  const layer = dense({ units: 2, ...options });
  layer.build([[-1, 3]]);
  const weights = [
    { shape: [3, 2], values: [1, 2, 3, 4, 5, 6] },
    { shape: [2], values: [10, -20] },
  ];
  layer.setWeights(options.useBias === false ? weights.slice(0, 1) : weights);
  return layer;
}

const call = (
  layer: Dense,
  value: ReturnType<typeof tensor>,
  mask: ReturnType<typeof tensor> | null = null,
) => layer.invoke([{ value, mask }], inferenceContext())[0]!;

describe('dense', () => {
  const x = tensor([[1, 0, -1], [0, 2, 1]]); // biome-ignore format: a matrix

  test('computes x W + b on the last axis, with any leading axes', () => {
    // biome-ignore format: a matrix
    assert.deepEqual(call(layerOf(), x).value.toArray(), [[6, -24], [21, -6]]);
    // biome-ignore format: matrices
    const sequence = tensor([[[1, 0, -1], [0, 2, 1]], [[0, 0, 0], [1, 1, 1]]]);
    // biome-ignore format: matrices
    assert.deepEqual(call(layerOf(), sequence).value.toArray(), [[[6, -24], [21, -6]], [[10, -20], [19, -8]]]);
  });

  test('works without bias, and with an activation', () => {
    // biome-ignore format: a matrix
    assert.deepEqual(call(layerOf({ useBias: false }), x).value.toArray(), [[-4, -4], [11, 14]]);
    // biome-ignore format: a matrix
    assert.deepEqual(call(layerOf({ activation: 'relu' }), x).value.toArray(), [[6, 0], [21, 0]]);
  });

  test('has correct gradients', () => {
    const layer = layerOf();
    const { grads } = valueAndGrad(() => sum(call(layer, x).value), [x, ...layer.parameters]);
    assert.deepEqual(grads[0]!.toArray(), [[3, 7, 11], [3, 7, 11]]); // biome-ignore format: a matrix
    assert.deepEqual(grads[1]!.toArray(), [[1, 1], [2, 2], [0, 0]]); // biome-ignore format: a matrix
    assert.deepEqual(grads[2]!.toArray(), [2, 2]);
  });

  test('propagates the mask', () => {
    const mask = ones([2, 4]);
    assert.equal(call(layerOf(), zeros([2, 4, 3]), mask).mask, mask);
  });

  test('names its weights like Keras, and initialises the kernel with glorotUniform', () => {
    const layer = dense({ units: 2, name: 'head' });
    layer.build([[-1, 7, 3]]);
    assert.deepEqual(
      layer.getWeights().map(({ name, shape }) => [name, shape]),
      [
        ['head/kernel', [3, 2]],
        ['head/bias', [2]],
      ],
    );
    const values = layer.getWeights()[0]!.values;
    const limit = Math.sqrt(6 / 5);
    assert.ok(values.every((w) => Math.abs(w) <= limit && w !== 0));
  });

  test('rejects invalid options and inputs', () => {
    const is =
      (code: string, message: string | RegExp) =>
      (error: unknown): boolean =>
        error instanceof UnrollError &&
        error.code === code &&
        (typeof message === 'string' ? error.message === message : message.test(error.message));
    assert.throws(() => dense({ units: 0 }), is('value', 'dense: units must be a positive integer, got 0.'));
    assert.throws(
      () => dense({ units: 1, activation: 'none' as Activation }),
      is('value', /^Layer Dense: there is no activation "none"\. Choose one of /),
    );
    assert.throws(
      () => call(layerOf(), zeros([2, 4])),
      is('shape', 'Layer Dense: expected [batch, ..., 3], got [2, 4].'),
    );
    assert.throws(
      () => call(layerOf(), zeros([3])),
      is('shape', 'Layer Dense: expected [batch, ..., 3], got [3].'),
    );
    assert.throws(
      () => dense({ units: 1 }).build([[-1, -1]]),
      is(
        'shape',
        'Layer Dense: expected [batch, ..., features], got [-1, -1]. The number of features must be known.',
      ),
    );
  });
});
