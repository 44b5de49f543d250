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

/** The cases of one script, and the files that it wrote. */
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
const all = [...(await goldens('')), ...(await goldens('2'))];

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
