/** A saved model is restored unchanged from a folder and a zip, also with custom layers. Invalid artifacts are rejected. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import {
  type ErrorCode,
  type MaskedSequence,
  predict,
  type Shape,
  tensor,
  UnrollError,
  zeros,
} from '@unroll/core';
import { crc32c, encodeUtf8 } from '@unroll/core/internal';
import {
  ARTIFACT_FILES,
  fromArtifact,
  fromZip,
  readSafetensors,
  toArtifact,
  toZip,
  writeSafetensors,
} from '@unroll/formats';
import { loadArtifact, saveArtifact } from '@unroll/formats/node';
import {
  dense,
  input,
  Layer,
  type LayerOptions,
  lstm,
  type Network,
  registerLayer,
  roundWeights,
  sequential,
  timeDistributed,
} from '@unroll/nn';
import { models, outputOf } from './models.js';

const fails =
  (code: ErrorCode, message: RegExp) =>
  (error: unknown): true => {
    assert.ok(error instanceof UnrollError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-artifact-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const weightsOf = (model: Network): [string, readonly number[], number[]][] =>
  model.getWeights().map(({ name, shape, values }) => [name, shape, [...values]]);

describe('restores a model unchanged', () => {
  for (const [name, make] of Object.entries(models)) {
    test(name, async (t) => {
      const { model, x } = make();
      const before = outputOf(model, x);
      const extras = {
        training: { seed: 3, loss: [0.5, 0.25] },
        pipeline: { scaler: { kind: 'minMax' }, ü: null },
      };
      const paths = [join(folderFor(t), 'model'), join(folderFor(t), 'model.zip')];
      const found = [fromArtifact(await toArtifact(model, extras))];
      for (const path of paths) {
        await saveArtifact(path, model, extras);
        found.push(await loadArtifact(path));
      }
      for (const { model: loaded, training, pipeline } of found) {
        assert.deepEqual(outputOf(loaded, x), before);
        assert.deepEqual(weightsOf(loaded), weightsOf(model));
        assert.deepEqual(JSON.parse(JSON.stringify([training, pipeline])), [
          extras.training,
          extras.pipeline,
        ]);
        assert.deepEqual(loaded.config, model.config);
        assert.equal(loaded.summary(), model.summary());
      }
    });
  }

  test('a shape that input() declares is also required after loading', async () => {
    const message = /^Model sequential: input "steps" expects \[-1, 6, 2\] \(-1: any\), got \[3, 5, 2\]\.$/;
    const [right, wrong] = [6, 5].map((steps) => zeros([3, steps, 2]));
    const make = () => sequential([input({ shape: [6, 2], name: 'steps' }), lstm({ units: 2 })]);
    const declared = make();
    const observed = sequential([lstm({ units: 2 })]);
    declared.build();
    observed.build([right.shape]);
    for (const model of [declared, fromArtifact(await toArtifact(declared)).model]) {
      assert.deepEqual((await predict(model, right)).shape, [3, 2]);
      await assert.rejects(predict(model, wrong), fails('shape', message));
      assert.deepEqual(model.stream().step(zeros([1, 2])).shape, [1, 2], 'a stream takes one step at a time');
    }
    const { model } = fromArtifact(await toArtifact(observed));
    assert.deepEqual((await predict(model, wrong)).shape, [3, 2]);
    // Also inside another model.
    const outer = sequential([input({ shape: [null, 2] }), dense({ units: 2 }), make()]);
    outer.build();
    const found = fromArtifact(await toArtifact(outer)).model;
    assert.deepEqual((await predict(found, right)).shape, [3, 2]);
    await assert.rejects(predict(found, wrong), fails('shape', message));
  });

  test('a model from a file of an earlier version, without the name of the input, accepts other shapes', async () => {
    const declared = sequential([input({ shape: [6, 2], name: 'steps' }), lstm({ units: 2 })]);
    declared.build();
    const files = await toArtifact(declared);
    const config = JSON.parse(new TextDecoder().decode(files.get('config.json')));
    assert.equal(config.model.config.inputName, 'steps');
    config.model.config.inputName = undefined; // JSON leaves it out
    files.set('config.json', new TextEncoder().encode(JSON.stringify(config)));
    const { model } = fromArtifact(files);
    assert.deepEqual((await predict(model, zeros([3, 5, 2]))).shape, [3, 2]);
    assert.deepEqual(model.inputShapes, [[-1, 6, 2]]);
  });

  test('a model with nested models that were built before it', async () => {
    const recurrent = sequential([lstm({ units: 3, returnSequences: true })], { seed: 1, name: 'recurrent' });
    recurrent.build([[-1, 6, 2]]);
    const output = sequential([dense({ units: 2 })], { seed: 2, name: 'output' });
    output.build([[-1, 3]]);
    const model = sequential([input({ shape: [6, 2] }), recurrent, timeDistributed(output)]);
    model.build();
    const { model: loaded } = fromArtifact(await toArtifact(model));
    assert.deepEqual(
      loaded.getWeights().map(({ values }) => [...values]),
      model.getWeights().map(({ values }) => [...values]),
    );
    assert.equal(loaded.parameters[0]!.name, 'recurrent/lstm/kernel');
  });

  test('saving again replaces existing files and deletes obsolete ones', async (t) => {
    const folder = folderFor(t);
    const { model } = models.forecaster!();
    model.build([[-1, 6, 2]]);
    await saveArtifact(folder, model, { training: {}, pipeline: {} });
    await saveArtifact(folder, model);
    assert.deepEqual(readdirSync(folder).sort(), ['config.json', 'model.safetensors']);
    assert.deepEqual([(await loadArtifact(folder)).training], [null]);
  });

  test('equal models give equal files', async () => {
    const made = [1, 2].map(async () => {
      const { model, x } = models.classifier!();
      outputOf(model, x);
      return toZip(await toArtifact(model));
    });
    assert.deepEqual(await made[0], await made[1]);
  });
});

describe('weights as float16', () => {
  const weightBytes = (files: ReadonlyMap<string, Uint8Array>): { dtypes: string[]; bytes: number } => {
    const tensors = [...readSafetensors(files.get('model.safetensors')!).tensors.values()];
    const bytes = tensors.reduce((sum, one) => sum + one.bytes.length, 0);
    return { dtypes: [...new Set(tensors.map(({ dtype }) => dtype))], bytes };
  };
  for (const [name, make] of Object.entries(models)) {
    test(`${name}: half the file size, and the loaded model has rounded weights`, async (t) => {
      const { model, x } = make();
      const before = outputOf(model, x);
      const weights = weightsOf(model);
      const [whole, half] = [await toArtifact(model), await toArtifact(model, { weights: 'float16' })];
      const count = weights.reduce((sum, [, , values]) => sum + values.length, 0);
      assert.deepEqual(weightBytes(whole), { dtypes: ['F32'], bytes: 4 * count });
      assert.deepEqual(weightBytes(half), { dtypes: ['F16'], bytes: 2 * count });
      assert.deepEqual(weightsOf(model), weights, 'the model itself is not changed');
      assert.deepEqual(outputOf(model, x), before);

      const paths = [join(folderFor(t), 'model'), join(folderFor(t), 'model.zip')];
      for (const path of paths) await saveArtifact(path, model, { weights: 'float16' });
      roundWeights(model, 'float16');
      assert.notDeepEqual(weightsOf(model), weights);
      const found = [fromArtifact(half), ...(await Promise.all(paths.map(loadArtifact)))];
      for (const { model: loaded } of found) {
        assert.deepEqual(weightsOf(loaded), weightsOf(model));
        assert.deepEqual(outputOf(loaded, x), outputOf(model, x));
      }
    });
  }

  test('rejects a weight outside the range of float16 and writes nothing', async (t) => {
    const path = join(folderFor(t), 'model');
    const { model } = models.forecaster!();
    model.build([[-1, 6, 2]]);
    const bias = model.parameters.at(-1)!;
    bias.assign([1, -70_000]);
    const beyond = fails(
      'value',
      /Weight dense\/bias must be within ±65504 for float16, got -70000 at index 1\. .* in float32/,
    );
    await assert.rejects(toArtifact(model, { weights: 'float16' }), beyond);
    await assert.rejects(saveArtifact(path, model, { weights: 'float16' }), beyond);
    assert.equal(existsSync(path), false);
    bias.assign([1, Number.NaN]);
    await assert.rejects(
      toArtifact(model, { weights: 'float16' }),
      fails('nan', /has diverged cannot be saved/),
    );
    const other = 'int8' as 'float16';
    await assert.rejects(toArtifact(model, { weights: other }), fails('value', /"float16", got "int8"/));
  });
});

class Scale extends Layer<LayerOptions & { by: number }> {
  static override readonly className: string = 'Scale';
  outputShapes(inputs: readonly Shape[]): Shape[] {
    return [...inputs];
  }
  call([sequence]: readonly MaskedSequence[]): MaskedSequence[] {
    return [sequence!];
  }
}

describe('custom layers', () => {
  const custom = (): Network => {
    const model = sequential([new Scale({ by: 3 }), dense({ units: 1 })]);
    model.build([[-1, 2]]);
    return model;
  };
  test('until they are registered, they are rejected with an error that names the class', async () => {
    const files = await toArtifact(custom());
    assert.throws(
      () => fromArtifact(files),
      fails('format', /no layer class "Scale".*registerLayer\(Scale\) before/),
    );
    registerLayer(Scale);
    const [scale] = fromArtifact(files).model.layers;
    assert.ok(scale instanceof Scale);
    assert.equal((scale.config.config as { by: number }).by, 3);
  });
});

describe('rejects invalid artifacts', async () => {
  const { model } = models.forecaster!();
  model.build([[-1, 6, 2]]);
  const files = await toArtifact(model);
  const config = JSON.parse(Buffer.from(files.get('config.json')!).toString()) as {
    format: string;
    model: {
      className: string;
      config: { inputShape?: number[]; layers: { className: string; config: Record<string, unknown> }[] };
    };
    weights: { file: string; bytes: number; crc32c: string };
  };
  /** Returns the files with a changed config. */
  const withConfig = (change: (draft: typeof config) => void): Map<string, Uint8Array> => {
    const draft = structuredClone(config);
    change(draft);
    return new Map([...files, ['config.json', encodeUtf8(JSON.stringify(draft))]]);
  };
  const withWeights = (weights: Uint8Array): Map<string, Uint8Array> =>
    new Map(files).set('model.safetensors', weights);

  const cases: [string, () => ReadonlyMap<string, Uint8Array>, RegExp][] = [
    ['no files', () => new Map(), /config\.json is missing/],
    [
      'no weights',
      () => new Map([['config.json', files.get('config.json')!]]),
      /model\.safetensors is missing/,
    ],
    [
      'another format',
      () => withConfig((draft) => void (draft.format = 'keras')),
      /format must be "unroll-artifact-1", got "keras"/,
    ],
    [
      'other weights',
      () => withWeights(writeSafetensors(new Map())),
      /model\.safetensors does not match config\.json/,
    ],
    [
      'weights in another folder',
      () => withConfig((draft) => void (draft.weights.file = '../../x')),
      /the weights file must be "model\.safetensors", got "\.\.\/\.\.\/x"/,
    ],
    [
      'a layer of a million units',
      () => withConfig((draft) => void (draft.model.config.layers[1]!.config.units = 1e6)),
      /"dense\/kernel" must have shape \[5, 1000000\], got \[5, 2\]/,
    ],
    [
      'a negative number of units',
      () => withConfig((draft) => void (draft.model.config.layers[1]!.config.units = -1)),
      /config is not valid: .*units/,
    ],
    [
      'an unknown layer class',
      () => withConfig((draft) => void (draft.model.config.layers[1]!.className = 'Function')),
      /no layer class "Function"/,
    ],
    [
      'a class name that is a property of all objects',
      () => withConfig((draft) => void (draft.model.config.layers[1]!.className = '__proto__')),
      /no layer class "__proto__"/,
    ],
    [
      'a layer instead of a model',
      () => withConfig((draft) => void ((draft as { model: unknown }).model = draft.model.config.layers[0])),
      /Expected the config of a model, got the config of a layer/,
    ],
    [
      'an unknown activation',
      () => withConfig((draft) => void (draft.model.config.layers[0]!.config.activation = 'eval')),
      /no activation "eval"/,
    ],
    [
      'layers that are not a list',
      () => withConfig((draft) => void ((draft.model.config as { layers: unknown }).layers = 7)),
      /config is not valid/,
    ],
    [
      'no input shape',
      () => withConfig((draft) => void Reflect.deleteProperty(draft.model.config, 'inputShape')),
      /config has no input shape/,
    ],
    [
      'one layer too many',
      () =>
        withConfig(
          (draft) =>
            void draft.model.config.layers.push({ className: 'Dense', config: { units: 1, name: 'more' } }),
        ),
      /no tensor "more\/kernel"/,
    ],
    [
      'one layer too few',
      () => withConfig((draft) => void draft.model.config.layers.pop()),
      /an unused tensor "dense\/kernel"/,
    ],
  ];
  for (const [name, make, message] of cases) {
    test(name, () => assert.throws(() => fromArtifact(make()), fails('format', message)));
  }

  test('weights that are not finite are not saved', async () => {
    const { model: broken } = models.forecaster!();
    broken.build([[-1, 6, 2]]);
    broken.parameters[1]!.assign(new Float32Array(broken.parameters[1]!.size).fill(Number.NaN));
    await assert.rejects(
      toArtifact(broken),
      fails('nan', /Weight lstm\/recurrent_kernel has the value NaN at index 0/),
    );
  });

  test('rejects a model that is not built', async () => {
    const bare = sequential([lstm({ units: 2 })]);
    await assert.rejects(toArtifact(bare), fails('state', /no weights to save yet/));
  });

  test('files of other tools are rejected with a hint', async (t) => {
    const folder = folderFor(t);
    const names: Record<string, RegExp> = {
      'net.keras':
        /net\.keras is a Keras model, which must be converted first: unroll convert .*net\.keras model\./,
      'net.h5': /is a Keras model or weights file \(HDF5\)/,
      'net.onnx': /is an ONNX model/,
      'net.pt': /is a PyTorch file/,
      'net.PTH': /is a PyTorch file/,
      'model.safetensors':
        /is a file of weights without layers.* pass the folder that contains config\.json\. In programs/,
    };
    for (const [name, message] of Object.entries(names)) {
      await assert.rejects(loadArtifact(join(folder, name)), fails('format', message));
      writeFileSync(join(folder, name), toZip(new Map([['config.json', encodeUtf8('{}')]])));
      await assert.rejects(loadArtifact(join(folder, name)), fails('format', message));
      await assert.rejects(
        loadArtifact(join(folder, name)),
        /load\(\) of unrolljs and importModel\(\) of unrolljs\/convert read it directly/,
      );
    }
    // A folder may have any name.
    const { model, x } = models.forecaster!();
    outputOf(model, x);
    await saveArtifact(join(folder, 'saved.pt'), model);
    assert.deepEqual(weightsOf((await loadArtifact(join(folder, 'saved.pt'))).model), weightsOf(model));
  });

  test('a path that does not exist', async (t) => {
    await assert.rejects(
      loadArtifact(join(folderFor(t), 'gone')),
      fails('format', /There is no artifact at/),
    );
  });
});

