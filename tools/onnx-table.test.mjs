// Checks that the generated parts of docs/convert-onnx.md match the code.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { generate } from './onnx-table.mjs';

test('docs/convert-onnx.md lists the operators, attributes and layers of the code', async () => {
  const page = readFileSync(new URL('../docs/convert-onnx.md', import.meta.url), 'utf8');
  assert.equal(page, await generate(page), 'Run node tools/onnx-table.mjs.');
});

test('--check does not write the page', () => {
  const page = new URL('../docs/convert-onnx.md', import.meta.url);
  const before = statSync(page).mtimeMs;
  const script = fileURLToPath(new URL('onnx-table.mjs', import.meta.url));
  assert.equal(spawnSync(process.execPath, [script, '--check']).status, 0);
  assert.equal(statSync(page).mtimeMs, before);
});
