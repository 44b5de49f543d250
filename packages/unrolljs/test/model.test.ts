/** The methods of a model: compile, fit, evaluate, predict and the functions for single batches, with all forms of data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  abs,
  add,
  concatenate,
  dense,
  div,
  input,
  load,
  lstm,
  model,
  registerActivation,
  sequential,
  type Tensor,
  tensor,
  toArtifact,
  type UnrollError,
} from 'unrolljs';

/** Returns 48 windows of 6 steps of a sine, and the next value of each. */
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
  assert.ok(history.loss[59] < 0.1 * history.loss[0], `${history.loss[0]} to ${history.loss[59]}`);
  const prediction = await model.predictArray(x);
  const errors = prediction.map(([value], i) => (value - y[i][0]) ** 2);
  const { loss, ...others } = await model.evaluate(x, y);
  assert.deepEqual(others, {});
  assert.ok(Math.abs(loss - errors.reduce((sum, error) => sum + error) / 48) < 1e-6);
  assert.ok(loss < history.loss[59] * 1.5);
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

test('splits a flat typed array by the shape of the input', async () => {
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

test('fit, evaluate and predictAll take inputs and outputs by name, and batches', async () => {
  const { x, y } = sine();
  const source = input({ shape: [6, 1], name: 'source' });
  const extra = input({ shape: [1], name: 'extra' });
  const h = concatenate().apply([lstm({ units: 4 }).apply(source), extra]);
  const outputs = [dense({ units: 1, name: 'next' }).apply(h), dense({ units: 1, name: 'last' }).apply(h)];
  const network = model({ inputs: [source, extra], outputs });
  network.compile({ loss: { next: 'mse', last: 'mae' }, metrics: ['r2'] });
  const inputs = { extra: y, source: x };
  const targets = { last: y.map(([value]) => [-value]), next: y };
  const history = await network.fit(inputs, targets, {
    epochs: 2,
    validationData: [inputs, targets],
    verbose: 0,
  });
  assert.equal(history.validationLoss.length, 2);
  const metrics = await network.evaluate(inputs, targets);
  assert.deepEqual(Object.keys(metrics), ['loss', 'nextLoss', 'lastLoss', 'nextR2', 'lastR2']);
  const [next, last] = (await network.predictAll(inputs)).map((output) => [...output.dataSync()]);
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value) / values.length;
  const wanted = {
    nextLoss: mean(next.map((value, i) => (value - y[i][0]) ** 2)),
    lastLoss: mean(last.map((value, i) => Math.abs(value - targets.last[i][0]))),
  };
  assert.ok(Math.abs(metrics.nextLoss - wanted.nextLoss) < 1e-6);
  assert.ok(Math.abs(metrics.lastLoss - wanted.lastLoss) < 1e-6);
  assert.ok(Math.abs(metrics.loss - wanted.nextLoss - wanted.lastLoss) < 1e-6);
  assert.ok(Math.abs(history.validationLoss[1] - metrics.loss) < 1e-6);
  const batches = [{ x: [tensor(x), tensor(y)], y: [tensor(y), tensor(targets.last)] }];
  assert.equal((await network.fit(batches, { epochs: 3 })).loss.length, 3);
  await assert.rejects(network.predict({ source: x }), /each of the inputs source, extra; got source/);
});

test('trainOnBatch equals the steps of fit, with the same optimizer state', async () => {
  const { x, y } = sine();
  const compiled = () => network().compile({ optimizer: 'adam', loss: 'mse', metrics: ['mae'] });
  const [whole, steps, resumed] = [compiled(), compiled(), compiled()];
  const options = { batchSize: 16, shuffle: false };
  const history = await whole.fit(x, y, { ...options, epochs: 2 });
  const batches: { loss: number; mae?: number }[] = [];
  await resumed.fit(x, y, options);
  for (const model of [steps, steps, resumed]) {
    for (let start = 0; start < 48; start += 16) {
      const before = await model.evaluate(x.slice(start, start + 16), y.slice(start, start + 16));
      const result = await model.trainOnBatch(x.slice(start, start + 16), y.slice(start, start + 16));
      assert.deepEqual(result, before, 'loss and metrics of the batch before its update');
      batches.push(result);
    }
  }
  assert.deepEqual(steps.getWeights(), whole.getWeights());
  assert.deepEqual(resumed.getWeights(), whole.getWeights());
  const mean = batches.slice(0, 3).reduce((sum, { loss }) => sum + loss / 3, 0);
  assert.ok(Math.abs(mean - history.loss[0]) < 1e-7);
});

test('trainOnBatch respects weights and masks', async () => {
  const { x, y } = sine();
  const model = network().compile({ loss: 'mse' });
  const options = { sampleWeights: y.map((_, i) => i / 10), mask: x.map(() => [1, 1, 1, 1, 0, 0]) };
  const { loss } = await model.evaluate(x, y, options);
  const { loss: masked } = await model.evaluate(x, y, { mask: options.mask });
  const { loss: weighted } = await model.evaluate(x, y, { sampleWeights: options.sampleWeights });
  assert.ok(Math.abs(loss - masked) > 1e-4 && Math.abs(loss - weighted) > 1e-6);
  assert.equal((await model.trainOnBatch(x, y, options)).loss, loss);
});

test('trainOnBatch draws a different dropout mask for each batch, reproducibly', async () => {
  const { x, y } = sine();
  const runs = [0, 1].map(async () => {
    const model = sequential([lstm({ units: 8, dropout: 0.5 }), dense({ units: 1 })]);
    model.compile({ optimizer: { name: 'sgd', learningRate: 1e-9 }, loss: 'mse' });
    return [(await model.trainOnBatch(x, y)).loss, (await model.trainOnBatch(x, y)).loss];
  });
  const [first, second] = await Promise.all(runs);
  assert.deepEqual(first, second);
  assert.notEqual(first[0], first[1]);
});

test('predictOnBatch runs all examples at once; predict of a stateful model rejects a smaller last batch', async () => {
  const x = Array.from({ length: 300 }, (_, i) => [[Math.sin(i)], [Math.cos(i)]]);
  const layers = () => [lstm({ units: 3, stateful: true }), dense({ units: 1 })];
  const prediction = await sequential(layers()).predictOnBatch(x);
  const wanted = await sequential(layers()).predictArray(x, { batchSize: 300 });
  assert.deepEqual(prediction.toArray(), wanted);
  await assert.rejects(sequential(layers()).predict(x), {
    code: 'shape',
    message:
      /has the states of 256 sequences, got a batch of 44\. .*Use a constant batchSize that divides the number of examples/,
  });
});

test('predictArray returns nested arrays', async () => {
  const { x } = sine();
  const model = sequential([lstm({ units: 2, returnSequences: true })]);
  const prediction = await model.predict(x);
  const steps = await model.predictArray<number[][][]>(x);
  assert.deepEqual(steps, prediction.toArray());
  const [[[value]]] = steps;
  assert.equal(value, prediction.dataSync()[0]);
});

test('a custom activation is saved by its name', async () => {
  const { x, y } = sine();
  const bent = (a: Tensor): Tensor => div(a, add(abs(a), 2));
  const layers = () => [lstm({ units: 4, activation: bent }), dense({ units: 1, activation: bent })];
  const model = sequential(layers()).compile({ loss: 'mse' });
  await model.fit(x, y, { epochs: 2 });
  await assert.rejects(toArtifact(model), {
    code: 'value',
    message:
      /The activation is a function that is not registered.*Call registerActivation\(name, fn\) before saving/,
  });
  registerActivation('bent', bent);
  const files = await toArtifact(model);
  const loaded = await load(files);
  assert.deepEqual(await loaded.predictArray(x), await model.predictArray(x));
  await loaded.compile({ loss: 'mse' }).fit(x, y);
  const unknown = new Map(files);
  const config = new TextDecoder().decode(files.get('config.json'));
  unknown.set('config.json', new TextEncoder().encode(config.replaceAll('"bent"', '"straight"')));
  await assert.rejects(
    load(unknown),
    /there is no activation "straight"\. Choose one of .*, or register your own/,
  );
});

test('inner layers can be outputs of another model with the same weights', async () => {
  const { x, y } = sine();
  const whole = sequential([lstm({ units: 5 }), dense({ units: 1 })]).compile({ loss: 'mse' });
  await whole.fit(x, y, { epochs: 2 });
  const features = model({
    inputs: whole.inputs,
    outputs: [whole.getLayer('lstm').output, ...whole.outputs],
  });
  const [, same] = await features.predictAll(x);
  assert.deepEqual(same.toArray(), await whole.predictArray(x));
  await whole.fit(x, y);
  const [hidden] = await features.predictAll(x);
  const [kernel, bias] = whole.getLayer('dense').getWeights();
  const [row] = hidden.toArray() as number[][];
  const predicted = row.reduce((sum, value, k) => sum + value * kernel.values[k], bias.values[0]);
  assert.ok(
    Math.abs(predicted - (await whole.predictArray(x))[0][0]) < 1e-6,
    'the features use the weights after further training',
  );
});

test('fit and compile reject wrong calls, with errors that say what to do', async () => {
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
    /There is no loss "mean"\. Choose one of .*mse/,
  );
  const model = network().compile({ loss: 'mse' });
  await fails(() => model.fit(x, y.slice(1)), 'shape', /x has 48 examples .* but y has 47/);
  await fails(
    () => model.fit([[[1], [2]], [[3]]], [[1], [2]]),
    'shape',
    /Ragged nested arrays: values\[1\] must be a row of length 2, got a row of length 1/,
  );
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
