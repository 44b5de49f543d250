/**
 * Training of imported Keras models continues as in Keras. Five further updates start from the optimizer state in the file:
 * compares the gradients of the first update, all losses, and the weights after the last one. Reference values:
 * tools/goldens/formats/keras_files.py. Also tests import reports and exports.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fromZip, toZip } from '@unroll/formats';
import { dense, input, lstm, sequential, type Tensor, tensor } from 'unrolljs';
import { exportKeras, importKeras } from 'unrolljs/convert';

interface Golden {
  shape: number[];
  data: string;
}
interface Case {
  formats: string[];
  inputs: Golden[];
  targets?: Golden[];
  gradients?: Golden[];
  losses?: number[];
  weights?: Golden[];
}

const goldenFolder = new URL('../../testkit/goldens/formats/keras/', import.meta.url);
async function goldens(suffix: '' | '2'): Promise<[string, Case, Uint8Array][]> {
  const { cases } = JSON.parse(readFileSync(new URL(`cases${suffix}.json`, goldenFolder), 'utf8')) as {
    cases: Record<string, Case>;
  };
  const names = Object.entries(cases).flatMap(([name, { formats }]) =>
    formats.map((end) => `${name}.${end}`),
  );
  const files = await fromZip(readFileSync(new URL(`files${suffix}.zip`, goldenFolder)), names);
  return Object.entries(cases).flatMap(([name, golden]) =>
    golden.formats.map((end): [string, Case, Uint8Array] => [
      `${name}.${end}`,
      golden,
      files.get(`${name}.${end}`)!,
    ]),
  );
}
const goldenFiles = [...(await goldens('')), ...(await goldens('2'))];

const valuesOf = ({ data }: Golden): Float32Array =>
  new Float32Array(Uint8Array.from(Buffer.from(data, 'base64')).buffer);
const tensorsOf = (list: readonly Golden[]): Tensor[] =>
  list.map((golden) => tensor(valuesOf(golden), golden.shape));

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
    assert.ok(error <= 1e-4, `${what}: element ${i} is ${actual[i]}, in Keras ${expected[i]}`);
  }
}

describe('training of imported Keras models', () => {
  for (const [name, { inputs, targets, gradients, losses, weights }, file] of goldenFiles) {
    if (!targets || name.endsWith('.weights.h5')) continue;
    test(`${name} continues as in Keras`, async () => {
      const { model, report } = await importKeras(file);
      assert.deepEqual(report.dropped, []);
      const readGradients: ArrayLike<number>[] = [];
      const [x, y] = [tensorsOf(inputs), tensorsOf(targets)];
      const result = await model.fit(x.length === 1 ? x[0] : x, y.length === 1 ? y[0] : y, {
        ...{ epochs: 5, shuffle: false, batchSize: 32, verbose: 0 },
        beforeUpdate: async (gradient) => void readGradients.push(await gradient.read()),
      });
      const expected = (gradients ?? []).flatMap((gradient) => [...valuesOf(gradient)]);
      assertNear(readGradients[0], expected, `gradients of ${name}`);
      assertNear(result.loss, losses ?? [], `losses of ${name}`);
      for (const [i, parameter] of model.parameters.entries())
        assertNear(parameter.dataSync(), valuesOf(weights![i]), `${parameter.name} of ${name} after 5 steps`);
    });
  }
});

const fileOf = (name: string): Uint8Array => goldenFiles.find(([fileName]) => fileName === name)![2];

/** Returns the file with a changed config. */
async function withConfig(name: string, change: (text: string) => string): Promise<Uint8Array> {
  const parts = await fromZip(fileOf(name), ['config.json', 'metadata.json', 'model.weights.h5']);
  const config = Buffer.from(parts.get('config.json')!).toString();
  const changed = change(config);
  assert.notEqual(changed, config);
  return toZip(new Map([...parts, ['config.json', new TextEncoder().encode(changed)]]));
}

