/**
 * Training of imported Keras models continues as in Keras: gradients, losses and weights of five further steps with the
 * optimizer state in the file. See tools/goldens/formats/keras_files.py.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fromZip } from '@unroll/formats';
import { type Tensor, tensor } from 'unrolljs';
import { importKeras } from 'unrolljs/convert';

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

const folder = new URL('../../testkit/goldens/formats/keras/', import.meta.url);
async function goldens(number: '' | '2'): Promise<[string, Case, Uint8Array][]> {
  const { cases } = JSON.parse(readFileSync(new URL(`cases${number}.json`, folder), 'utf8')) as {
    cases: Record<string, Case>;
  };
  const names = Object.entries(cases).flatMap(([name, { formats }]) =>
    formats.map((end) => `${name}.${end}`),
  );
  const files = await fromZip(readFileSync(new URL(`files${number}.zip`, folder)), names);
  return Object.entries(cases).flatMap(([name, golden]) =>
    golden.formats.map((end): [string, Case, Uint8Array] => [
      `${name}.${end}`,
      golden,
      files.get(`${name}.${end}`)!,
    ]),
  );
}
const all = [...(await goldens('')), ...(await goldens('2'))];

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
  for (const [name, { inputs, targets, gradients, losses, weights }, file] of all) {
    if (!targets || name.endsWith('.weights.h5')) continue;
    test(`${name} continues as in Keras`, async () => {
      const { model, report } = await importKeras(file);
      assert.deepEqual(report.dropped, []);
      const read: ArrayLike<number>[] = [];
      const [x, y] = [tensorsOf(inputs), tensorsOf(targets)];
      const result = await model.fit(x.length === 1 ? x[0] : x, y.length === 1 ? y[0] : y, {
        ...{ epochs: 5, shuffle: false, batchSize: 32, verbose: 0 },
        beforeUpdate: async (gradient) => void read.push(await gradient.read()),
      });
      const expected = (gradients ?? []).flatMap((gradient) => [...valuesOf(gradient)]);
      assertNear(read[0], expected, `gradients of ${name}`);
      assertNear(result.loss, losses ?? [], `losses of ${name}`);
      for (const [i, parameter] of model.parameters.entries())
        assertNear(parameter.dataSync(), valuesOf(weights![i]), `${parameter.name} of ${name} after 5 steps`);
    });
  }
});
