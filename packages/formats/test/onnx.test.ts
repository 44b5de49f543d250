/**
 * Compares imported ONNX models with the outputs of PyTorch and TensorFlow, and with the test cases of the ONNX project
 * (tools/goldens/formats/onnx_files.py and onnx_tf2onnx.py): outputs, training, layers, saving and loading. The tests fail if
 * gates are in a wrong order, a state belongs to the wrong direction, transposes do not cancel, or weights are not trained.
 * Also tests error messages, and that exported models have the same outputs when they are read again.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  mean,
  permute,
  predictAll,
  RandomStream,
  ready,
  reshape,
  type Shape,
  scope,
  setBackend,
  square,
  type Tensor,
  tensor,
  UnrollError,
  valueAndGrad,
  zeros,
} from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import { fromArtifact, toArtifact } from '@unroll/formats';
import { type AxisOrder, bytesSource, formatNamed, type ImportedModel } from '@unroll/formats/convert';
import {
  activation,
  batchNormalization,
  bidirectional,
  concatenate,
  conv1d,
  coupledLstm,
  dense,
  embedding,
  flatten,
  generalGru,
  generalLstm,
  generalRnn,
  globalAveragePooling1d,
  gru,
  gruCell,
  input,
  type Layer,
  layerNormalization,
  lstm,
  lstmCell,
  masking,
  maxPooling1d,
  model,
  type Network,
  peepholeLstm,
  projectedLstm,
  recurrent,
  repeatVector,
  sequential,
  simpleRNN,
  stackedCells,
  timeDistributed,
} from '@unroll/nn';
import { changeModel, type Message, readMessage } from './onnx-message.js';

const FOLDER = new URL('../../testkit/goldens/formats/onnx/', import.meta.url);
setBackend('reference');
await ready();

interface Packed {
  shape: Shape;
  data: string;
}
interface Case {
  name: string;
  inputs: Packed[];
  outputs: Packed[];
  files: string[];
  /** Output after five steps of training. */
  training?: Packed;
  /** The file in base64. */
  model: string;
}

const casesIn = (file: string): Case[] => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')).cases;
const bytesOf = (file: string): Uint8Array => readFileSync(new URL(`${file}.onnx`, FOLDER));

/** Returns an array of the file with its axes in the order of the model. */
function unpack({ shape, data }: Packed, axes: readonly number[]): Tensor {
  const values = new Float32Array(new Uint8Array(Buffer.from(data, 'base64')).buffer);
  const order = axes.filter((axis) => axis >= 0);
  const rest = shape.map((_, axis) => axis).filter((axis) => !order.includes(axis));
  const extents = axes.map((axis) => (axis < 0 ? 1 : shape[axis]!));
  return scope(() => reshape(permute(tensor(values, shape), [...order, ...rest]), extents));
}

const axesOf = ({ axes }: ImportedModel): { inputs: readonly AxisOrder[]; outputs: readonly AxisOrder[] } => {
  assert.ok(axes);
  return axes;
};

async function read(bytes: Uint8Array, name = 'model.onnx'): Promise<ImportedModel> {
  return (await formatNamed('onnx')).read(bytesSource(bytes, name));
}

function assertClose(got: Tensor, wanted: Tensor, tolerance: number, what: string): void {
  assert.deepEqual(got.shape, wanted.shape, what);
  const values = wanted.dataSync();
  got.dataSync().forEach((value, i) => {
    const expected = values[i]!;
    const isClose = Math.abs(value - expected) <= tolerance * Math.max(1, Math.abs(expected));
    assert.ok(isClose, `${what}, element ${i}: ${value}, not ${expected}`);
  });
}

async function compare(imported: ImportedModel, { inputs, outputs }: Case): Promise<void> {
  const { inputs: sources, outputs: targets } = axesOf(imported);
  const x = inputs.map((value, i) => unpack(value, sources[i]!.axes));
  const results = await predictAll(imported.model, x);
  assert.equal(results.length, outputs.length);
  for (const [i, result] of results.entries())
    assertClose(result, unpack(outputs[i]!, targets[i]!.axes), 1e-5, `output ${i}`);
}

const cases = [...casesIn('cases.json'), ...casesIn('tf2onnx.json')];

