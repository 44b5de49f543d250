/** Imports files written by Keras, and compares the outputs with Keras's: see tools/goldens/formats/keras_files.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type FloatArray, predictAll, ready, type Shape, tensor } from '@unroll/core';
import { fromZip } from '@unroll/formats';
import { bytesSource, formatNamed, formatOfFile } from '@unroll/formats/convert';
import {
  conv1d,
  crf,
  dense,
  gru,
  input,
  type Layer,
  lstm,
  masking,
  maxPooling1d,
  minGru,
  registerLayer,
  sequential,
} from '@unroll/nn';
import { Scale } from './custom-layer.js';

interface Golden {
  shape: number[];
  data: string;
}
export interface KerasCase {
  formats: string[];
  inputs: Golden[];
  outputs: Golden[];
}

const folder = new URL('../../testkit/goldens/formats/keras/', import.meta.url);

function decoded({ shape, data }: Golden): { shape: Shape; values: Float32Array } {
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  return { shape, values: new Float32Array(bytes.buffer) };
}

function assertNear(actual: FloatArray, expected: Float32Array, tolerance: number, what: string): void {
  assert.equal(actual.length, expected.length, what);
  let worst = 0;
  expected.forEach((y, i) => {
    worst = Math.max(worst, Math.abs(actual[i] - y) / Math.max(1, Math.abs(y)));
  });
  assert.ok(worst <= tolerance, `${what}: the largest error is ${worst}`);
}

await ready();

/** Returns the cases of one script with the files that it wrote. @param number '2' for the cases of Keras 2 */
async function goldens(number: '' | '2'): Promise<[string, KerasCase, Uint8Array][]> {
  const { cases } = JSON.parse(readFileSync(new URL(`cases${number}.json`, folder), 'utf8')) as {
    cases: Record<string, KerasCase>;
  };
  const names = Object.entries(cases).flatMap(([name, { formats }]) =>
    formats.map((end) => `${name}.${end}`),
  );
  const files = await fromZip(readFileSync(new URL(`files${number}.zip`, folder)), names);
  return Object.entries(cases).flatMap(([name, golden]) =>
    golden.formats.map((end): [string, KerasCase, Uint8Array] => [
      `${name}.${end}`,
      golden,
      files.get(`${name}.${end}`)!,
    ]),
  );
}
const isCustom = (name: string): boolean => name.startsWith('custom_layer');
const all = [...(await goldens('')), ...(await goldens('2'))];

describe('custom layers', () => {
  test('a custom layer is refused with an error that names it, and imported after registerLayer', async () => {
    const files = all.filter(([name]) => isCustom(name));
    for (const [name, , file] of files) {
      const format = await formatOfFile(bytesSource(file, name));
      await assert.rejects(
        format.read(bytesSource(file, name)),
        /Layer "scale" \(Scale\) cannot be imported: Unroll has no layer of this class\. .*call registerLayer before/,
      );
    }
    registerLayer(Scale);
    const [, , file] = files[0];
    const { model } = await (await formatNamed('keras')).read(bytesSource(file));
    assert.equal(model.layers[1].className, 'Scale');
  });
});

describe('import of Keras files', () => {
  for (const [name, { inputs, outputs }, file] of all) {
    if (name.endsWith('.weights.h5')) continue;
    test(`${name} has the outputs of Keras`, async () => {
      const source = bytesSource(file, name);
      const format = await formatOfFile(source);
      assert.equal(format.name, name.endsWith('.h5') ? 'h5' : 'keras');
      const { model } = await format.read(source);
      const x = inputs.map((input) => tensor(decoded(input).values, decoded(input).shape));
      const y = await predictAll(model, x);
      for (const [i, output] of outputs.entries())
        assertNear(await y[i].data(), decoded(output).values, 1e-5, `output ${i} of ${name}`);
    });
  }
});

describe('weights without a model', () => {
  for (const [name, { inputs, outputs }, file] of all) {
    if (!name.endsWith('.weights.h5')) continue;
    test(`${name} is loaded into a model`, async () => {
      const model = sequential([input({ shape: [6, 3] }), lstm({ units: 4 }), dense({ units: 2 })]);
      model.build();
      const source = bytesSource(file, name);
      const format = await formatOfFile(source);
      await assert.rejects(() => format.read(source), /has weights, but no model\. Build the model/);
      const imported = await format.read(source, { model });
      assert.equal(imported.model, model);
      const x = inputs.map((golden) => tensor(decoded(golden).values, decoded(golden).shape));
      const [y] = await predictAll(model, x);
      assertNear(await y.data(), decoded(outputs[0]).values, 1e-5, name);
    });
  }

  test('a model whose layers do not match the weights is refused', async () => {
    const model = sequential([input({ shape: [6, 3] }), lstm({ units: 5 }), dense({ units: 2 })]);
    model.build();
    for (const [name, , file] of all) {
      if (!name.endsWith('.weights.h5')) continue;
      const before = model.getWeights();
      await assert.rejects(
        async () => (await formatNamed('h5')).read(bytesSource(file, name), { model }),
        /must have shape \[3, 20\] for lstm\/kernel, got \[3, 16\]/,
      );
      assert.deepEqual(model.getWeights(), before);
    }
  });
});