/** Returns a zip as other tools write it: compressed, with the files in a folder. */
function packed(files: ReadonlyMap<string, Uint8Array>, folder = 'my model/'): Uint8Array {
  const named = new Map<string, Uint8Array>();
  for (const [name, bytes] of files) named.set(`${folder}${name}`, bytes);
  const zip = toZip(named);
  const view = new DataView(zip.buffer);
  const end = zip.length - 22;
  let at = view.getUint32(end + 16, true);
  const out: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let length = 0;
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    const entrySize = 46 + view.getUint16(at + 28, true);
    const entry = zip.slice(at, at + entrySize);
    const start = view.getUint32(at + 42, true);
    const local = zip.slice(start, start + 30 + view.getUint16(at + 28, true));
    const data = deflateRawSync(
      zip.subarray(start + local.length, start + local.length + view.getUint32(at + 20, true)),
    );
    for (const [header, from] of [
      [entry, 10],
      [local, 8],
    ] as const) {
      const part = new DataView(header.buffer);
      part.setUint16(from, 8, true);
      part.setUint32(from + 10, data.length, true);
    }
    new DataView(entry.buffer).setUint32(42, length, true);
    directory.push(entry);
    out.push(local, data);
    length += local.length + data.length;
    at += entrySize;
  }
  const tail = zip.slice(end);
  const size = directory.reduce((total, entry) => total + entry.length, 0);
  new DataView(tail.buffer).setUint32(12, size, true);
  new DataView(tail.buffer).setUint32(16, length, true);
  return new Uint8Array(Buffer.concat([...out, ...directory, tail]));
}

