// Exports random models to PyTorch files, with inputs and outputs, for `python tools/goldens/formats/pytorch.py --check FOLDER`.
//
//   node tools/goldens/formats/export-pytorch.mjs FOLDER [count]
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { predict, RandomStream, ready, tensor } from '@unroll/core';
import { extensionsOf, formatNamed, writeNpz } from '@unroll/formats/convert';
import * as nn from '@unroll/nn';

const [folder, count = '200'] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
await ready();
const stream = new RandomStream(5);
const below = (n) => Math.floor(stream.uniform(1)[0] * n);
const choose = (list) => list[below(list.length)];
const chance = () => below(2) === 1;

const recurrentLayer = () => {
  const units = 1 + below(9);
  const options = { units, useBias: below(4) > 0, returnSequences: true };
  const layer = choose([
    () => nn.lstm(options),
    () => nn.gru({ ...options, updateGate: choose(['keep', 'candidate']) }),
    () => nn.simpleRNN({ ...options, activation: choose(['tanh', 'relu']) }),
    () => nn.projectedLstm({ ...options, units: units + 1, projection: units }),
    () =>
      nn.recurrent(nn.stackedCells([nn.lstmCell({ units }), nn.lstmCell({ units: 3 })]), {
        returnSequences: true,
      }),
  ])();
  const wrap = chance() && layer.className !== 'RNN';
  return wrap ? nn.bidirectional(layer, { mergeMode: choose(['concat', 'sum', 'ave', 'mul']) }) : layer;
};
const ACTIVATIONS = [
  'linear',
  'relu',
  'gelu',
  'silu',
  'softmax',
  'leakyRelu',
  'hardSigmoid',
  'elu',
  'selu',
  'softplus',
  'mish',
];
const middleLayer = () =>
  choose([
    () => nn.layerNormalization(),
    () => nn.batchNormalization({ scale: chance(), center: chance() }),
    () => nn.dense({ units: 1 + below(6), activation: choose(ACTIVATIONS), useBias: chance() }),
    () => nn.timeDistributed(nn.dense({ units: 3, activation: 'tanh' })),
    () => nn.dropout({ rate: 0.3 }),
    () => nn.activation(choose(ACTIVATIONS)),
    () =>
      nn.conv1d({
        filters: 4,
        kernelSize: 1 + below(3),
        padding: choose(['valid', 'same', 'causal']),
        dilationRate: 1 + below(2),
      }),
    () => nn.maxPooling1d({ poolSize: 2 }),
    () => nn.averagePooling1d({ poolSize: 2, strides: 1 }),
    recurrentLayer,
  ])();
const lastLayers = () =>
  choose([
    () => [],
    () => [nn.lstm({ units: 3 }), nn.dense({ units: 2, activation: 'softmax' })],
    () => [nn.bidirectional(nn.gru({ units: 2 })), nn.batchNormalization()],
    () => [nn.globalAveragePooling1d(), nn.dense({ units: 2 })],
    () => [nn.globalMaxPooling1d()],
    () => [nn.gru({ units: 3, goBackwards: true }), nn.repeatVector(3)],
  ])();

const sequential = () => {
  const ids = chance();
  const first = ids
    ? [nn.input({ shape: [null] }), nn.embedding({ inputDim: 9, outputDim: 3 })]
    : [nn.input({ shape: [null, 3] })];
  const middle = Array.from({ length: 1 + below(3) }, middleLayer);
  return { model: nn.sequential([...first, ...middle, ...lastLayers()]), inputs: [ids ? 'ids' : 3] };
};
const functional = () => {
  const a = nn.input({ shape: [null, 3], name: 'a' });
  const b = nn.input({ shape: [null, 2], name: 'b' });
  const shared = nn.dense({ units: 4, activation: 'tanh' });
  const merged = nn
    .concatenate()
    .apply([
      nn.lstm({ units: 4, returnSequences: true }).apply(a),
      nn.gru({ units: 4, returnSequences: true }).apply(b),
    ]);
  const y = nn.addLayer().apply([shared.apply(a), nn.dense({ units: 4 }).apply(merged)]);
  return {
    model: nn.model({ inputs: [a, b], outputs: nn.multiply().apply([y, nn.layerNormalization().apply(y)]) }),
    inputs: [3, 2],
  };
};

for (let n = 0; n < Number(count); n++) {
  const { model, inputs } = n % 10 === 0 ? functional() : sequential();
  model.build();
  for (const parameter of model.parameters) {
    const random = stream.normal(parameter.size, 0, 0.5);
    parameter.assign(parameter.name.endsWith('variance') ? random.map((x) => 0.5 + Math.abs(x)) : random);
  }
  const x = inputs.map((width) =>
    width === 'ids'
      ? { shape: [2, 12], values: Float64Array.from(stream.uniform(24), (u) => Math.floor(9 * u)) }
      : { shape: [2, 12, width], values: Float64Array.from(Float32Array.from(stream.normal(24 * width))) },
  );
  const y = await predict(
    model,
    x.map(({ values, shape }) => tensor(values, shape)),
  );
  const arrays = new Map(x.map((input, i) => [`x${i}`, input]));
  arrays.set('y', { shape: y.shape, values: Float64Array.from(await y.data()) });
  const format = await formatNamed(n % 2 ? 'safetensors' : 'pytorch');
  const stem = join(folder, `model${String(n).padStart(3, '0')}`);
  for (const [name, bytes] of await format.write(model))
    writeFileSync(`${stem}${name === '' ? `.${extensionsOf(format.name)[0]}` : name}`, bytes);
  writeFileSync(`${stem}.npz`, writeNpz(arrays));
}
console.log(`wrote ${count} models`);