describe('imported models of PyTorch and TensorFlow have the original outputs', () => {
  for (const golden of cases)
    for (const file of golden.files)
      test(file, async () => compare(await read(bytesOf(file), `${file}.onnx`), golden));
});

describe('test cases of the ONNX project have the expected outputs', () => {
  for (const golden of casesIn('nodes.json'))
    test(golden.name, async () => compare(await read(Buffer.from(golden.model, 'base64')), golden));
});

const classes = ({ layers }: Network): string => layers.map(({ className }) => className).join(' ');

test('imported models have their original layers, and transposes cancel', async () => {
  const expected = {
    'classifier-script': 'InputLayer Embedding LSTM Dense',
    'classifier-dynamo': 'InputLayer Embedding LSTM Dense',
    'means-script': 'InputLayer SimpleRNN GlobalAveragePooling1D Dense GlobalMaxPooling1D',
    'convolutions-opset8':
      'InputLayer Conv1D BatchNormalization Activation TensorOperation MaxPooling1D Conv1D LSTM Activation',
  };
  for (const [file, layers] of Object.entries(expected)) {
    const { model: importedModel, report } = await read(bytesOf(file));
    assert.equal(classes(importedModel), layers, file);
    assert.ok(report.mapped.length > 0);
  }
});

test('the import reports, for each layer, the order of its output axes in the file', async () => {
  const layerAxesOf = async (file: string): Promise<[string, readonly number[]][]> => {
    const { axes: orders } = await read(bytesOf(file));
    assert.ok(orders);
    return [...orders.layers].map(([layer, { axes }]) => [layer, axes]);
  };
  assert.deepEqual(await layerAxesOf('classifier-script'), [
    ['embedding', [1, 0, 2]], // as the recurrent node reads it
    ['lstm', [0, 1]],
    ['dense', [0, 1]],
  ]);
  // [steps, batch, features] in the file; the second layer is read at its last step
  assert.deepEqual((await layerAxesOf('../chain/last-and-mean-script')).slice(0, 2), [
    ['gru', [1, 0, 2]],
    ['gru_1', [1, 0, 2]],
  ]);
});

test('layer normalisation is recognised if it is written with several nodes', async () => {
  for (const opset of [7, 10]) {
    const { model: importedModel } = await read(bytesOf(`stateful-opset${opset}`));
    const norm = importedModel.layers.find(({ className }) => className === 'LayerNormalization');
    assert.deepEqual(
      norm?.parameters.map(({ name, shape }) => [name, shape]),
      [
        ['layer_normalization/gamma', [4]],
        ['layer_normalization/beta', [4]],
      ],
    );
    assert.ok(Math.abs(Number(norm?.config.config.epsilon) - 1e-5) < 1e-9);
  }
});

test('nodes that share a weight become one layer that is called several times', async () => {
  const matrix = { name: 'w', dims: [4, 4], dataType: 1, rawData: [new Uint8Array(64).fill(1)] };
  const nodes = ['x', 'a', 'b'].map((from, i) => ({
    ...{ opType: 'MatMul', input: [from, 'w'], output: ['abc'[i]], attribute: [] },
  }));
  const original = await readMessage(bytesOf('classifier-script'));
  const bytes = changeModel(original, (graph) => {
    const shape = { dim: [{ param: 'batch' }, { value: 4 }] };
    const info = (name: string): Message => ({ name, type: { tensorType: { elemType: 1, shape } } });
    const changes = { input: [info('x')], output: [info('c')], node: nodes, initializer: [matrix] };
    Object.assign(graph, changes);
  });
  const { model: importedModel } = await read(bytes);
  assert.equal(classes(importedModel), 'InputLayer Dense');
  assert.equal(importedModel.countParams(), 16);
});

