// `unroll convert`, and `unroll inspect` with model files of other libraries.
import assert from 'node:assert/strict';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { predict, ready, tensor } from '@unroll/core';
import { writeNpz } from '@unroll/formats/convert';
import { saveArtifact } from '@unroll/formats/node';
import {
  bidirectional,
  dense,
  embedding,
  model as graph,
  input,
  lstm,
  masking,
  sequential,
  timeDistributed,
  wordDropout,
} from '@unroll/nn';
import { useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll } = temp;
const pathOf = (name: string): string => join(temp.folder, name);

before(async () => {
  await ready();
  const model = sequential([input({ shape: [null, 3] }), lstm({ units: 4 }), dense({ units: 2 })]);
  model.build();
  await saveArtifact(pathOf('model'), model);
  writeFileSync(pathOf('notes.txt'), 'no model');
});

/** Writes a safetensors file with one tensor of zeros, as a sparse file. */
function sparseSafetensors(path: string, gigabytes: number): void {
  const count = gigabytes * 2 ** 28;
  const tensor = { dtype: 'F32', shape: [1024, count / 1024], data_offsets: [0, 4 * count] };
  const header = Buffer.from(JSON.stringify({ 'encoder.weight': tensor }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([length, header]));
  ftruncateSync(file, 8 + header.length + 4 * count);
  closeSync(file);
}

describe('convert', () => {
  test('if the output folder or its parent is a file, the error names this file, not the files to be written', async () => {
    writeFileSync(pathOf('notes'), 'no folder');
    for (const output of ['notes', 'notes/model']) {
      const { code, stderr } = await unroll(['convert', 'model', output]);
      const reason = output === 'notes' ? 'this' : 'notes';
      assert.deepEqual([code, stderr], [2, `unroll: ${output}: ${reason} is a file, expected a folder.\n`]);
    }
    rmSync(pathOf('notes'));
  });
  test('converts a folder to a zip and back', async () => {
    const { code, stdout, stderr } = await unroll(['convert', 'model', 'model.zip']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(
      stdout,
      /^read {5}model: a model saved by Unroll, 2 layers, 138 parameters\nwritten {2}model\.zip/,
    );
    const back = await unroll(['convert', 'model.zip', 'back', '--json']);
    assert.equal(back.code, 0, back.stderr);
    const { event, from, to, files, parameters } = JSON.parse(back.stdout);
    assert.deepEqual([event, from, to, parameters], ['result', 'unroll', 'unroll', 138]);
    assert.deepEqual(files, ['model.safetensors', 'config.json']);
    for (const name of readdirSync(pathOf('model')))
      assert.deepEqual(readFileSync(pathOf(`back/${name}`)), readFileSync(pathOf(`model/${name}`)), name);
  });
  const mistakes: Record<string, [string[], RegExp]> = {
    'a single path': [['model'], /Exactly one input and one output are required/],
    'a file that does not exist': [['nowhere.pt', 'out'], /^unroll: nowhere\.pt: file not found\.$/m],
    'a file in no known format': [
      ['notes.txt', 'out'],
      /notes\.txt is not a model file that Unroll can read/,
    ],
    'an unknown extension': [
      ['model', 'model.xyz'],
      /The format of model\.xyz is unknown\. Name it with --to/,
    ],
    'an unknown format': [['model', 'out', '--to', 'keeras'], /The format must be one of .*, got "keeras"\./],
    'the same path twice': [['model', './model'], /<in> and <out> are the same: model\./],
    'an operator set that is not a number': [
      ['model', 'a.zip', '--opset', 'x'],
      /--opset must be an integer/,
    ],
  };
  for (const [name, [args, message]] of Object.entries(mistakes)) {
    test(`rejects ${name}`, async () => {
      const before = readdirSync(temp.folder);
      const { code, stdout, stderr } = await unroll(['convert', ...args]);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
      assert.deepEqual(readdirSync(temp.folder), before);
    });
  }
});

describe('PyTorch', () => {
  before(async () => {
    const model = sequential([
      input({ shape: [null, 3] }),
      lstm({ units: 4, returnSequences: true }),
      dense({ units: 5, activation: 'relu' }),
      dense({ units: 2 }),
    ]);
    model.build();
    await saveArtifact(pathOf('net'), model);
    const x = { shape: [2, 3, 3], values: Float64Array.from({ length: 18 }, (_, i) => Math.sin(i)) };
    const y = await predict(model, tensor(x.values, x.shape));
    const outputs = { shape: y.shape, values: Float64Array.from(await y.data()) };
    const [recurrent] = model.layers;
    const states = await predict(
      sequential([input({ shape: [null, 3] }), recurrent]),
      tensor(x.values, x.shape),
    );
    const steps = { shape: states.shape, values: Float64Array.from(await states.data()) };
    writeFileSync(pathOf('data.npz'), writeNpz(new Map([['x', x], ['y', outputs], ['lstm', steps]]))); // biome-ignore format: short
    const wrong = { shape: y.shape, values: outputs.values.map((value) => value + 0.01) };
    writeFileSync(pathOf('wrong.npz'), writeNpz(new Map([['x', x], ['y', wrong]]))); // biome-ignore format: short
  });

  test('is written as weights with a Python module, and read back with a map', async () => {
    const out = await unroll(['convert', 'net', 'net.pt']);
    assert.equal(out.code, 0, out.stderr);
    assert.match(readFileSync(pathOf('net.py'), 'utf8'), /x = torch\.relu\(x\)/);
    const undecided = await unroll(['convert', 'net.pt', 'back.zip']);
    assert.equal(undecided.code, 2);
    assert.match(
      undecided.stderr,
      /the activation between dense and dense_1\. Write a map with "unroll convert net\.pt map\.json/,
    );
    const template = await unroll(['convert', 'net.pt', 'map.json', '--map', 'template']);
    assert.equal(template.code, 0, template.stderr);
    const map = JSON.parse(readFileSync(pathOf('map.json'), 'utf8'));
    assert.deepEqual(
      map.layers.map((layer: { module: string }) => layer.module),
      ['lstm', 'dense', 'dense_1'],
    );
    const incomplete = await unroll(['convert', 'net.pt', 'back.zip', '--map', 'map.json']);
    assert.equal(incomplete.code, 2);
    assert.match(incomplete.stderr, /there is no activation "relu, tanh, sigmoid, linear, \.\.\.\?"/);
    map.layers[1].activation = 'relu';
    writeFileSync(pathOf('map.json'), JSON.stringify(map));
    const back = await unroll(['convert', 'net.pt', 'back.zip', '--map', 'map.json', '--verify', 'data.npz']);
    assert.equal(back.code, 0, back.stderr);
    assert.match(back.stdout, /^mapped {3}dense\.weight +-> {2}dense\/kernel$/m);
    assert.match(back.stdout, /^verify {3}y: largest error \S+, relative \S+ \(compared with data\.npz\)$/m);
    assert.match(
      back.stdout,
      /^verify {3}layer lstm: largest error \d\.\de[-+]\d, relative .* \(compared with data\.npz\)$/m,
    );
  });
  test('outputs beyond the tolerance: nothing is written', async () => {
    const run = await unroll(['convert', 'net', 'wrong.zip', '--verify', 'wrong.npz']);
    assert.equal(run.code, 1);
    assert.match(run.stdout, /^verify {3}y: largest error 1\.0e-2, .* - beyond the tolerance$/m);
    assert.match(run.stderr, /The outputs differ by more than the tolerance\. No files were written\./);
    assert.ok(!readdirSync(temp.folder).includes('wrong.zip'));
    const tolerant = await unroll([
      'convert',
      'net',
      'wrong.zip',
      '--verify',
      'wrong.npz',
      '--tolerance',
      '0.1',
    ]);
    assert.equal(tolerant.code, 0);
  });
  test('with --verify random, the converted file is read back and compared with the model', async () => {
    const run = await unroll(['convert', 'net', 'copy.zip', '--verify', 'random', '--json']);
    assert.equal(run.code, 0, run.stderr);
    const { verify } = JSON.parse(run.stdout);
    assert.deepEqual([verify.length, verify[0].passes, verify[0].absolute], [1, true, 0]);
  });
  test('with --verify random, the inputs are ids if an embedding reads them through other layers', async () => {
    const table = () => embedding({ inputDim: 5, outputDim: 2 });
    const words = () => wordDropout({ rate: 0.1, id: 1 });
    const ids = input({ shape: [null], name: 'ids' });
    const characters = input({ shape: [null, 4], name: 'characters' });
    const spelling = timeDistributed(sequential([words(), table(), lstm({ units: 2 })]));
    const outputs = [table().apply(words().apply(ids)), spelling.apply(masking().apply(characters))];
    const models = {
      graph: graph({ inputs: [ids, characters], outputs }),
      chain: sequential([input({ shape: [null] }), words(), table(), bidirectional(lstm({ units: 2 }))]),
    };
    for (const [name, model] of Object.entries(models)) {
      model.build();
      await saveArtifact(pathOf(name), model);
      const run = await unroll(['convert', name, `${name}.zip`, '--verify', 'random', '--json']);
      assert.equal(run.code, 0, run.stderr);
      const { verify } = JSON.parse(run.stdout);
      assert.ok(verify.every(({ passes }: { passes: boolean }) => passes));
    }
  });
});

describe('inspect', () => {
  test('describes a safetensors file of 2 GB without reading its values', async () => {
    sparseSafetensors(pathOf('large.safetensors'), 2);
    const { code, stdout } = await unroll(['inspect', 'large.safetensors', '--json']);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      ...{ model: 'large.safetensors', format: 'safetensors', title: 'safetensors, 1 tensor' },
      ...{ facts: [] },
      parts: [{ name: 'encoder', shape: [524288, 1024], type: 'Embedding or Linear', supported: true }],
      tensors: [{ name: 'encoder.weight', shape: [1024, 524288], dtype: 'float32' }],
    });
    const text = (await unroll(['inspect', 'large.safetensors'])).stdout;
    assert.match(text, /^encoder\.weight {2}float32 {2}\[1024, 524288\] {2}536,870,912$/m);
  });
  test('rejects a file of an unknown format', async () => {
    const { code, stderr } = await unroll(['inspect', 'notes.txt']);
    assert.equal(code, 2);
    assert.match(stderr, /notes\.txt is not a model file that Unroll can read/);
  });
});
