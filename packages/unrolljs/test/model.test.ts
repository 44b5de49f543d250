import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  concatenate,
  dense,
  input,
  lstm,
  model,
  sequential,
  type Tensor,
  tensor,
  type UnrollError,
} from 'unrolljs';

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

test('a flat typed array is cut by the shape of the input', async () => {
  const { x, y } = sine();
  const trained = await Promise.all(
    [x, Float32Array.from(x.flat(2))].map(async (form) => {
      const model = sequential([input({ shape: [6, 1] }), lstm({ units: 3 }), dense({ units: 1 })]);
      await model.compile({ loss: 'mse' }).fit(form, y);
      return model.getWeights();
    }),
  );
  assert.deepEqual(trained[1], trained[0]);
});

test('several inputs and outputs by name, batches, and the figures of evaluate', async () => {
  const { x, y } = sine();
  const source = input({ shape: [6, 1], name: 'source' });
  const extra = input({ shape: [1], name: 'extra' });
  const h = concatenate().apply([lstm({ units: 4 }).apply(source), extra]);
  const outputs = [dense({ units: 1, name: 'next' }).apply(h), dense({ units: 1, name: 'last' }).apply(h)];
  const network = model({ inputs: [source, extra], outputs });
  network.compile({ loss: { next: 'mse', last: 'mae' }, metrics: ['r2'] });
  const inputs = { extra: y, source: x };
  const targets = { last: y.map(([value]) => [-value!]), next: y };
  const history = await network.fit(inputs, targets, {
    epochs: 2,
    validationData: [inputs, targets],
    verbose: 0,
  });
  assert.equal(history.validationLoss.length, 2);
  const figures = await network.evaluate(inputs, targets);
  assert.deepEqual(Object.keys(figures), ['loss', 'nextLoss', 'lastLoss', 'nextR2', 'lastR2']);
  assert.equal((await network.predictAll(inputs)).length, 2);
  const batches = [{ x: [tensor(x), tensor(y)], y: [tensor(y), tensor(targets.last)] }];
  assert.equal((await network.fit(batches, { epochs: 3 })).loss.length, 3);
  await assert.rejects(network.predict({ source: x }), /names here are source, extra/);
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
    /x\[0\]\[0\]\[0\] must be a number or an array of numbers, got "a"/,
  );
  await fails(
    () => model.fit([[[null]]] as unknown as number[][][], [[1]]),
    'value',
    /x\[0\]\[0\]\[0\] must be a number or an array of numbers, got null/,
  );
});