test('the last feature of a final state is not mistaken for the last step', async () => {
  const x = input({ shape: [null, 2] });
  const [sequence, last] = lstm({ units: 3, returnSequences: true, returnState: true }).apply(x);
  const features = dense({ units: 4 }).apply(last!);
  const network = randomise(model({ inputs: x, outputs: [features, dense({ units: 2 }).apply(sequence!)] }));
  const bytes = changeModel(await readMessage(await write(network)), (graph) => {
    const index = { name: 'last', dims: [], dataType: 6, rawData: [new Uint8Array(4).fill(255)] };
    const [{ name }] = graph.output;
    graph.initializer.push(index);
    graph.node.push({
      ...{ opType: 'Gather', input: [name, 'last'], output: ['taken'] },
      attribute: [{ name: 'axis', type: 2, i: 1 }],
    });
    graph.output[0] = {
      name: 'taken',
      type: { tensorType: { elemType: 1, shape: { dim: [{ param: 'batch' }] } } },
    };
  });
  const { model: importedModel } = await read(bytes);
  const value = tensor(new RandomStream(2, 'inputs').normal(2 * 5 * 2), [2, 5, 2]);
  const [wanted] = await predictAll(network, [value]);
  const [taken] = await predictAll(importedModel, [value]);
  assertClose(taken!, tensor([3, 7].map((i) => wanted!.dataSync()[i]!)), 1e-6, 'taken');
});

test('an imported classifier gives the same output step by step as for the whole sequence', async () => {
  const { model: importedModel } = await read(bytesOf('classifier-dynamo'));
  const ids = tensor([[3, 1, 4, 1, 5]]);
  const [whole] = await predictAll(importedModel, [ids]);
  const stream = importedModel.stream();
  for (const id of [3, 1, 4, 1, 5]) stream.step(tensor([id]));
  assertClose(stream.outputs[0]!, whole!, 1e-6, 'the last output');
});

describe('five steps of training have the same result as in PyTorch', () => {
  for (const golden of cases.filter(({ training }) => training)) {
    test(golden.name, async () => {
      const imported = await read(bytesOf(golden.files[0]!));
      const { model: network } = imported;
      const { inputs, outputs } = axesOf(imported);
      const x = golden.inputs.map((value, i) => ({ value: unpack(value, inputs[i]!.axes), mask: null }));
      const context = inferenceContext();
      for (let step = 0; step < 5; step++) {
        const parameters = network.parameters.filter(({ trainable }) => trainable);
        const loss = (): Tensor => mean(square(network.forward(x, context)[0]!.value));
        const { grads } = valueAndGrad(loss, parameters);
        grads.forEach((gradient, i) => {
          const values = gradient.dataSync();
          parameters[i]!.assign(
            Array.from(parameters[i]!.dataSync(), (weight, k) => weight - 0.1 * values[k]!),
          );
        });
      }
      const [y] = scope(() => network.forward(x, context).map(({ value }) => value));
      assertClose(y!, unpack(golden.training!, outputs[0]!.axes), 1e-4, 'output');
    });
  }
});

test('an imported model is saved and loaded as an artifact', async () => {
  for (const file of ['mixed-dynamo', 'heads-script', 'packed-script']) {
    const { model: importedModel } = await read(bytesOf(file));
    const { model: loaded } = fromArtifact(await toArtifact(importedModel));
    assert.deepEqual(
      JSON.parse(JSON.stringify(loaded.config)),
      JSON.parse(JSON.stringify(importedModel.config)),
    );
    assert.deepEqual(loaded.getWeights(), importedModel.getWeights());
  }
});

const units = 3;
const returnSequences = true;
const sequence = (): ReturnType<typeof input> => input({ shape: [null, 2] });
const ids = (): ReturnType<typeof input> => input({ shape: [null] });
const chain = (...layers: Layer[]): Network => sequential([sequence(), ...layers]);
const functions = [
  { name: 'hardSigmoid', alpha: 0.3, beta: 0.4 },
  { name: 'scaledTanh', alpha: 0.9, beta: 1.1 },
  { name: 'elu', alpha: 0.5 },
] as const;

