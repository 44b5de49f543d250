/**
 * Functional models: several inputs and outputs, shared layers, states passed between layers, masks, nested models,
 * configs that restore the same model, and errors that name the layer.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { predict, predictAll, tensor } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import {
  addLayer,
  bidirectional,
  concatenate,
  dense,
  embedding,
  type Functional,
  flatten,
  gru,
  gruCell,
  input,
  layerFromConfig,
  lstm,
  lstmCell,
  masking,
  model,
  modelFromConfig,
  type Network,
  recurrent,
  repeatVector,
  sequential,
  stackedCells,
  timeDistributed,
} from '@unroll/nn';
import { maskOf, randomTensor, run } from './helpers.js';

const units = 3;

function encoderDecoder(): Functional {
  const source = input({ shape: [null, 4], name: 'source' });
  const target = input({ shape: [null, 2], name: 'target' });
  const [, h, c] = lstm({ units, returnState: true }).apply(source);
  const decoded = lstm({ units, returnSequences: true }).apply(target, { initialState: [h!, c!] });
  return model({
    inputs: [source, target],
    outputs: dense({ units: 5, activation: 'softmax' }).apply(decoded),
  });
}

/** Returns a copy of the model, restored from its config with the same weights. */
function restored<M extends Network>(network: M): M {
  const copy = modelFromConfig(JSON.parse(JSON.stringify(network.config))) as M;
  if (!copy.built && network.inputShapes) copy.build(network.inputShapes);
  copy.setWeights(network.getWeights());
  assert.deepEqual(JSON.parse(JSON.stringify(copy.config)), JSON.parse(JSON.stringify(network.config)));
  assert.deepEqual(
    copy.parameters.map(({ name }) => name),
    network.parameters.map(({ name }) => name),
  );
  return copy;
}

describe('a functional model', () => {
  test('passes the states of one layer to another', () => {
    const network = encoderDecoder();
    const [source, target] = [randomTensor('source', 2, 6, 4), randomTensor('target', 2, 5, 2)];
    const y = run(network, [source, target])[0]!.value;
    assert.deepEqual(y.shape, [2, 5, 5]);
    // Computes the same outputs layer by layer.
    const [, encoder, , decoder, head] = ['source', 'lstm', 'target', 'lstm_1', 'dense'].map((name) =>
      network.getLayer(name),
    );
    const [, h, c] = run(encoder!, source).map(({ value }) => value);
    const decoded = run(decoder!, [target, h!, c!])[0]!.value;
    assert.deepEqual(y.dataSync(), run(head!, decoded)[0]!.value.dataSync());
  });

  test('takes lists of inputs and gives lists of outputs, also through predict', async () => {
    const [a, b] = [input({ shape: [2] }), input({ shape: [2] })];
    const shared = dense({ units: 2 });
    const [one, two] = [shared.apply(a), shared.apply(b)];
    const network = model({ inputs: [a, b], outputs: [addLayer().apply([one, two]), one] });
    const [x, z] = [randomTensor('a', 3, 2), randomTensor('b', 3, 2)];
    const [sum, first] = await predictAll(network, [x, z]);
    const [other] = await predictAll(network, [z, x]);
    assert.deepEqual(sum!.dataSync(), other!.dataSync()); // both inputs pass through the same weights
    assert.deepEqual(first!.dataSync(), run(shared, x)[0]!.value.dataSync());
    assert.equal(network.parameters.length, 2);
  });

  test('propagates a mask through embedding, recurrent layer and head to the output', () => {
    const ids = input({ shape: [null] });
    const embedded = embedding({ inputDim: 9, outputDim: 2, maskZero: true }).apply(ids);
    const y = gru({ units, returnSequences: true }).apply(embedded);
    const network = model({ inputs: ids, outputs: [dense({ units: 1 }).apply(y), gru({ units }).apply(y)] });
    const [sequence, last] = run(
      network,
      tensor([
        [3, 4, 0],
        [1, 0, 0],
      ]),
    );
    assert.deepEqual(sequence!.mask!.toArray(), [
      [1, 1, 0],
      [1, 0, 0],
    ]);
    assert.equal(last!.mask, null);
    const short = run(
      network,
      tensor([
        [3, 4],
        [1, 0],
      ]),
    );
    assert.deepEqual(last!.value.dataSync(), short[1]!.value.dataSync());
  });

  test('accepts a mask as a separate input', () => {
    const [x, mask] = [input({ shape: [4, 2] }), input({ shape: [4] })];
    const y = lstm({ units }).apply(x, { mask });
    const network = model({ inputs: [x, mask], outputs: y });
    const values = randomTensor('x', 2, 4, 2);
    const maskValues = maskOf('1100', '1011');
    const want = run(network.getLayer('lstm'), values, { mask: maskValues })[0]!.value.dataSync();
    assert.deepEqual(run(network, [values, maskValues])[0]!.value.dataSync(), want);
    assert.deepEqual(run(restored(network), [values, maskValues])[0]!.value.dataSync(), want);
  });

  test('can be a layer of another model, also twice with shared weights', () => {
    const tower = sequential([lstm({ units }), dense({ units: 2 })], { name: 'tower' });
    const [a, b] = [input({ shape: [null, 2] }), input({ shape: [null, 2] })];
    const joined = concatenate().apply([tower.apply(a), tower.apply(b)]);
    const network = model({ inputs: [a, b], outputs: dense({ units: 1 }).apply(joined) });
    assert.equal(network.countParams(), tower.countParams() + 5);
    assert.deepEqual(network.parameters.map(({ name }) => name).slice(0, 2), [
      'tower/lstm/kernel',
      'tower/lstm/recurrent_kernel',
    ]);
    const [x, z] = [randomTensor('a', 2, 3, 2), randomTensor('b', 2, 5, 2)];
    const y = run(network, [x, z])[0]!.value.dataSync();
    assert.deepEqual(run(restored(network), [x, z])[0]!.value.dataSync(), y);
  });

  test('shares its layers with separate encoder and decoder models, which together give the same results', async () => {
    const network = encoderDecoder();
    network.build();
    const source = input({ shape: [null, 4] });
    const [, h, c] = network.getLayer('lstm').apply(source);
    const encoder = model({ inputs: source, outputs: [h!, c!], name: 'encoder' });
    const [target, h0, c0] = [
      input({ shape: [null, 2] }),
      input({ shape: [units] }),
      input({ shape: [units] }),
    ];
    const decoded = network.getLayer('lstm_1').apply(target, { initialState: [h0, c0] });
    const decoder = model({
      inputs: [target, h0, c0],
      outputs: network.getLayer('dense').apply(decoded),
      name: 'decoder',
    });
    const [x, y] = [randomTensor('source', 2, 6, 4), randomTensor('target', 2, 5, 2)];
    const states = await predictAll(encoder, x);
    const got = await predict(decoder, [y, ...states]);
    assert.deepEqual(await got.data(), await (await predict(network, [x, y])).data());
  });

  test('initial weights depend only on the seed and the names', () => {
    const weights = (seed: number): number[] => {
      const x = input({ shape: [3] });
      const network = model({ inputs: x, outputs: dense({ units: 2, name: 'head' }).apply(x), seed });
      return [...network.getWeights()[0]!.values];
    };
    assert.deepEqual(weights(1), weights(1));
    assert.notDeepEqual(weights(1), weights(2));
    const plain = sequential([dense({ units: 2, name: 'head' })], { seed: 1 });
    plain.build([[-1, 3]]);
    assert.deepEqual([...plain.getWeights()[0]!.values], weights(1));
  });
});

