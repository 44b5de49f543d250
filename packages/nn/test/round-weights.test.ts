/**
 * Rounding the weights of a model to float16 (packages/core/test/float16.test.ts tests the rounding itself). Detects a
 * parameter that is not rounded, a kernel that still reads the old weights, a partly rounded model, and a model that cannot be
 * trained afterwards.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, predict, RandomStream, tensor, UnrollError } from '@unroll/core';
import { fromFloat16Bits, toFloat16Bits } from '@unroll/core/internal';
import { batchNormalization, dense, gru, lstm, type Network, roundWeights, sequential } from '@unroll/nn';

const x = tensor(new RandomStream(3, 'x').uniform(2 * 7 * 5, -1, 1), [2, 7, 5]);

function build(): Network {
  const model = sequential([
    ...[lstm({ units: 6, returnSequences: true }), batchNormalization(), gru({ units: 7 })],
    dense({ units: 3 }),
  ]);
  model.build([[-1, 7, 5]]);
  const random = new RandomStream(4, 'weights');
  for (const parameter of model.parameters) parameter.assign(random.uniform(parameter.size, 0.01, 1));
  return model;
}

const valuesOf = (model: Network): number[][] => model.getWeights().map(({ values }) => [...values]);
const outputOf = async (model: Network): Promise<number[]> => [...(await predict(model, x)).dataSync()];
const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  error instanceof UnrollError && error.code === code && message.test(error.message);

test('every parameter is rounded, and the model computes with the rounded ones', async () => {
  const model = build();
  const [before, first] = [valuesOf(model), await outputOf(model)];
  roundWeights(model, 'float16');
  const rounded = before.map((values) => Array.from(toFloat16Bits(values, ''), fromFloat16Bits));
  assert.deepEqual(valuesOf(model), rounded);
  assert.ok(rounded.every((values, i) => values.some((value, k) => value !== before[i]![k])));
  const second = await outputOf(model);
  const loaded = build();
  loaded.setWeights(loaded.getWeights().map(({ shape }, i) => ({ shape, values: rounded[i]! })));
  assert.deepEqual(second, await outputOf(loaded));
  assert.notDeepEqual(second, first);
  roundWeights(model, 'float16');
  assert.deepEqual(valuesOf(model), rounded, 'rounding again changes nothing');
});

test('roundWeights changes no weight if one is outside the range of float16', () => {
  for (const [value, code, message] of [
    [
      65536,
      'value',
      /Weight dense\/bias must be within ±65504 for float16, got 65536 at index 2\. Leave the model in float32/,
    ],
    [Number.NaN, 'nan', /Weight dense\/bias has the value NaN at index 2\. A model that has diverged/],
  ] as const) {
    const model = build();
    model.parameters.at(-1)!.assign([0, 0, value]);
    const before = valuesOf(model);
    assert.throws(() => roundWeights(model, 'float16'), fails(code, message));
    assert.deepEqual(valuesOf(model), before);
  }
});

test('roundWeights rejects a model that is not built, and weight formats other than float16', () => {
  const bare = sequential([lstm({ units: 2 })]);
  assert.throws(() => roundWeights(bare, 'float16'), fails('state', /no weights yet: call build/));
  const other = 'int8' as 'float16';
  assert.throws(
    () => roundWeights(build(), other),
    fails('value', /the format must be "float16", got "int8"/),
  );
});