describe('reports of imports', () => {
  const dropped = async (from: string | RegExp, to: string): Promise<{ name: string; reason: string }[]> => {
    const { report } = await importKeras(
      await withConfig('sequential_lstm.keras', (text) => text.replace(from, to)),
    );
    return report.dropped;
  };

  test('metrics, losses and optimizers that Unroll does not have are in the report', async () => {
    const [metric] = await dropped('"metrics": ["mae"]', '"metrics": ["mae", "hinge"]');
    assert.deepEqual(metric, {
      name: 'metric hinge',
      reason: 'Unroll has no such metric; training does not depend on it',
    });
    const [loss] = await dropped('"loss": "mse"', '"loss": "hinge"');
    assert.match(loss.reason, /^Unroll has no such loss; predictions do not depend on it/);
    const [lion] = await dropped('"class_name": "Adam"', '"class_name": "Lion"');
    assert.deepEqual(lion, {
      name: 'optimizer lion',
      reason: 'Unroll has no such optimizer; predictions do not depend on it',
    });
    const [amsgrad] = await dropped('"amsgrad": false', '"amsgrad": true');
    assert.match(amsgrad.reason, /^Unroll has no AMSGrad/);
    const [state] = await dropped('"use_ema": false', '"use_ema": true');
    assert.equal(state.name, 'moving average of the weights');
    const [slots] = await dropped('"class_name": "Adam"', '"class_name": "SGD"');
    assert.match(slots.reason, /^it has \d+ arrays for 5 parameters; training continues with a new state$/);
  });

  test('a model that is called with training=True is refused', async () => {
    const bytes = await withConfig('functional_masked.keras', (text) =>
      text.replace('"training": false', '"training": true'),
    );
    await assert.rejects(
      importKeras(bytes),
      /Layer "gru" \(GRU\) cannot be imported: it is called with training=True/,
    );
  });
});

describe('importKeras and exportKeras', () => {
  test('importKeras reads files on disk, and a model.json with its weights beside it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'unroll-keras-'));
    try {
      writeFileSync(join(folder, 'm.keras'), fileOf('sequential_lstm.keras'));
      const { model } = await importKeras(join(folder, 'm.keras'));
      assert.equal(model.layers.length, 2);
      const goldens = JSON.parse(readFileSync(new URL('tfjs.json', goldenFolder), 'utf8'));
      const { json, files } = goldens.cases.stacked_float16;
      writeFileSync(join(folder, 'model.json'), json);
      for (const [name, text] of Object.entries(files as Record<string, string>))
        writeFileSync(join(folder, name), Buffer.from(text, 'base64'));
      const imported = await importKeras(join(folder, 'model.json'));
      assert.equal(imported.model.layers.length, 3);
      await assert.rejects(importKeras(join(folder, 'missing.keras')), /There is no file .*missing\.keras/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('weights are loaded into a compiled model, which stays compiled', async () => {
    const model = sequential([input({ shape: [6, 3] }), lstm({ units: 4 }), dense({ units: 2 })]);
    model.build();
    model.compile({ loss: 'mse', optimizer: 'sgd' });
    const { model: same } = await importKeras(fileOf('sequential_lstm.weights.h5'), { model });
    assert.equal(same, model);
    await same.fit(tensor(new Float32Array(18), [1, 6, 3]), tensor([[0, 0]]), { verbose: 0 });
    await assert.rejects(importKeras(fileOf('sequential_lstm.keras'), { modle: model } as never), /modle/);
  });

  test('training continues with the same losses after an export and an import', async () => {
    const x = tensor(
      Float32Array.from({ length: 36 }, (_, i) => Math.sin(i)),
      [2, 6, 3],
    );
    const y = tensor([
      [1, 0],
      [0, 1],
    ]);
    const steps = { epochs: 3, verbose: 0, shuffle: false } as const;
    for (const optimizer of ['adam', 'nadam', 'adagrad', 'rmsprop', 'sgd'] as const) {
      const model = sequential([input({ shape: [6, 3] }), lstm({ units: 4 }), dense({ units: 2 })]);
      model.compile({ loss: 'mse', optimizer, metrics: ['mae'] });
      await model.fit(x, y, steps);
      for (const format of ['keras', 'h5'] as const) {
        const { model: again } = await importKeras(await exportKeras(model, { format }));
        const copy = await importKeras(await exportKeras(model));
        const [a, b] = [await again.fit(x, y, steps), await copy.model.fit(x, y, steps)];
        assert.deepEqual(a.loss, b.loss, optimizer);
      }
      const { model: last } = await importKeras(await exportKeras(model));
      const [original, copy] = [await model.fit(x, y, steps), await last.fit(x, y, steps)];
      assert.deepEqual(copy.loss, original.loss, optimizer);
    }
  });

  test('losses that Keras does not have are refused, or left out with training: false', async () => {
    const model = sequential([input({ shape: [6, 3] }), lstm({ units: 4 }), dense({ units: 2 })]);
    model.build();
    model.compile({ loss: 'pinball', optimizer: 'sgd' });
    await assert.rejects(exportKeras(model), /The loss pinball cannot be exported: .*\{ training: false \}/);
    const { model: again } = await importKeras(await exportKeras(model, { training: false }));
    assert.equal(again.layers.length, 2);
    await assert.rejects(exportKeras({} as never), /Only sequential and functional models can be exported/);
  });
});
