// Checks that the generated parts of docs/convert-onnx.md match the code.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { generate } from './onnx-table.mjs';

test('docs/convert-onnx.md lists the operators, attributes and layers of the code', async () => {
  const page = readFileSync(new URL('../docs/convert-onnx.md', import.meta.url), 'utf8');
  assert.equal(page, await generate(page), 'Run node tools/onnx-table.mjs.');
});
