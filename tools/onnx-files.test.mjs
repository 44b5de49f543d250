// Checks that tools/verify/onnx-files.mjs reports an output that is NaN, also if later elements agree.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dense, input, sequential } from 'unrolljs';
import { exportOnnx } from 'unrolljs/convert';

const tool = fileURLToPath(new URL('verify/onnx-files.mjs', import.meta.url));
const arrayOf = (shape, ...values) => ({
  shape,
  data: Buffer.from(Float32Array.from(values).buffer).toString('base64'),
});

test('onnx-files.mjs reports a NaN before elements that agree', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-onnx-files-'));
  const model = sequential([input({ shape: [1] }), dense({ units: 3 })]);
  model.parameters[0].assign(Float32Array.of(1, 2, 3));
  const bytes = await exportOnnx(model);
  const outputs = { equal: [1, 2, 3.00001], broken: [Number.NaN, 2, 3.00001] };
  for (const [name, values] of Object.entries(outputs)) {
    writeFileSync(join(folder, `${name}.onnx`), bytes);
    const recorded = {
      inputs: [arrayOf([1, 1], 1)],
      outputs: [arrayOf([1, 3], ...values)],
      tolerance: 1e-5,
    };
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(recorded));
  }
  const { stdout, stderr } = spawnSync(process.execPath, [tool, folder], { encoding: 'utf8' });
  assert.match(stdout, /^1 of 2 files agree; .*\n1 {2}differs by NaN {2}broken\n$/, stderr);
  rmSync(folder, { recursive: true });
});
