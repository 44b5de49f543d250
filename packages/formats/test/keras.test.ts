/** Imports of real Keras files, compared with the outputs that Keras computed: see tools/goldens/formats/keras_files.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type FloatArray, predictAll, ready, type Shape, tensor } from '@unroll/core';
import { fromZip } from '@unroll/formats';
import { bytesSource, formatOfFile } from '@unroll/formats/convert';

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
const { cases } = JSON.parse(readFileSync(new URL('cases.json', folder), 'utf8')) as {
  cases: Record<string, KerasCase>;
};
const names = Object.entries(cases).flatMap(([name, { formats }]) => formats.map((end) => `${name}.${end}`));
const files = await fromZip(readFileSync(new URL('files.zip', folder)), names);

describe('import of Keras files', () => {
  for (const [name, { formats, inputs, outputs }] of Object.entries(cases)) {
    for (const end of formats.filter((format) => format !== 'weights.h5')) {
      test(`${name}.${end} has the outputs of Keras`, async () => {
        const source = bytesSource(files.get(`${name}.${end}`)!, `${name}.${end}`);
        const format = await formatOfFile(source);
        assert.equal(format.name, end);
        const { model } = await format.read(source);
        const x = inputs.map((input) => tensor(decoded(input).values, decoded(input).shape));
        const tolerance = /float16/.test(name) ? 4e-3 : 1e-5;
        const y = await predictAll(model, x);
        for (const [i, output] of outputs.entries())
          assertNear(await y[i].data(), decoded(output).values, tolerance, `output ${i} of ${name}`);
      });
    }
  }
});
