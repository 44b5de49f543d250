/** A model file can refer only to files in its folder. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UnrollError } from '@unroll/core';
import { fileSource } from '@unroll/formats/convert/node';

test('files in the folder of a model are read; paths and links that lead out of the folder are refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-source-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'model', 'parts'), { recursive: true });
  writeFileSync(join(folder, 'secret'), 'secret');
  writeFileSync(join(folder, 'model', 'model.onnx'), 'model');
  writeFileSync(join(folder, 'model', 'parts', 'weights'), 'weights');
  symlinkSync(join(folder, 'secret'), join(folder, 'model', 'link'));
  symlinkSync(join(folder, 'model', 'parts', 'weights'), join(folder, 'model', 'inside'));
  const source = await fileSource(join(folder, 'model', 'model.onnx'));
  const read = async (path: string): Promise<string> => {
    const file = await source.sibling!(path);
    return new TextDecoder().decode(await file.read(0, file.size));
  };
  assert.equal(await read('parts/weights'), 'weights');
  assert.equal(await read('inside'), 'weights');
  for (const path of ['../secret', 'parts/../../secret', join(folder, 'secret'), 'link']) {
    await assert.rejects(read(path), (error: unknown) => {
      assert.ok(error instanceof UnrollError);
      assert.match(error.message, /outside its folder/, path);
      return true;
    });
  }
  await assert.rejects(read('missing'), /There is no file/);
});
