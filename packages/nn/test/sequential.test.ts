/**
 * `sequential`: names, getting and setting weights, prediction, and errors. Detects layers in the wrong order, a failed
 * setWeights() that changes some weights, duplicate names, and predictions that depend on the batch size.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { predict, RandomStream, setBackend, type Tensor, tensor, UnrollError, zeros } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import { dense, flatten, input, lstm, type Sequential, sequential } from '@unroll/nn';
import { mismatch } from '@unroll/testkit';

before(() => setBackend());

const make = (seed = 3): Sequential =>
  sequential([lstm({ units: 5, returnSequences: true }), lstm({ units: 4 }), dense({ units: 2 })], { seed });

function built(): Sequential {
  const model = make();
  model.build([[-1, -1, 3]]);
  return model;
}

const is =
  (code: string, message: string) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof UnrollError);
    assert.deepEqual([error.code, error.message], [code, message]);
    return true;
  };

describe('a model that begins with input()', () => {
  const model = () => sequential([input({ shape: [6, 2] }), lstm({ units: 3 }), dense({ units: 1 })]);
  const message = 'Model sequential: input "input" expects [-1, 6, 2] (-1: any), got [4, 5, 2].';

  test('accepts the shape of input(), and rejects others as model() does', async () => {
    const chain = model();
    assert.deepEqual((await predict(chain, zeros([4, 6, 2]))).shape, [4, 1]);
    await assert.rejects(predict(chain, zeros([4, 5, 2])), is('shape', message));
    assert.throws(() => model().build([[4, 5, 2]]), is('shape', message));
  });
  test('accepts any length if input() leaves it open, or if the model has no input()', async () => {
    const anyLength = sequential([input({ shape: [null, 2] }), lstm({ units: 3 })]);
    const plain = sequential([lstm({ units: 3 })]);
    for (const steps of [6, 5]) {
      assert.deepEqual((await predict(anyLength, zeros([4, steps, 2]))).shape, [4, 3]);
      assert.deepEqual((await predict(plain, zeros([4, steps, 2]))).shape, [4, 3]);
    }
  });
});

describe('layers', () => {
  test('have unique default names: the class name, with a number if the name is already used', () => {
    const names = (model: Sequential): string[] => model.layers.map((layer) => layer.name);
    assert.deepEqual(names(make()), ['lstm', 'lstm_1', 'dense']);
    const mixed = sequential([lstm({ units: 1, name: 'lstm_1' }), lstm({ units: 1 }), lstm({ units: 1 })]);
    assert.deepEqual(names(mixed), ['lstm_1', 'lstm', 'lstm_2']);
    const model = make();
    assert.equal(model.getLayer('lstm_1'), model.layers[1]);
  });

  test('run in order', () => {
    const model = built();
    const x = tensor(new RandomStream(1).normal(2 * 4 * 3), [2, 4, 3]);
    const context = inferenceContext();
    const whole = model.forward([{ value: x, mask: null }], context)[0]!.value;
    const steps = model.layers.reduce(
      (sequence, layer) => layer.invoke(sequence, context),
      [{ value: x, mask: null as Tensor | null }],
    );
    assert.deepEqual(whole.toArray(), steps[0]!.value.toArray());
    assert.deepEqual(whole.shape, [2, 2]);
  });

  test('know their shapes immediately if the model begins with input()', () => {
    const model = sequential([input({ shape: [4, 3] }), lstm({ units: 5 }), dense({ units: 1 })]);
    assert.equal(model.layers.length, 2);
    assert.equal(model.countParams(), 4 * 5 * (3 + 5 + 1) + 6);
  });
});

describe('weights', () => {
  test('are returned with their names in layer order, and can be set in another model', () => {
    const [from, to] = [built(), make(4)];
    assert.deepEqual(
      from.getWeights().map(({ name }) => name),
      [
        'lstm/kernel',
        'lstm/recurrent_kernel',
        'lstm/bias',
        'lstm_1/kernel',
        'lstm_1/recurrent_kernel',
        'lstm_1/bias',
        'dense/kernel',
        'dense/bias',
      ],
    );
    to.build([[-1, -1, 3]]);
    to.setWeights(from.getWeights());
    assert.deepEqual(to.getWeights(), from.getWeights());
    assert.equal(from.countParams(), 180 + 160 + 10);
  });

  test('are set completely or not at all', () => {
    const model = built();
    const before = model.getWeights();
    const changed = before.map(({ shape, values }) => ({ shape, values: values.map((x) => x + 1) }));
    const [first, ...rest] = changed;
    const wrongShape = [first!, { shape: [16, 5], values: rest[0]!.values }, ...rest.slice(1)];
    assert.throws(
      () => model.setWeights(wrongShape),
      is('shape', 'Weight lstm/recurrent_kernel must have shape [5, 20], got [16, 5].'),
    );
    changed[7]!.values[1] = Number.NaN;
    assert.throws(
      () => model.setWeights(changed),
      is(
        'nan',
        'Weight dense/bias has the value NaN at index 1. A model that has diverged cannot be used. Restore ' +
          'earlier weights, or train again with gradient clipping.',
      ),
    );
    assert.throws(() => model.setWeights(rest), is('shape', 'Model sequential has 8 weight arrays, got 7.'));
    assert.deepEqual(model.getWeights(), before);
    assert.throws(
      () => make().setWeights(before),
      is(
        'shape',
        'Model sequential has 0 weight arrays, got 8. It is not built yet: call build([[batch, ...]]) first.',
      ),
    );
  });
});

describe('predict', () => {
  const x = tensor(new RandomStream(2).normal(7 * 4 * 3), [7, 4, 3]);

  test('has the same results for any batch size, within rounding', async () => {
    const model = built();
    const whole = await predict(model, x);
    assert.deepEqual(whole.shape, [7, 2]);
    for (const batchSize of [1, 2, 3, 7, 100]) {
      const parts = await predict(model, x, { batchSize });
      assert.equal(mismatch(`batches of ${batchSize}`, parts.dataSync(), whole.dataSync(), 1e-6), null);
    }
  });

  test('builds the model if necessary', async () => {
    const model = make();
    assert.deepEqual((await predict(model, x)).dataSync(), (await predict(built(), x)).dataSync());
    assert.equal(model.built, true);
  });

  test('accepts a mask', async () => {
    const model = built();
    const mask = tensor(Array.from({ length: 7 }, () => [1, 1, 0, 0]));
    const masked = await predict(model, x, { mask });
    const cut = await predict(
      model,
      tensor(
        x.dataSync().filter((_, i) => i % 12 < 6),
        [7, 2, 3],
      ),
    );
    assert.equal(mismatch('padding', masked.dataSync(), cut.dataSync(), 1e-6), null);
  });

  test('rejects inputs whose shape differs from the one that the model was built for', async () => {
    const model = sequential([input({ shape: [4, 2] }), flatten(), dense({ units: 1 })]);
    await assert.rejects(
      () => predict(model, zeros([2, 3, 2])),
      is('shape', 'Model sequential: input "input" expects [-1, 4, 2] (-1: any), got [2, 3, 2].'),
    );
    const withoutInput = sequential([flatten(), dense({ units: 1 })]);
    withoutInput.build([[-1, 4, 2]]);
    await assert.rejects(
      () => predict(withoutInput, zeros([2, 3, 2])),
      /Layer dense: expected \[batch, \.\.\., 8\], got \[2, 6\]/,
    );
    assert.deepEqual((await predict(model, zeros([2, 4, 2]))).shape, [2, 1]);
  });

  test('reports invalid arguments', async () => {
    await assert.rejects(
      () => predict(built(), zeros([0, 4, 3])),
      is('value', 'x must have at least one example, got none.'),
    );
    await assert.rejects(
      () => predict(built(), [x, zeros([6, 5])]),
      is('shape', 'The inputs and masks must have the batch size 7, got [6, 5].'),
    );
    await assert.rejects(
      () => predict(built(), x, { mask: zeros([7, 9]) }),
      is('shape', 'mask [7, 9] must have as many steps as an input.'),
    );
    await assert.rejects(
      () => predict(built(), x, { batchSize: 0 }),
      is('value', 'batchSize must be a positive integer, got 0.'),
    );
  });
});

test('sequential models reject invalid arguments', () => {
  assert.throws(() => sequential([]), is('value', 'sequential() needs at least one layer, got none.'));
  assert.throws(
    () => sequential([lstm({ units: 1 }), input({ shape: [3] })]),
    is('value', 'In sequential(), input() must be the first entry.'),
  );
  assert.throws(
    () => sequential([dense({ units: 1, name: 'a' }), dense({ units: 1, name: 'a' })]),
    is('value', 'Two layers are named "a". Give one of them another name.'),
  );
  assert.throws(
    () => make().getLayer('gru'),
    is('value', 'Model sequential has no layer "gru". Its layers are lstm, lstm_1, dense.'),
  );
  assert.throws(
    () => make().build(),
    is(
      'state',
      'Model sequential: the shape of its input is unknown. Call build([[-1, ...]]), or begin with input().',
    ),
  );
});
