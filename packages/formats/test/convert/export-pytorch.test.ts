// Models written for PyTorch have the same outputs when Unroll reads them again. (tools/goldens/formats/pytorch.py --check runs
// the written models in PyTorch.)
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { predict, RandomStream, ready, tensor, UnrollError } from '@unroll/core';
import { bytesSource, formatNamed } from '@unroll/formats/convert';
import {
  addLayer,
  attention,
  batchNormalization,
  bidirectional,
  conv1d,
  dense,
  embedding,
  gru,
  input,
  type Layer,
  layerNormalization,
  lstm,
  lstmCell,
  minGru,
  model,
  type Network,
  peepholeLstm,
  projectedLstm,
  recurrent,
  sequential,
  simpleRNN,
  stackedCells,
} from '@unroll/nn';
import { largestError } from './torch-cases.js';

before(() => ready());

const sequences = { returnSequences: true };
/** Layers of models, and the modules of a map for models that the state dict does not determine. */
const models: Record<string, { layers: () => Layer[]; map?: Record<string, unknown>[] }> = {
  LSTM: { layers: () => [lstm({ units: 4, ...sequences }), dense({ units: 2 })] },
  'LSTM without bias': { layers: () => [lstm({ units: 4, useBias: false, ...sequences })] },
  GRU: { layers: () => [gru({ units: 4, ...sequences })] },
  'GRU whose update gate multiplies the candidate': {
    layers: () => [gru({ units: 4, updateGate: 'candidate', ...sequences })],
  },
  'RNN with relu': {
    layers: () => [simpleRNN({ units: 4, activation: 'relu', ...sequences })],
    map: [{ module: 'simple_rnn', nonlinearity: 'relu' }],
  },
  'LSTM with a projection': { layers: () => [projectedLstm({ units: 5, projection: 2, ...sequences })] },
  'both directions': {
    layers: () => [bidirectional(lstm({ units: 4, ...sequences })), layerNormalization()],
  },
  'the last output of both directions': {
    layers: () => [bidirectional(gru({ units: 4 })), dense({ units: 3 })],
    map: [{ module: 'bidirectional', output: 'final' }, { module: 'dense' }],
  },
  'stacked cells': {
    layers: () => [recurrent(stackedCells([lstmCell({ units: 4 }), lstmCell({ units: 3 })]), sequences)],
  },
  'a convolution and normalisations': {
    layers: () => [
      conv1d({ filters: 4, kernelSize: 3, padding: 'causal', dilationRate: 2, groups: 1 }),
      batchNormalization(),
      lstm({ units: 3, ...sequences }),
    ],
    map: [
      { module: 'conv1d', padding: 'causal', dilationRate: 2 },
      { module: 'batch_normalization', epsilon: 1e-3 },
      { module: 'lstm' },
    ],
  },
};

function withRandomWeights(network: Network): Network {
  const stream = new RandomStream(3);
  network.build();
  for (const parameter of network.parameters) {
    const values = stream.normal(parameter.size, 0, 0.5);
    parameter.assign(
      parameter.name.endsWith('variance') ? values.map((value) => 0.5 + Math.abs(value)) : values,
    );
  }
  return network;
}

async function written(network: Network, format: string): Promise<{ weights: Uint8Array; python: string }> {
  const files = await (await formatNamed(format)).write?.(network);
  return { weights: files?.get('') as Uint8Array, python: new TextDecoder().decode(files?.get('.py')) };
}

const x = tensor(Array.from(new RandomStream(4).normal(2 * 9 * 3)), [2, 9, 3]);

describe('models written for PyTorch have the same outputs when Unroll reads them again', () => {
  for (const format of ['pytorch', 'safetensors']) {
    for (const [name, { layers, map }] of Object.entries(models)) {
      test(`${name}, as ${format}`, async () => {
        const network = withRandomWeights(sequential([input({ shape: [null, 3] }), ...layers()]));
        const { weights } = await written(network, format);
        // A state dict does not contain epsilon, and a safetensors file does not contain the order of the modules.
        const modules = map ?? network.layers.flatMap((layer) => modulesOf(layer));
        const read = await (await formatNamed(format)).read(bytesSource(weights), {
          map: { layers: modules },
        });
        const [a, b] = [await predict(network, x), await predict(read.model, x)];
        assert.deepEqual(b.shape, a.shape);
        assert.ok(largestError(await b.data(), await a.data()) < 1e-6);
      });
    }
  }

  test('an embedding', async () => {
    const network = withRandomWeights(
      sequential([
        input({ shape: [null] }),
        embedding({ inputDim: 5, outputDim: 3 }),
        gru({ units: 2, ...sequences }),
      ]),
    );
    const { weights, python } = await written(network, 'pytorch');
    const { model: back } = await (await formatNamed('pytorch')).read(bytesSource(weights));
    const ids = tensor([[0, 1, 4]]);
    const [a, b] = [await predict(network, ids), await predict(back, ids)];
    assert.deepEqual(await b.data(), await a.data());
    assert.match(
      python,
      /self\.embedding = nn\.Embedding\(5, 3\)\n {8}self\.gru = nn\.GRU\(3, 2, batch_first=True\)/,
    );
  });
});

