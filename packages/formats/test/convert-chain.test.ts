/**
 * Imports ONNX files that PyTorch has written for Keras models (tools/verify/convert_chain.py --goldens), and writes the
 * models as Keras files again. Tests that the imported models have no TensorOperation, that the weights are bitwise equal, and
 * that the outputs agree. Then imports ONNX files of PyTorch models that select single steps. The tests fail if a direction,
 * reversal, padding or activation is not merged into its layer, or if merging (src/convert/onnx/simplify) changes outputs.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { predictAll, ready, type Shape, setBackend, type Tensor, tensor } from '@unroll/core';
import { bytesSource, formatNamed } from '@unroll/formats/convert';
import type { Network } from '@unroll/nn';

const FOLDER = new URL('../../testkit/goldens/formats/chain/', import.meta.url);
setBackend('reference');
await ready();

interface Packed {
  shape: Shape;
  data: string;
}
interface Case {
  name: string;
  files: string[];
  input: Packed;
  outputs: Packed[];
  /** Weights of the Keras model; missing for models written in PyTorch. */
  weights?: Packed[];
  layers?: string;
}

const { cases } = JSON.parse(readFileSync(new URL('cases.json', FOLDER), 'utf8')) as { cases: Case[] };

function unpack({ shape, data }: Packed): Tensor {
  const { buffer, byteOffset, length } = Buffer.from(data, 'base64');
  return tensor(new Float32Array(buffer.slice(byteOffset, byteOffset + length)), shape);
}

const read = async (format: 'onnx' | 'keras' | 'h5' | 'pytorch', bytes: Uint8Array): Promise<Network> =>
  (await (await formatNamed(format)).read(bytesSource(bytes))).model;

async function write(format: 'keras' | 'h5' | 'pytorch', model: Network): Promise<Uint8Array> {
  const bytes = (await (await formatNamed(format)).write?.(model))?.get('');
  assert.ok(bytes);
  return bytes;
}

async function assertOutputs(model: Network, { input, outputs }: Case): Promise<void> {
  const results = await predictAll(model, [unpack(input)]);
  assert.equal(results.length, outputs.length);
  results.forEach((result, i) => {
    const wanted = unpack(outputs[i]!).dataSync();
    const got = result.dataSync();
    assert.equal(got.length, wanted.length);
    wanted.forEach((value, at) => {
      const error = Math.abs(got[at]! - value);
      assert.ok(error <= 1e-5 * Math.max(1, Math.abs(value)), `output ${i}[${at}]: ${got[at]}, not ${value}`);
    });
  });
}

/** Asserts that the model has these arrays, in any order. */
function assertWeights(model: Network, weights: readonly Packed[]): void {
  const sorted = (arrays: string[]): string[] => arrays.sort();
  const actual = model.parameters.map((parameter) =>
    JSON.stringify([parameter.shape, ...Float32Array.from(parameter.dataSync())]),
  );
  const wanted = weights.map((packed) => JSON.stringify([packed.shape, ...unpack(packed).dataSync()]));
  assert.deepEqual(sorted(actual), sorted(wanted));
}

describe('Keras models in ONNX files of PyTorch keep their weights and outputs when they are converted back to Keras files', () => {
  for (const golden of cases.filter(({ weights }) => weights))
    for (const file of golden.files)
      test(file, async () => {
        const model = await read('onnx', readFileSync(new URL(`${file}.onnx`, FOLDER)));
        assert.ok(model.layers.every(({ className }) => className !== 'TensorOperation'));
        await assertOutputs(model, golden);
        for (const format of ['keras', 'h5'] as const) {
          const again = await read(format, await write(format, model));
          assertWeights(again, golden.weights!);
          await assertOutputs(again, golden);
        }
        assert.ok((await write('pytorch', model)).length > 0);
      });
});

describe('imported PyTorch models that select single steps have the original layers and outputs', () => {
  for (const golden of cases.filter(({ layers }) => layers))
    for (const file of golden.files)
      test(file, async () => {
        const model = await read('onnx', readFileSync(new URL(`${file}.onnx`, FOLDER)));
        assert.equal(model.layers.map(({ className }) => className).join(' '), golden.layers);
        await assertOutputs(model, golden);
      });
});
