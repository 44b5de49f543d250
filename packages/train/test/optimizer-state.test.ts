/**
 * The state of an optimizer by parameter name (`OptimizerMemory.state`): it can be read, and a new memory can start from it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tensor, UnrollError } from '@unroll/core';
import { dense, input, sequential } from '@unroll/nn';
import { adam, fit, OptimizerMemory } from '@unroll/train';

const x = tensor([
  [1, 2],
  [3, -1],
  [0, 1],
]);
const y = tensor([[1], [0], [2]]);

function run(
  memory: OptimizerMemory,
  weights?: readonly { shape: readonly number[]; values: ArrayLike<number> }[],
) {
  const model = sequential([input({ shape: [2] }), dense({ units: 1 })]);
  model.build();
  if (weights) model.setWeights(weights);
  const options = { x, y, loss: 'mse', optimizer: adam(), memory, epochs: 3, shuffle: false } as const;
  return { model, history: fit(model, options) };
}

test('a run with a memory made from a saved state continues like a run with the original memory', async () => {
  const memory = new OptimizerMemory();
  assert.equal(await memory.state(), null);
  const first = run(memory);
  await first.history;
  const state = await memory.state();
  assert.equal(state?.updates, 3);
  assert.deepEqual(Object.keys(state.slots), ['m', 'v']);
  assert.deepEqual([...state.slots.m.keys()], ['dense/kernel', 'dense/bias']);
  const weights = first.model.getWeights().map(({ shape, values }) => ({ shape, values: values.slice() }));
  const expected = await run(memory, weights).history;
  const other = new OptimizerMemory(state);
  assert.equal(await other.state(), state);
  const continued = await run(other, weights).history;
  assert.deepEqual(continued.loss, expected.loss);
  assert.equal((await other.state())?.updates, 6);
});

test('a state without the values of a parameter raises an error in every run', async () => {
  const memory = new OptimizerMemory({ updates: 2, slots: { m: new Map([['dense/kernel', [0, 0]]]) } });
  for (const _ of ['first run', 'second run']) {
    await assert.rejects(run(memory).history, (error) => {
      assert.ok(error instanceof UnrollError && error.code === 'state');
      assert.match(
        error.message,
        /state: m of dense\/bias must have length 1, got no values\. Compile the model again/,
      );
      return true;
    });
  }
});