/** Returns the entries of a map for a layer: one module, or one for each stacked cell. */
function modulesOf(layer: Layer): Record<string, unknown>[] {
  if (layer.className === 'RNN') return [{ module: 'rnn_0' }, { module: 'rnn_1' }];
  return [
    layer.className === 'LayerNormalization' ? { module: layer.name, epsilon: 1e-3 } : { module: layer.name },
  ];
}

describe('the Python file', () => {
  test('of a graph defines and calls its layers, with valid names', async () => {
    const source = input({ shape: [null, 3], name: 'x\n"""' });
    const left = dense({ units: 2, activation: 'gelu', name: 'class' }).apply(source);
    const right = lstm({ units: 2, ...sequences, name: 'import os; os.system("id")\n' }).apply(source);
    const network = withRandomWeights(
      model({ inputs: source, outputs: addLayer({ name: 'sum' }).apply([left, right]) }),
    );
    const { python } = await written(network, 'pytorch');
    const code = python.slice(python.indexOf('class Model'));
    assert.equal(
      code,
      `class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.class_ = nn.Linear(3, 2)
        self.import_os_os_system_id_ = nn.LSTM(3, 2, batch_first=True)

    def forward(self, v0):
        x = v0
        x = self.class_(x)
        x = F.gelu(x)
        v1 = x
        x = v0
        x, _ = self.import_os_os_system_id_(x)
        v2 = x
        v3 = v1 + v2
        return v3
`,
    );
  });
});

describe('models that PyTorch cannot express are refused', () => {
  const source = () => input({ shape: [null, 3] });
  const refused: Record<string, [() => Network, RegExp]> = {
    'a GRU with the reset gate before the recurrent matrix product': [
      () => sequential([source(), gru({ units: 2, resetAfter: false })]),
      /Layer gru \(GRU\) cannot be written for PyTorch: nn\.GRU applies the reset gate after the recurrent matrix product/,
    ],
    'an LSTM with relu': [
      () => sequential([source(), lstm({ units: 2, activation: 'relu' })]),
      /the activation of nn\.LSTM must be tanh, got relu/,
    ],
    'an LSTM with peepholes': [
      () => sequential([source(), peepholeLstm({ units: 2 })]),
      /Layer peephole_lstm \(PeepholeLSTM\)/,
    ],
    'directions with different activations': [
      () => {
        const layer = simpleRNN({ units: 2, activation: 'relu' });
        const backwardLayer = simpleRNN({ units: 2, goBackwards: true });
        return sequential([source(), bidirectional(layer, { backwardLayer })]);
      },
      /Layer bidirectional \(Bidirectional\).*its directions have different activations/,
    ],
    'a minimal GRU': [
      () => sequential([source(), minGru({ units: 2 })]),
      /Layer min_gru \(MinGRU\).*supported layers are/,
    ],
    attention: [
      () => {
        const x = source();
        return model({ inputs: x, outputs: attention().apply([x, x]) });
      },
      /Layer attention \(Attention\).*must be the first output of one layer/,
    ],
    'a convolution whose padding depends on the length': [
      () => sequential([source(), conv1d({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' })]),
      /padding "same" with strides depends on the length/,
    ],
  };
  for (const [name, [make, message]] of Object.entries(refused)) {
    test(name, async () => {
      const network = withRandomWeights(make());
      await assert.rejects(written(network, 'pytorch'), (error) => {
        assert.ok(error instanceof UnrollError && error.code === 'value');
        assert.match(error.message, message);
        return true;
      });
    });
  }
  test('a model without weights', async () => {
    await assert.rejects(
      written(sequential([lstm({ units: 2 })]), 'pytorch'),
      /has no weights to convert yet/,
    );
  });
});
