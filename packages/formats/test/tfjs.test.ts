/**
 * Imports TensorFlow.js models in the format `layers-model`, and compares the outputs with those of TensorFlow.js:
 * see tools/goldens/formats/tfjs.mjs. Files in the format `graph-model` are refused.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { predictAll, ready, tensor } from '@unroll/core';
import { bytesSource, formatOfFile } from '@unroll/formats/convert';

interface Golden {
  shape: number[];
  data: string;
}
interface TfjsCase {
  json: string;
  files: Record<string, string>;
  inputs: Golden[];
  outputs: Golden[];
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, 'base64'));
const valuesOf = ({ data }: Golden): Float32Array => new Float32Array(bytesOf(data).buffer);

await ready();
const path = new URL('../../testkit/goldens/formats/keras/tfjs.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: Record<string, TfjsCase> };

const read = async (json: string, files: Record<string, string>) => {
  const source = bytesSource(new TextEncoder().encode(json), 'model.json');
  const format = await formatOfFile(source);
  assert.equal(format.name, 'tfjs');
  const contents = new Map(Object.entries(files).map(([name, text]) => [name, bytesOf(text)]));
  return format.read(source, { files: contents });
};

describe('import of TensorFlow.js models', () => {
  for (const [name, { json, files, inputs, outputs }] of Object.entries(cases)) {
    test(`${name} has the outputs of TensorFlow.js`, async () => {
      const { model } = await read(json, files);
      const y = await predictAll(
        model,
        inputs.map((golden) => tensor(valuesOf(golden), golden.shape)),
      );
      for (const [i, golden] of outputs.entries()) {
        const values = await y[i].data();
        valuesOf(golden).forEach((expected, k) => {
          const error = Math.abs(values[k] - expected) / Math.max(1, Math.abs(expected));
          assert.ok(error <= 1e-5, `output ${i} of ${name}: ${values[k]}, expected ${expected}`);
        });
      }
    });
  }

  test('files outside the folder, missing files, wrong sizes and graph models are refused', async () => {
    const { json, files } = cases.sequential_float32!;
    for (const outside of [
      '../weights.bin',
      '/etc/passwd',
      'http://example.com/w.bin',
      'a/../../w.bin',
      '..\\\\w.bin',
    ])
      await assert.rejects(
        read(json.replace('group1-shard1of2.bin', outside), files),
        /refers to .*, which is outside the folder of the model/,
      );
    await assert.rejects(
      read(json, {}),
      /refers to group1-shard1of2\.bin\. Pass the path or the URL of model\.json/,
    );
    await assert.rejects(
      read(json, { ...files, 'group1-shard2of2.bin': 'AAAA' }),
      /must have \d+ bytes for the weights of the manifest, got \d+/,
    );
    await assert.rejects(
      read(json.replace('"shape":[3,16]', '"shape":[3,1e15]'), files),
      /must have \d+ bytes for the weights of the manifest/,
    );
    await assert.rejects(
      read(json.replace('layers-model', 'graph-model'), files),
      /it is a graph model, which consists of TensorFlow operations/,
    );
  });
});
