/**
 * `layer.output`, the symbolic output of a layer in a model: a new model with this output has the same weights and results.
 * Detects copied weights, the output of the wrong layer, and a missing error for a layer with several outputs.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { predict, predictAll, RandomStream, tensor } from '@unroll/core';
import { dense, input, lstm, model, modelFromConfig, type Network, sequential } from '@unroll/nn';

const x = tensor(new RandomStream(3, 'x').normal(4 * 5 * 2), [4, 5, 2]);

/** Returns the output of each layer. */
async function outputsOf(network: Network): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  for (let n = 1; n <= network.layers.length; n++) {
    const part = sequential(network.layers.slice(0, n));
    found.push((await predict(part, x)).dataSync() as Float32Array);
  }
  return found;
}

const layers = () => [
  lstm({ units: 3, returnSequences: true, name: 'first' }),
  lstm({ units: 4 }),
  dense({ units: 2 }),
];

test('layer.output works in a sequential model that begins with input(), before and after it is built', async () => {
  const whole = sequential([input({ shape: [null, 2] }), ...layers()], { seed: 7 });
  const features = model({
    inputs: whole.inputs,
    outputs: [...whole.layers.map((layer) => layer.output), ...whole.outputs],
  });
  assert.deepEqual(whole.getLayer('first').output.shape, [-1, -1, 3]);
  const wanted = await predict(whole, x);
  const found = (await predictAll(features, x)).map((output) => output.dataSync());
  assert.deepEqual(features.layers.slice(1), whole.layers);
  assert.deepEqual(found[3], wanted.dataSync());
  assert.deepEqual(found.slice(0, 3), await outputsOf(whole));
  assert.equal(whole.inputs, whole.inputs, 'every access returns the same graph');
});

test('layer.output works in a sequential model that inferred its input shape, and in a loaded one', async () => {
  const whole = sequential(layers());
  await predict(whole, x);
  const loaded = modelFromConfig(JSON.parse(JSON.stringify(whole.config)));
  loaded.setWeights(whole.getWeights());
  const wanted = (
    await predict(model({ inputs: whole.inputs, outputs: whole.layers[1].output }), x)
  ).dataSync();
  const { inputs } = loaded as typeof whole;
  const part = model({ inputs, outputs: loaded.layers[1].output });
  assert.deepEqual((await predict(part, x)).dataSync(), wanted);
  assert.deepEqual((await outputsOf(whole))[1], wanted);
});

test('layer.output works in a functional model', async () => {
  const source = input({ shape: [5, 2] });
  const encoder = lstm({ units: 3, name: 'encoder', returnState: true });
  const [y] = encoder.apply(source);
  const whole = model({ inputs: source, outputs: dense({ units: 1, name: 'head' }).apply(y) });
  const part = model({ inputs: whole.inputs, outputs: whole.getLayer('encoder').output });
  const hidden = await predict(part, x);
  const [first] = (await predict(whole, x)).dataSync();
  const { values } = whole.getLayer('head').getWeights()[0];
  const product = [...hidden.dataSync().subarray(0, 3)].reduce((sum, value, k) => sum + value * values[k], 0);
  assert.ok(Math.abs(product - first) < 1e-6);
  assert.equal(encoder.output, y);
});

test('layer.output throws outside a model, if the input shape is unknown, and if the layer is used twice', async () => {
  const lonely = dense({ units: 1, name: 'lonely' });
  assert.throws(() => lonely.output, {
    code: 'state',
    message: 'Layer lonely is not in a model yet, so it has no output. Use the result of apply().',
  });
  const whole = sequential(layers());
  const unknown = {
    code: 'state',
    message:
      'Model sequential: the shape of its input is unknown. Make input() the first entry, or build or train the model first.',
  };
  assert.throws(() => whole.layers[0].output, unknown);
  assert.throws(() => whole.inputs, unknown);
  assert.throws(() => whole.outputs, unknown);
  const shared = dense({ units: 2, name: 'shared' });
  shared.apply(shared.apply(input({ shape: [2] })));
  assert.throws(() => shared.output, {
    code: 'state',
    message: 'Layer shared is used 2 times, so it has several outputs. Use the result of apply().',
  });
});