/** Models whose exported files can be read again. */
const roundTrips: Record<string, () => Network> = {
  LSTM: () =>
    chain(lstm({ units, returnSequences, activation: 'softsign', recurrentActivation: 'hardSigmoid' })),
  'LSTM without a bias': () => chain(lstm({ units, useBias: false })),
  GRU: () => chain(gru({ units, returnSequences }), gru({ units, resetAfter: false })),
  'GRU whose update gate multiplies the candidate': () => chain(gru({ units, updateGate: 'candidate' })),
  'simple RNN backwards': () =>
    chain(simpleRNN({ units, activation: 'relu', goBackwards: true, returnSequences })),
  'peephole LSTM': () => chain(peepholeLstm({ units, peepholeInitializer: 'glorotUniform' })),
  'coupled LSTM': () => chain(coupledLstm({ units, returnSequences })),
  'general cells': () =>
    chain(
      generalLstm({ units, returnSequences, functions, clip: 0.7, peephole: true }),
      generalGru({ units, returnSequences, functions: functions.slice(0, 2), clip: 0.5 }),
      generalRnn({ units, functions: [{ name: 'thresholdedRelu', alpha: 0.2 }] }),
    ),
  'general LSTM, coupled': () => chain(generalLstm({ units, functions, coupled: true })),
  'stacked cells': () =>
    chain(recurrent(stackedCells([lstmCell({ units }), gruCell({ units: 2 })]), { returnSequences })),
  bidirectional: () => chain(bidirectional(gru({ units, returnSequences })), bidirectional(lstm({ units }))),
  'bidirectional, with peepholes in one direction': () =>
    chain(
      bidirectional(lstm({ units }), {
        backwardLayer: peepholeLstm({ units, peepholeInitializer: 'glorotUniform', goBackwards: true }),
      }),
    ),
  'bidirectional, merged': () =>
    chain(
      bidirectional(lstm({ units, returnSequences }), { mergeMode: 'sum' }),
      bidirectional(lstm({ units, returnSequences }), { mergeMode: 'ave' }),
      bidirectional(simpleRNN({ units }), { mergeMode: 'mul' }),
    ),
  'states between layers': () => {
    const [source, target] = [ids(), sequence()];
    const [, h, c] = lstm({ units, returnState: true }).apply(
      embedding({ inputDim: 5, outputDim: 2 }).apply(source),
    );
    const [y, last] = lstm({ units, returnSequences, returnState: true }).apply(target, {
      initialState: [h!, c!],
    });
    return model({ inputs: [source, target], outputs: [y!, last!] });
  },
  convolution: () =>
    chain(
      conv1d({
        filters: 4,
        kernelSize: 3,
        padding: 'causal',
        dilationRate: 2,
        groups: 2,
        activation: 'relu',
      }),
      batchNormalization(),
      maxPooling1d({ poolSize: 2, padding: 'same' }),
      timeDistributed(dense({ units: 2, activation: 'gelu' })),
      globalAveragePooling1d(),
    ),
  'a graph with a concatenation and a repeated vector': () => {
    const x = input({ shape: [4, 2] });
    const y = layerNormalization().apply(
      activation('softShrink').apply(lstm({ units: 2, returnSequences }).apply(x)),
    );
    const z = dense({ units: 4, activation: 'softmax' }).apply(flatten().apply(concatenate().apply([x, y])));
    return model({ inputs: x, outputs: repeatVector(3).apply(z) });
  },
};

/** Sets random weights, so that no bias is 0. */
function randomise(network: Network): Network {
  network.build();
  const random = new RandomStream(1, 'weights');
  for (const parameter of network.parameters) {
    const values = random.normal(parameter.size, 0, 0.5);
    parameter.assign(parameter.name.endsWith('variance') ? values.map((v) => Math.abs(v) + 0.2) : values);
  }
  return network;
}

const write = async (network: Network, options: object = {}): Promise<Uint8Array> => {
  const files = await (await formatNamed('onnx')).write?.(network, options);
  const bytes = files?.get('');
  assert.ok(bytes);
  return bytes;
};

describe('an exported model that is read again has the same outputs', () => {
  for (const [name, make] of Object.entries(roundTrips)) {
    for (const opset of [13, 17, 21]) {
      test(`${name}, opset ${opset}`, async () => {
        const network = randomise(make());
        const { model: again, axes } = await read(await write(network, { opset }));
        const random = new RandomStream(2, 'inputs');
        const x = (network.inputShapes ?? []).map((shape) => {
          const extents = shape.map((extent, d) => (extent > 0 ? extent : d === 0 ? 2 : 5));
          const count = extents.reduce((total, extent) => total * extent, 1);
          return tensor(
            extents.length === 2 ? random.uniform(count, 0, 5).map(Math.floor) : random.normal(count),
            extents,
          );
        });
        const [wanted, got] = [await predictAll(network, x), await predictAll(again, x)];
        for (const [i, y] of got.entries()) assertClose(y, wanted[i]!, 1e-5, `output ${i}`);
        for (const { axes: order } of axes?.outputs ?? [])
          assert.deepEqual(
            order,
            order.map((_, d) => d),
          );
      });
    }
  }
});

