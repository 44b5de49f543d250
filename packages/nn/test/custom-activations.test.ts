/**
 * Custom functions as activations. Detects a cell that runs the fused kernel of another activation, and a config that loses a
 * registered name or silently omits a function.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hardSigmoid, predict, RandomStream, relu, type Tensor, tanh, tensor } from '@unroll/core';
import {
  type Activation,
  activation,
  dense,
  gru,
  layerFromConfig,
  lstm,
  lstmCell,
  modelFromConfig,
  peepholeLstm,
  recurrent,
  registerActivation,
  sequential,
  simpleRNN,
  stackedCells,
} from '@unroll/nn';
import { mismatch } from '@unroll/testkit';

const x = tensor(new RandomStream(3, 'x').normal(2 * 5 * 3), [2, 5, 3]);
// Not the defaults of the cells, so that the test detects a cell that ignores the options.
const functions = { activation: (a: Tensor) => relu(a), recurrentActivation: (a: Tensor) => hardSigmoid(a) };
const named = { activation: 'relu', recurrentActivation: 'hardSigmoid' } as const;
const UNITS = 4;

describe('a function as activation', () => {
  const makers = {
    lstm: (o: { activation: Activation; recurrentActivation: Activation }) => lstm({ units: UNITS, ...o }),
    gru: (o: { activation: Activation; recurrentActivation: Activation }) => gru({ units: UNITS, ...o }),
    peepholeLstm: (o: { activation: Activation; recurrentActivation: Activation }) =>
      peepholeLstm({ units: UNITS, ...o }),
    simpleRNN: (o: { activation: Activation }) => simpleRNN({ units: UNITS, activation: o.activation }),
    dense: (o: { activation: Activation }) => dense({ units: UNITS, activation: o.activation }),
    activation: (o: { activation: Activation }) => activation({ activation: o.activation }),
  };
  for (const [name, make] of Object.entries(makers)) {
    test(`${name}: same outputs as with the built-in activation`, async () => {
      const [custom, builtIn] = [functions, named].map((options) => sequential([make(options)]));
      const [got, wanted] = [await predict(custom, x), await predict(builtIn, x)].map((y) => y.dataSync());
      const wrong = mismatch(name, got, wanted, 1e-5);
      assert.equal(wrong, null);
    });
  }

  test('activation(fn) is accepted without an options object', async () => {
    const network = sequential([activation((a) => relu(a))]);
    const wanted = x.dataSync().map((value) => Math.max(value, 0));
    assert.deepEqual((await predict(network, x)).dataSync(), wanted);
  });
});

describe('registerActivation', () => {
  const steep = (a: Tensor): Tensor => tanh(relu(a));

  test('a registered function survives a config round trip', async () => {
    registerActivation('steep', steep);
    const model = sequential([
      lstm({ units: 3, activation: steep, returnSequences: true }),
      recurrent(stackedCells([lstmCell({ units: 3, recurrentActivation: steep })])),
      dense({ units: 2, activation: steep }),
      activation(steep),
    ]);
    const wanted = await predict(model, x);
    const text = JSON.stringify(model.config);
    assert.equal(text.match(/"steep"/g)?.length, 4);
    const restored = modelFromConfig(JSON.parse(text));
    restored.setWeights(model.getWeights());
    assert.deepEqual((await predict(restored, x)).dataSync(), wanted.dataSync());
    assert.deepEqual(JSON.parse(JSON.stringify(restored.config)), JSON.parse(text));
  });

  test('a config cannot store an unregistered function; it can after registration', () => {
    const bare = (a: Tensor): Tensor => a;
    const message =
      /^The activation is a function that is not registered, so a config cannot store it\. Call registerActivation\(name, fn\) before saving, and before loading\.$/;
    for (const layer of [dense({ units: 1, activation: bare }), lstm({ units: 1, activation: bare })])
      assert.throws(() => layer.config, { code: 'value', message });
    assert.throws(() => recurrent(lstmCell({ units: 1, recurrentActivation: bare })).config, {
      code: 'value',
      message: /^The recurrentActivation is a function that is not registered/,
    });
    const layer = dense({ units: 1, activation: bare });
    registerActivation('bare', bare);
    assert.equal(layer.config.config.activation, 'bare');
    registerActivation('bare', (a) => a);
    assert.throws(() => layer.config, { code: 'value', message });
  });

  test('rejects names of built-in activations and missing arguments', () => {
    assert.throws(() => registerActivation('relu', steep), {
      code: 'value',
      message: '"relu" is a built-in activation. Register yours under another name.',
    });
    const message = 'registerActivation takes a non-empty name and a function from tensor to tensor.';
    assert.throws(() => registerActivation('', steep), { code: 'value', message });
    assert.throws(() => registerActivation('mine', 'relu' as never), { code: 'value', message });
  });

  test('an unregistered name in a config is an error with a remedy', () => {
    const config = { className: 'Dense', config: { units: 1, activation: 'nobody' } };
    assert.throws(() => layerFromConfig(config), {
      code: 'value',
      message: /there is no activation "nobody"\. Choose one of tanh, .*, or register your own\.$/,
    });
  });
});
