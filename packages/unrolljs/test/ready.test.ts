/**
 * Kernels that load asynchronously, as in a page: every method must wait for the kernels before it creates a tensor.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { runtime } from '@unroll/core/internal';
import { dense, findLearningRate, load, lstm, sequential, setBackend, toArtifact } from 'unrolljs';
import { forecast, parseCsv } from 'unrolljs/forecast';
import { load as loadForInference } from 'unrolljs/infer';

const x = Array.from({ length: 8 }, (_, i) => Array.from({ length: 4 }, (_, t) => [Math.sin(i + t)]));
const y = x.map((_, i) => [Math.sin(i + 4)]);
const mask = x.map(() => [1, 1, 1, 0]);
const sampleWeights = x.map(() => 2);

const rows = Array.from({ length: 60 }, (_, i) => `${2000 + i},${50 + 10 * Math.sin(i)}`);
const table = parseCsv(['year,units', ...rows].join('\n'));

const { makeDefault } = runtime;
const forced = process.env.UNROLL_BACKEND;
let files: Map<string, Uint8Array>;

const network = () => sequential([lstm({ units: 3 }), dense({ units: 1 })]).compile({ loss: 'mse' });

before(async () => {
  const model = network();
  model.build([[-1, 4, 1]]);
  files = await toArtifact(model);
  process.env.UNROLL_BACKEND = 'wasm:single'; // which loads asynchronously
  runtime.makeDefault = () => {
    throw new Error('a tensor was created before the backend was loaded');
  };
});
beforeEach(() => {
  runtime.backend = null;
});
after(async () => {
  runtime.makeDefault = makeDefault;
  if (forced === undefined) delete process.env.UNROLL_BACKEND;
  else process.env.UNROLL_BACKEND = forced;
  await setBackend();
});

const calls: Record<string, () => Promise<unknown>> = {
  fit: () => network().fit(x, y, { mask, sampleWeights, validationData: { x, y, mask } }),
  'fit of batches': () => network().fit(() => [{ x, y }]),
  evaluate: () => network().evaluate(x, y, { mask, sampleWeights }),
  trainOnBatch: () => network().trainOnBatch(x, y, { mask, sampleWeights }),
  predict: () => network().predict(x, { mask }),
  predictAll: () => network().predictAll(x, { mask }),
  predictArray: () => network().predictArray(x, { mask }),
  predictOnBatch: () => network().predictOnBatch(x, { mask }),
  load: () => load(files),
  'load of unrolljs/infer': () => loadForInference(files),
  forecast: () =>
    forecast(table, { target: 'units', horizon: 2, window: 4, epochs: 1, units: 2, levels: [] }),
  findLearningRate: () => findLearningRate(network(), { x, y, loss: 'mse', optimizer: 'sgd', steps: 2 }),
};

for (const [name, call] of Object.entries(calls)) {
  test(`${name} waits for the backend by itself`, async () => {
    await assert.doesNotReject(call());
    assert.notEqual(runtime.backend, null);
  });
}