test('an exported optimizer has the name that Keras gave it', async () => {
  const seen = new Set<unknown>();
  for (const [name, , file] of await goldens('')) {
    if (!name.endsWith('.keras') || isCustom(name)) continue;
    const format = await formatNamed('keras');
    const { model, compile, optimizer } = await format.read(bytesSource(file, name));
    if (!compile || !optimizer) continue;
    const written = (await format.write!(model, { compile, optimizer })).get('')!;
    const names = await Promise.all(
      [file, written].map(async (bytes) => {
        const config = (await fromZip(bytes, ['config.json'])).get('config.json')!;
        return JSON.parse(Buffer.from(config).toString()).compile_config.optimizer.config.name;
      }),
    );
    assert.equal(names[1], names[0], name);
    seen.add(names[0]);
  }
  assert.deepEqual([...seen].sort(), ['adagrad', 'adam', 'adam_w', 'nadam', 'rm_sprop', 'sgd']);
});

test('loss weights are exported and imported', async () => {
  const network = sequential([input({ shape: [3] }), dense({ units: 1 })]);
  network.build();
  const format = await formatNamed('keras');
  const compile = { loss: 'mse', lossWeights: [2] };
  const optimizer = { name: 'sgd', options: { learningRate: 0.1 }, iterations: 0, slots: {} };
  const written = await format.write!(network, { compile, optimizer });
  const imported = await format.read(bytesSource(written.get('')!, 'model.keras'));
  assert.deepEqual(imported.compile?.lossWeights, [2]);
});

describe('export to Keras', () => {
  for (const [name, { inputs, outputs }, file] of all) {
    if (!/\.keras$|_cudnn|legacy|old/.test(name) || isCustom(name)) continue;
    test(`${name} has the same outputs after a round trip`, async () => {
      const { model } = await (await formatOfFile(bytesSource(file, name))).read(bytesSource(file, name));
      for (const to of ['keras', 'h5'] as const) {
        const format = await formatNamed(to);
        const written = await format.write!(model);
        const again = await format.read(bytesSource(written.get('')!, `again.${to}`));
        assert.deepEqual(again.report.dropped, []);
        const x = inputs.map((golden) => tensor(decoded(golden).values, decoded(golden).shape));
        const y = await predictAll(again.model, x);
        for (const [i, output] of outputs.entries())
          assertNear(await y[i].data(), decoded(output).values, 1e-5, `output ${i} of ${name} in ${to}`);
      }
    });
  }

  test('errors name the layers and options that Keras does not have', async () => {
    const x = input({ shape: [4, 3] });
    const refused = async (layer: Layer, message: RegExp): Promise<void> => {
      const model = sequential([x, layer]);
      model.build();
      for (const to of ['keras', 'h5'])
        await assert.rejects(async () => (await formatNamed(to)).write!(model), message);
    };
    await refused(
      minGru({ units: 3 }),
      /Layer "min_gru" \(MinGRU\) cannot be exported: Keras has no such layer/,
    );
    await refused(crf({ tags: 3 }), /cannot be exported: Keras has no such layer/);
    await refused(
      gru({ units: 3, updateGate: 'candidate' }),
      /has the option updateGate: "candidate", which Keras/,
    );
    await refused(maxPooling1d({ padding: 'causal' }), /has the option padding: "causal"/);
    await refused(
      sequential([masking(), conv1d({ filters: 2, kernelSize: 2 })]),
      /does not support masked inputs of convolution and pooling layers/,
    );
    const model = sequential([lstm({ units: 3 })]);
    await assert.rejects(async () => (await formatNamed('keras')).write!(model), /has no weights yet/);
  });
});

describe('descriptions', () => {
  test('a description lists layers and tensors, and marks layers that Unroll does not support', async () => {
    for (const [name, , file] of all) {
      const source = bytesSource(file, name);
      const description = await (await formatOfFile(source)).describe(source);
      assert.match(description.title, /^Keras (3\.15\.1|2\.21\.0|\(version unknown\)), /, name);
      assert.ok(description.tensors.length > 0);
      const unsupported = description.parts
        .filter(({ supported }) => !supported)
        .map(({ name: part }) => part);
      assert.deepEqual(unsupported, isCustom(name) ? ['scale'] : []);
      const { parts } = description;
      const known = parts.filter(({ shape, note }) => shape !== null || note === 'operation').length;
      if (!isCustom(name)) assert.equal(known, parts.length, name);
    }
    const [, , file] = all[0];
    const { title, parts, tensors } = await (await formatNamed('keras')).describe(bytesSource(file));
    assert.equal(title, 'Keras 3.15.1, Sequential "sequential", 3 layers');
    assert.deepEqual(
      parts.map(({ type }) => type),
      ['InputLayer', 'LSTM', 'Dense'],
    );
    assert.deepEqual(
      parts.map(({ shape }) => shape),
      [
        [-1, 6, 3],
        [-1, 4],
        [-1, 2],
      ],
    );
    assert.deepEqual(tensors[0], { name: 'layers/dense/vars/0', shape: [4, 2], dtype: 'float32' });
  });
});