test('weights that are not finite are refused, also in a layer whose name begins with "constant"', async () => {
  for (const name of ['dense', 'constant_1']) {
    const network = sequential([input({ shape: [2] }), dense({ units: 1, name })]);
    network.build();
    network.parameters[0]!.assign(Float32Array.of(1, Number.NaN));
    await assert.rejects(write(network), {
      code: 'value',
      message: new RegExp(
        `^${name}\\.kernel has the value NaN at index 1\\. To be exported, weights must be finite`,
      ),
    });
  }
});

/** Models whose layers skip masked steps. {@link masked} returns their inputs. */
const maskedModels: Record<string, () => Network> = {
  'ids and LSTM': () =>
    sequential([
      ids(),
      embedding({ inputDim: 5, outputDim: 2, maskZero: true }),
      lstm({ units, returnSequences }),
      gru({ units }),
    ]),
  'both directions': () =>
    chain(
      masking(),
      bidirectional(gru({ units, returnSequences })),
      bidirectional(lstm({ units, returnSequences }), { mergeMode: 'sum' }),
      globalAveragePooling1d(),
    ),
  'backwards, zeros at masked steps': () =>
    chain(
      masking(),
      lstm({ units, returnSequences, goBackwards: true }),
      simpleRNN({ units, returnSequences, zeroOutputForMask: true }),
    ),
  'convolution and stacked cells': () =>
    chain(
      masking(),
      conv1d({ filters: 2, kernelSize: 2 }),
      recurrent(stackedCells([lstmCell({ units }), gruCell({ units })]), { returnSequences }),
      dense({ units: 1 }),
    ),
};

/** Returns sequences of six steps, with masked steps (zeros) at different positions. The last has only one valid step. */
const masked = (network: Network): Tensor => {
  const valid = ['111111', '011011', '110100', '000010'].map((row) => [...row].map(Number));
  const isIds = network.inputShapes![0]!.length === 2;
  const at = (step: number, n: number): number | number[] =>
    isIds ? step * (1 + (n % 4)) : [step * Math.sin(n + 1), step * Math.cos(3 * n)];
  return tensor(valid.map((row, b) => row.map((step, t) => at(step, 6 * b + t))) as number[][]);
};

describe('an exported model with masks that is read again has the same outputs', () => {
  for (const [name, make] of Object.entries(maskedModels)) {
    test(name, async () => {
      const network = randomise(make());
      const { model: again } = await read(await write(network));
      const x = masked(network);
      const [wanted, got] = [await predictAll(network, [x]), await predictAll(again, [x])];
      for (const [i, y] of got.entries()) assertClose(y, wanted[i]!, 1e-5, `output ${i}`);
    });
  }
});

test('a model exported with streaming and read again gives the same outputs chunk by chunk', async () => {
  const network = randomise(
    chain(
      lstm({ units, returnSequences }),
      conv1d({ filters: 2, kernelSize: 3, padding: 'causal' }),
      gru({ units }),
    ),
  );
  const { model: again } = await read(await write(network, { streaming: true }));
  const random = new RandomStream(3, 'stream');
  let states = again.inputShapes!.slice(1).map((shape) => zeros([1, ...shape.slice(1)]));
  const stream = network.stream({ batch: 1 });
  for (const steps of [1, 3, 2]) {
    const x = tensor(random.normal(2 * steps), [1, steps, 2]);
    const [y, ...next] = await predictAll(again, [x, ...states]);
    stream.push(x);
    assertClose(y!, stream.outputs[0]!, 1e-5, `${steps} steps`);
    states = next;
  }
});

