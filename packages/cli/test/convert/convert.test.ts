// The command `unroll convert`, and `unroll inspect` of files of other tools.
import assert from 'node:assert/strict';
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { ready } from '@unroll/core';
import { saveArtifact } from '@unroll/formats/node';
import { dense, input, lstm, sequential } from '@unroll/nn';
import { usePlace } from '../shared/helpers.js';

const place = usePlace();
const { unroll } = place;
const at = (name: string): string => join(place.folder, name);

before(async () => {
  await ready();
  const model = sequential([input({ shape: [null, 3] }), lstm({ units: 4 }), dense({ units: 2 })]);
  model.build();
  await saveArtifact(at('model'), model);
  writeFileSync(at('notes.txt'), 'no model');
});

/** A safetensors file of one tensor of zeros, without blocks on the disk. */
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
  test('a folder to a zip and back', async () => {
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
    for (const name of readdirSync(at('model')))
      assert.deepEqual(readFileSync(at(`back/${name}`)), readFileSync(at(`model/${name}`)), name);
  });
  const mistakes: Record<string, [string[], RegExp]> = {
    'one path': [['model'], /An input and an output are required/],
    'a file that does not exist': [['nowhere.pt', 'out'], /^unroll: nowhere\.pt: file not found\.$/m],
    'a file of no format': [['notes.txt', 'out'], /notes\.txt is not a model file that Unroll can read/],
    'an unknown extension': [
      ['model', 'model.xyz'],
      /The format of model\.xyz is unknown\. Name it with --to/,
    ],
    'an unknown format': [['model', 'out', '--to', 'keeras'], /The format must be one of .*, got "keeras"\./],
    'the same path twice': [['model', './model'], /<in> and <out> are the same: model\./],
    'an operator set that is no number': [['model', 'a.zip', '--opset', 'x'], /--opset must be an integer/],
  };
  for (const [name, [args, message]] of Object.entries(mistakes)) {
    test(name, async () => {
      const before = readdirSync(place.folder);
      const { code, stdout, stderr } = await unroll(['convert', ...args]);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
      assert.deepEqual(readdirSync(place.folder), before);
    });
  }
});

describe('inspect', () => {
  test('a safetensors file of 2 GB, without its values', async () => {
    sparseSafetensors(at('large.safetensors'), 2);
    const { code, stdout } = await unroll(['inspect', 'large.safetensors', '--json']);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      ...{ model: 'large.safetensors', format: 'safetensors', title: 'safetensors, 1 tensor' },
      ...{ parts: [], facts: [] },
      tensors: [{ name: 'encoder.weight', shape: [1024, 524288], dtype: 'float32' }],
    });
    const text = (await unroll(['inspect', 'large.safetensors'])).stdout;
    assert.match(text, /^encoder\.weight {2}float32 {2}\[1024, 524288\] {2}536,870,912$/m);
  });
  test('a file of no format', async () => {
    const { code, stderr } = await unroll(['inspect', 'notes.txt']);
    assert.equal(code, 2);
    assert.match(stderr, /notes\.txt is not a model file that Unroll can read/);
  });
});