describe('restores a model from its config', () => {
  const x = randomTensor('x', 2, 5, 4);
  const check = (network: Network, ...inputs: ReturnType<typeof randomTensor>[]): void => {
    const values = inputs.length > 0 ? inputs : [x];
    const want = run(network, values).map(({ value }) => [...value.dataSync()]);
    const got = run(restored(network), values).map(({ value }) => [...value.dataSync()]);
    assert.deepEqual(got, want);
  };

  test('encoder and decoder', () => check(encoderDecoder(), x, randomTensor('y', 2, 3, 2)));

  test('shared layers and a skip connection', () => {
    const a = input({ shape: [5, 4] });
    const shared = gru({ units: 4, returnSequences: true });
    const twice = shared.apply(shared.apply(a));
    const out = timeDistributed(dense({ units: 2 })).apply(addLayer().apply([a, twice]));
    check(model({ inputs: a, outputs: [flatten().apply(out), twice] }));
  });

  test('bidirectional layers with a separate backward layer, stacked cells, nested models', () => {
    const bothDirections = bidirectional(lstm({ units, returnSequences: true, name: 'reader' }), {
      mergeMode: 'sum',
      backwardLayer: gru({ units, returnSequences: true, goBackwards: true, resetAfter: false }),
    });
    const cells = stackedCells([lstmCell({ units, dropout: 0.1 }), gruCell({ units: 2 })]);
    const inner = sequential([recurrent(cells), repeatVector({ n: 2 })]);
    check(sequential([masking(), bothDirections, inner, lstm({ units: 2 })]));
  });

  test('sequential() that begins with input() keeps the shape of the input', () => {
    const network = sequential([input({ shape: [5, 4] }), lstm({ units })]);
    assert.deepEqual(restored(network).inputShapes, [[-1, 5, 4]]);
    assert.deepEqual(restored(network).config, network.config);
    assert.equal(network.countParams(), 4 * (4 * 3 + 3 * 3 + 3));
  });

  test('rejects unknown classes and names them in the error', () => {
    const config = sequential([dense({ units: 1, name: 'd' })]).config;
    const spoiled = JSON.parse(JSON.stringify(config).replace('"Dense"', '"Densest"'));
    assert.throws(
      () => modelFromConfig(spoiled),
      /There is no layer class "Densest"\. If it is a custom class, call registerLayer/,
    );
    assert.throws(
      () => layerFromConfig({ className: 'RNN', config: { cell: { className: 'MyCell', config: {} } } }),
      /There is no cell class "MyCell"\. If it is a custom class, call registerCell/,
    );
    assert.throws(
      () => layerFromConfig({ className: 'constructor', config: {} }),
      /no layer class "constructor"/,
    );
    assert.throws(
      () => layerFromConfig('Dense'),
      /A layer config must be an object \{ className, config \}, got "Dense"/,
    );
    assert.throws(
      () => modelFromConfig(dense({ units: 1 }).config),
      /Expected the config of a model, got the config of a layer \(Dense\)/,
    );
  });

  test('a config contains only plain data', () => {
    const custom = (): number[] => [1];
    const { config } = dense({ units: 1, kernelInitializer: custom, name: 'd' });
    assert.deepEqual(config, { className: 'Dense', config: { units: 1, name: 'd' } });
  });
});

