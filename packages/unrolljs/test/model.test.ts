import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dense, lstm, sequential, type Tensor, tensor, type UnrollError } from 'unrolljs';

/** Next value of a sine: 48 windows of 6 steps. */
function sine(): { x: number[][][]; y: number[][] } {
  const at = (i: number): number => Math.sin(i / 3);
  const x = Array.from({ length: 48 }, (_, i) => Array.from({ length: 6 }, (_, t) => [at(i + t)]));
  return { x, y: Array.from({ length: 48 }, (_, i) => [at(i + 6)]) };
}

const network = () => sequential([lstm({ units: 8, activation: 'relu' }), dense({ units: 1 })], { seed: 3 });

test('compile, fit and predict learn a sine', async () => {
  const { x, y } = sine();
  const model = network();
  model.compile({ optimizer: 'adam', loss: 'mse' });
  const history = await model.fit(x, y, { epochs: 60, batchSize: 8 });
  assert.equal(history.loss.length, 60);
  assert.ok(history.loss.at(-1)! < 0.1 * history.loss[0]!, `${history.loss[0]} to ${history.loss.at(-1)}`);
  const prediction = await model.predict(x);
  assert.deepEqual(prediction.shape, [48, 1]);
});

test('nested arrays, rows of typed arrays, and tensors train the same weights', async () => {
  const { x, y } = sine();
  const flat = Float32Array.from(x.flat(2));
  const forms: {
    x: Tensor | number[][][] | Float32Array[][] | Float32Array;
    y: number[][] | Float32Array;
  }[] = [
    { x, y },
    { x: x.map((rows) => rows.map((row) => Float32Array.from(row))), y: Float32Array.from(y.flat()) },
    { x: tensor(flat, [48, 6, 1]), y: Float32Array.from(y.flat()) },
  ];
  const trained: Float32Array[] = [];
  for (const form of forms) {
    const model = network();
    model.compile({ loss: 'mse' });
    await model.fit(form.x, form.y, { epochs: 2 });
    trained.push(Float32Array.from(model.getWeights().flatMap((weight) => [...weight.values])));
  }
  for (const weights of trained.slice(1)) assert.deepEqual(weights, trained[0]);
});

test('mistakes are answered with what would be right', async () => {
  const { x, y } = sine();
  const fails = (work: () => unknown, code: string, message: RegExp): Promise<void> =>
    assert.rejects(
      async () => work(),
      (error: UnrollError) => error.code === code && message.test(error.message),
    );
  await fails(() => network().fit(x, y), 'state', /Call compile\(\{ optimizer, loss \}\) before fit/);
  await fails(
    () => network().compile({ loss: 'mean' as 'mse' }),
    'value',
    /There is no loss "mean"\. Choose one of mse/,
  );
  const model = network().compile({ loss: 'mse' });
  await fails(() => model.fit(x, y.slice(1)), 'shape', /x has 48 examples .* and y has 47/);
  await fails(() => model.fit([[[1], [2]], [[3]]], [[1], [2]]), 'shape', /ragged: values\[1\] is a row of 1/);
  await fails(
    () => model.fit([[['a']]] as unknown as number[][][], [[1]]),
    'value',
    /values\[0\]\[0\]\[0\] is string, and a number was expected/,
  );
});