describe('zip files', () => {
  const files = new Map([
    ['config.json', encodeUtf8('{}'.padEnd(3000))],
    ['model.safetensors', new Uint8Array(5000).map((_, i) => (i * i) % 251)],
  ]);

  test('are read as other tools write them: compressed, or in a folder', async () => {
    assert.deepEqual(await fromZip(packed(files), ARTIFACT_FILES), files);
    assert.deepEqual(await fromZip(packed(files, ''), ARTIFACT_FILES), files);
    assert.ok(packed(files).length < 6000, 'compressed');
    const more = new Map([...files, ['notes.txt', encodeUtf8('hello')]]);
    assert.deepEqual(await fromZip(toZip(more), ARTIFACT_FILES), files);
  });

  const damage = (change: (view: DataView, zip: Uint8Array) => void, zip = toZip(files)): Uint8Array => {
    const copy = zip.slice();
    change(new DataView(copy.buffer), copy);
    return copy;
  };
  const directoryAt = (view: DataView): number => view.getUint32(view.byteLength - 6, true);
  const cases: [string, Uint8Array, RegExp][] = [
    ['an empty file', new Uint8Array(0), /has no end record/],
    ['text', encodeUtf8('x'.repeat(100)), /has no end record/],
    ['a truncated zip', toZip(files).subarray(0, 4000), /has no end record/],
    [
      'a changed byte',
      damage((_, zip) => void (zip[100]! ^= 1)),
      /config\.json is damaged: its checksum does not match/,
    ],
    [
      'a changed byte, compressed',
      damage((_, zip) => void (zip[60]! ^= 1), packed(files)),
      /config\.json is damaged/,
    ],
    [
      'a directory with a wrong offset',
      damage((view) => view.setUint32(view.byteLength - 6, 7, true)),
      /directory is not at the recorded offset/,
    ],
    [
      'an entry that overlaps the next one',
      damage((view) => view.setUint32(directoryAt(view) + 20, 1e9, true)),
      /overlaps the next entry/,
    ],
    [
      'a size of 4 GB',
      damage((view) => view.setUint32(directoryAt(view) + 24, 0xffffffff, true)),
      /would need 42949\d+ bytes/,
    ],
    [
      'a size that is too small',
      damage((view) => view.setUint32(directoryAt(view) + 24, 10, true), packed(files, '')),
      /larger than its size in the directory/,
    ],
    [
      'an unknown compression method',
      damage((view) => view.setUint16(directoryAt(view) + 10, 99, true)),
      /unsupported compression method 99/,
    ],
    ['a zip with a password', damage((view) => view.setUint16(directoryAt(view) + 8, 1, true)), /encrypted/],
    [
      'two entries on the same bytes',
      damage((view) => view.setUint32(directoryAt(view) + 46 + 11 + 42, 0, true)),
      /overlaps the next entry/,
    ],
  ];
  for (const [name, zip, message] of cases) {
    test(`rejects ${name}`, () => assert.rejects(fromZip(zip, ARTIFACT_FILES), fails('format', message)));
  }

  test('rejects a duplicate file', async () => {
    const zip = packed(new Map([...files, ['training.json', encodeUtf8('{}'.padEnd(3000))]]), '');
    const name = Buffer.from(zip).lastIndexOf('training.json');
    const twice = Buffer.from(zip);
    twice.write('config.json  ', name);
    await assert.doesNotReject(fromZip(twice, ARTIFACT_FILES)); // The name differs by its spaces, so the file is ignored.
    const same = toZip(
      new Map([
        ['config.json', encodeUtf8('1')],
        ['config.jsoN', encodeUtf8('2')],
      ]),
    );
    const forged = Buffer.from(Buffer.from(same).toString('latin1').replaceAll('jsoN', 'json'), 'latin1');
    await assert.rejects(fromZip(forged, ARTIFACT_FILES), fails('format', /contains config\.json twice/));
  });

  test('rejects a file on disk that is not a zip', async (t) => {
    const file = join(folderFor(t), 'model.zip');
    writeFileSync(file, 'hello');
    await assert.rejects(loadArtifact(file), fails('format', /zip file cannot be read/));
  });
});

test('tensors of types other than float32 are converted', async () => {
  const model = sequential([dense({ units: 2, useBias: false })]);
  model.build([[-1, 2]]);
  const files = await toArtifact(model);
  const weights = writeSafetensors(
    new Map([
      [
        'dense/kernel',
        { dtype: 'BF16', shape: [2, 2], bytes: Uint8Array.of(0x80, 0x3f, 0, 0x40, 0, 0, 0x80, 0xbf) },
      ],
    ]),
  );
  const config = JSON.parse(Buffer.from(files.get('config.json')!).toString()) as { weights: object };
  const weightsEntry = {
    ...config.weights,
    bytes: weights.length,
    crc32c: crc32c(weights).toString(16).padStart(8, '0'),
  };
  const changed = new Map(files).set('model.safetensors', weights);
  changed.set('config.json', encodeUtf8(JSON.stringify({ ...config, weights: weightsEntry })));
  assert.deepEqual(outputOf(fromArtifact(changed).model, [tensor([[1, 1]])]), [1, 1]);
});