test('with streaming, masked steps of a convolution are zeros, also in the following chunk', async () => {
  const network = randomise(
    sequential([
      input({ shape: [null] }),
      embedding({ inputDim: 4, outputDim: 2, maskZero: true }),
      conv1d({ filters: 2, kernelSize: 3, padding: 'causal' }),
      lstm({ units, returnSequences }),
    ]),
  );
  const ids = [[3, 0, 2, 0, 0, 1, 3]];
  const [wanted] = await predictAll(network, [tensor(ids)]);
  const { model: again } = await read(await write(network, { streaming: true }));
  let states = again.inputShapes!.slice(1).map((shape) => zeros([1, ...shape.slice(1)]));
  const outputs: number[][] = [];
  // Each chunk begins with a valid step: before the first valid step of a chunk, an LSTM outputs zeros.
  for (const [from, to] of [
    [0, 2],
    [2, 5],
    [5, 7],
  ] as const) {
    const [y, ...next] = await predictAll(again, [tensor([ids[0]!.slice(from, to)]), ...states]);
    outputs.push(...(y!.toArray() as number[][][])[0]!);
    states = next;
  }
  assertClose(tensor([outputs]), wanted!, 1e-5, 'three chunks');
});

test('with streaming, the states of recurrent layers are inputs and outputs of the file', async () => {
  const network = randomise(chain(lstm({ units, returnSequences, name: 'memory' }), dense({ units: 1 })));
  const { parts, facts } = await (await formatNamed('onnx')).describe(
    bytesSource(await write(network, { streaming: true })),
  );
  assert.ok(parts.every(({ supported }) => supported));
  assert.deepEqual(
    facts.filter(({ name }) => name === 'input' || name === 'output').map(({ value }) => value),
    [
      'input [batch, steps, 2] float32',
      'memory.h [batch, 3] float32',
      'memory.c [batch, 3] float32',
      'output [batch, output_steps, 1] float32',
      'memory.h.next [batch, 3] float32',
      'memory.c.next [batch, 3] float32',
    ],
  );
});

describe('layers that ONNX cannot express are refused, and the error names the layer', () => {
  const refused: [string, () => Network, RegExp][] = [
    [
      'a projection',
      () => chain(projectedLstm({ units: 4, projection: 2 })),
      /ProjectedLSTM "projected_lstm": ONNX has no node for the cell ProjectedLSTMCell/,
    ],
    [
      'an activation',
      () => chain(dense({ units: 2, activation: 'sparsemax' })),
      /Dense "dense": the activation sparsemax is not supported/,
    ],
    [
      'an activation of a cell',
      () => chain(lstm({ units, activation: 'gelu' })),
      /recurrent nodes do not have the activation gelu/,
    ],
    [
      'a mask of a pooling layer',
      () => chain(masking(), maxPooling1d()),
      /MaxPooling1D "max_pooling1d": a mask is not supported/,
    ],
  ];
  for (const [name, make, message] of refused)
    test(name, async () => {
      await assert.rejects(write(randomise(make())), { code: 'value', message });
    });
});

test('the export refuses an unsupported version of the operator set', async () => {
  await assert.rejects(write(randomise(chain(dense({ units: 1 }))), { opset: 12 }), {
    message: 'opset must be from 13 to 23, got 12.',
  });
});