describe('errors in a graph name the layer', () => {
  const x = input({ shape: [null, 2], name: 'x' });

  test('an output that needs an input the model does not have', () => {
    const y = lstm({ units }).apply(x);
    const other = input({ shape: [4], name: 'other' });
    assert.throws(
      () => model({ inputs: other, outputs: y }),
      /depend on Layer x, which is not among the model's inputs/,
    );
  });

  test('an input that was not created by input()', () => {
    const y = lstm({ units }).apply(x);
    assert.throws(
      () => model({ inputs: y, outputs: dense({ units: 1 }).apply(y) }),
      /inputs of a model must come from input\(\), got SymbolicTensor\[-1, 3\] of Layer LSTM/,
    );
  });

  test('numbers passed to apply', () => {
    assert.throws(
      () => dense({ units: 1, name: 'head' }).apply([[1, 2]] as never),
      /Layer head: apply\(\) takes symbolic/,
    );
  });

  test('wrong number and shape of inputs', () => {
    const network = model({ inputs: x, outputs: lstm({ units }).apply(x), name: 'reader' });
    assert.throws(
      () => run(network, [randomTensor('a', 2, 3, 2), randomTensor('b', 2, 3)]),
      /Model reader: the number of inputs must be 1, got 2\./,
    );
    assert.throws(
      () => run(network, randomTensor('a', 2, 3, 5)),
      /Model reader: input "x" expects \[-1, -1, 2\] \(-1: any\), got \[2, 3, 5\]/,
    );
  });

  test('two layers with the same name', () => {
    const y = dense({ units: 1, name: 'same' }).apply(dense({ units: 1, name: 'same' }).apply(x));
    assert.throws(() => model({ inputs: x, outputs: y }), /Two layers are named "same"/);
  });

  test('merging inputs of incompatible shapes', () => {
    const [a, b] = [input({ shape: [3, 4] }), input({ shape: [3, 5] })];
    assert.throws(() => addLayer({ name: 'sum' }).apply([a, b]), /Layer sum: .*broadcast.*\[-1, 3, 5\]/);
    assert.throws(
      () => concatenate({ name: 'join', axis: 1 }).apply([a, b]),
      /Layer join: all inputs must have the shape of the first, \[-1, 3, 4\], except on axis 1; inputs\[1\] has \[-1, 3, 5\]\./,
    );
    assert.throws(
      () => concatenate({ name: 'join', axis: 3 }).apply([a, a]),
      /Layer join: axis 3 is out of range for inputs of rank 3\. Axis 0, the batch, cannot be concatenated\./,
    );
    assert.throws(() => addLayer({ name: 'sum' }).apply(a), /Layer sum: needs at least two inputs, got 1/);
  });
});

test('if an input with one time step is repeated over time, so is its mask', () => {
  const long = { value: tensor([[[1], [2], [3]], [[4], [5], [6]]]), mask: tensor([[1, 0, 0], [1, 0, 0]]) }; // biome-ignore format: as shapes
  const single = { value: tensor([[[1]], [[1]]]), mask: tensor([[0], [1]]) };
  for (const inputs of [
    [long, single],
    [single, long],
  ]) {
    const layer = addLayer();
    layer.build(inputs.map(({ value }) => value.shape));
    const [{ mask }] = layer.invoke(inputs, inferenceContext());
    assert.deepEqual(mask?.toArray(), [[1, 0, 0], [1, 1, 1]]); // biome-ignore format: a matrix
  }
});

test('the summary is a table of 80 columns with shapes and counts', () => {
  const text = encoderDecoder().summary();
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
  assert.equal(
    text,
    [
      'Model functional (Functional)',
      '─'.repeat(80),
      'Layer (type)              Output shape        Parameters From',
      '─'.repeat(80),
      'source (InputLayer)       [·, ·, 4]                    0',
      'target (InputLayer)       [·, ·, 2]                    0',
      'lstm (LSTM)               [·, 3] +2                   96 source',
      'lstm_1 (LSTM)             [·, ·, 3]                   72 target, lstm, lstm',
      'dense (Dense)             [·, ·, 5]                   20 lstm_1',
      '─'.repeat(80),
      'Parameters: 188 (0.7 KiB); trainable 188, not trainable 0',
    ].join('\n'),
  );
  const lines = sequential([lstm({ units: 50 }), dense({ units: 1 })])
    .summary()
    .split('\n');
  assert.equal(lines.at(-1), 'Not built yet: parameters are created when the shape of the input is known.');
});