describe('errors of the importer name the node, the weight or the version', async () => {
  const original = await readMessage(bytesOf('classifier-script'));
  const rejects = async (
    change: (graph: Message) => void,
    expected: { code: string; message: RegExp },
  ): Promise<void> => {
    const bytes = changeModel(original, change);
    await assert.rejects(read(bytes), (error) => {
      assert.ok(error instanceof UnrollError, String(error));
      assert.equal(error.code, expected.code);
      assert.match(error.message, expected.message);
      return true;
    });
  };
  const node = (graph: Message, op: string): Message =>
    graph.node.find(({ opType }: Message) => opType === op);

  test('unknown operators', () =>
    rejects((graph) => Object.assign(node(graph, 'LSTM'), { opType: 'Mystery', domain: 'com.example' }), {
      code: 'value',
      message:
        /has nodes that Unroll cannot convert: com\.example\.Mystery "\/lstm\/LSTM"\. Supported operators: Abs, /,
    }));
  test('unknown attributes', () =>
    rejects((graph) => node(graph, 'LSTM').attribute.push({ name: 'cell', i: 1, type: 2 }), {
      code: 'value',
      message: /LSTM "\/lstm\/LSTM": the attribute cell is not supported\./,
    }));
  test('attributes of an unsupported type', () =>
    rejects((graph) => node(graph, 'LSTM').attribute.push({ name: 'cell', type: 13 }), {
      code: 'value',
      message: /LSTM.*: the type 13 of the attribute cell is not supported\.$/,
    }));
  test('cycles', () =>
    rejects((graph) => node(graph, 'LSTM').input.splice(0, 1, node(graph, 'LSTM').output[0]), {
      code: 'format',
      message: /LSTM "\/lstm\/LSTM" depends on its own output/,
    }));
  test('missing inputs', () =>
    rejects((graph) => node(graph, 'LSTM').input.splice(1, 1, 'nothing'), {
      code: 'format',
      message: /LSTM "\/lstm\/LSTM" reads "nothing", which no node, input or initializer provides/,
    }));
  test('values with two sources', () =>
    rejects((graph) => graph.node.push({ ...node(graph, 'LSTM'), name: 'again' }), {
      code: 'format',
      message: /has two sources/,
    }));
  test('weights of another shape', () =>
    rejects((graph) => node(graph, 'LSTM').input.splice(2, 1, node(graph, 'LSTM').input[1]), {
      code: 'value',
      message:
        /LSTM "\/lstm\/LSTM": R must have the shape \[1, 4 \* hidden_size, hidden_size\], got \[1, 20, 4\]\./,
    }));
  test('weights of a convolution that are not finite', async () => {
    const network = sequential([input({ shape: [5, 2] }), conv1d({ filters: 3, kernelSize: 2 })]);
    network.build();
    let name = '';
    const bytes = changeModel(await readMessage(await write(network)), (graph: Message) => {
      const weight = graph.initializer.find(({ dims }: Message) => dims.length === 3);
      name = weight.name;
      weight.rawData = [new Uint8Array(new Float32Array(12).fill(Number.NaN).buffer)];
    });
    await assert.rejects(read(bytes), (error) => {
      assert.ok(error instanceof UnrollError && error.code === 'nan', String(error));
      assert.ok(name && error.message.startsWith(`${name} has the value NaN at index 0.`), error.message);
      return true;
    });
  });
  test('pooling over two axes, and strides and pads that a layer cannot have', async () => {
    /** Returns a model with a MaxPool node that reads x [batch, 3, ...sizes]. */
    const poolingOf = (sizes: number[], attributes: Record<string, number[]>): Uint8Array => {
      const dim = [{ param: 'batch' }, { value: 3 }, ...sizes.map((value) => ({ value }))];
      const info = (name: string): Message => ({
        name,
        type: { tensorType: { elemType: 1, shape: { dim } } },
      });
      const attribute = Object.entries(attributes).map(([name, ints]) => ({ name, ints, type: 7 }));
      const pool = { opType: 'MaxPool', name: 'pool', input: ['x'], output: ['y'], attribute };
      const graph = { name: 'g', node: [pool], input: [info('x')], output: [info('y')] };
      return changeModel({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph }, () => {});
    };
    const refusedWith = (bytes: Uint8Array, message: RegExp) =>
      assert.rejects(read(bytes), { code: 'value', message });
    await refusedWith(
      poolingOf([8, 8], { kernel_shape: [3, 3] }),
      /only convolution and pooling over one axis \(time\) are supported, got the kernel shape \[3, 3\] and X \[batch, 3, 8, 8\]/,
    );
    await refusedWith(
      poolingOf([8, 1], { kernel_shape: [3, 1], strides: [1, 2] }),
      /only the time axis may have strides, dilations or pads, got strides \[1, 2\], dilations \[1, 1\] and pads \[0, 0, 0, 0\]/,
    );
    await refusedWith(
      poolingOf([8], { kernel_shape: [3], strides: [2], pads: [2, 0] }),
      /pads \[2, 0\] are not supported for a kernel of size 3 with strides 2: use no padding/,
    );
  });
  test('a division of two unknown sizes: the numbers of pooling windows with different strides', async () => {
    const dim = [{ param: 'batch' }, { value: 3 }, { param: 'steps' }];
    const info = (name: string): Message => ({ name, type: { tensorType: { elemType: 1, shape: { dim } } } });
    const integer = (name: string, i: number): Message => ({ name, i, type: 2 });
    /** Returns a model that multiplies x by the ratio of two numbers of pooling windows, which differ in the stride. */
    const ratioOf = (...strides: number[]): Uint8Array => {
      const windows = strides.flatMap((stride, i) => [
        {
          ...{ opType: 'MaxPool', input: ['x'], output: [`p${i}`] },
          attribute: [
            { name: 'kernel_shape', ints: [3], type: 7 },
            { name: 'strides', ints: [stride], type: 7 },
          ],
        },
        {
          ...{ opType: 'Shape', input: [`p${i}`], output: [`n${i}`] },
          attribute: [integer('start', 2), integer('end', 3)],
        },
      ]);
      const nodes = [
        ...windows,
        { opType: 'Div', input: ['n0', 'n1'], output: ['ratio'] },
        { opType: 'Cast', input: ['ratio'], output: ['factor'], attribute: [integer('to', 1)] },
        { opType: 'Mul', input: ['x', 'factor'], output: ['y'] },
      ];
      const graph = { name: 'g', node: nodes, input: [info('x')], output: [info('y')] };
      return changeModel({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph }, () => {});
    };
    await read(ratioOf(2, 2)); // The ratio is 1.
    await assert.rejects(read(ratioOf(1, 2)), {
      code: 'value',
      message: /it computes with the unknown size \(\(stepsw3\)\/\(stepss2w3\)\)/,
    });
  });
  test('Squeeze, Pad and Slice with inputs that do not fit', async () => {
    const dim = [{ param: 'batch' }, { param: 'steps' }, { value: 2 }];
    const info = (name: string): Message => ({ name, type: { tensorType: { elemType: 1, shape: { dim } } } });
    const integers = (name: string, ...values: number[]): Message => ({
      ...{ name, dims: [values.length], dataType: 7 },
      rawData: [new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer)],
    });
    const modelOf = (nodes: Message[], initializer: Message[]): Uint8Array => {
      const graph = { name: 'g', node: nodes, initializer, input: [info('x')], output: [info('y')] };
      return changeModel({ irVersion: 8, opsetImport: [{ domain: '', version: 18 }], graph }, () => {});
    };
    const refused = (nodes: Message[], initializer: Message[], message: RegExp) =>
      assert.rejects(read(modelOf(nodes, initializer)), { code: 'value', message });
    /** Returns a model that reshapes x to the sizes that a Squeeze node with these axes returns. */
    const squeezed = (...axes: number[]): [Message[], Message[]] => [
      [
        { opType: 'Shape', input: ['x'], output: ['shape'] },
        {
          opType: 'Squeeze',
          name: 'squeeze',
          input: ['shape', ...(axes.length > 0 ? ['axes'] : [])],
          output: ['sizes'],
        },
        { opType: 'Reshape', input: ['x', 'sizes'], output: ['y'] },
      ],
      axes.length > 0 ? [integers('axes', ...axes)] : [],
    ];
    await refused(...squeezed(0), /Squeeze "squeeze": it removes an axis whose size is not 1/);
    await read(modelOf(...squeezed())); // removes no axis
    const pad = { opType: 'Pad', name: 'pad', input: ['x', 'pads'], output: ['y'] };
    await refused([pad], [integers('pads', 0, 1, 0, 0)], /Pad "pad": it must have 6 pads for 3 axes, got 4/);
    const slice = { opType: 'Slice', name: 'slice', input: ['x', 'starts', 'ends', 'axes'], output: ['y'] };
    await refused(
      [slice],
      [integers('starts', 1, 0), integers('ends', 9, 1), integers('axes', 1)],
      /Slice "slice": its starts, ends, axes or steps are invalid/,
    );
  });
  test('unknown activations', () =>
    rejects(
      (graph) => {
        const strings = ['Sigmoid', 'Cosh', 'Tanh'].map((name) => new TextEncoder().encode(name));
        node(graph, 'LSTM').attribute.push({ name: 'activations', strings, type: 8 });
      },
      { code: 'value', message: /there is no activation "Cosh"/ },
    ));
  test('versions of the operator set', async () => {
    const bytes = changeModel(original, (_, whole) => {
      whole.opsetImport[0].version = 6;
    });
    await assert.rejects(read(bytes), {
      message: /uses version 6 of ONNX's operator set. Unroll reads versions 7 to 28/,
    });
  });
});
