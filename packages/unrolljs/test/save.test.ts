/** Saved models predict the same and continue training, and models that cannot be saved are rejected. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  dense,
  load,
  lstm,
  type Model,
  roundWeights,
  sequential,
  toArtifact,
  toZip,
  trainable,
  UnrollError,
} from 'unrolljs';
import { load as loadForInference } from 'unrolljs/infer';

const x = Array.from({ length: 24 }, (_, i) => Array.from({ length: 5 }, (_, t) => [Math.sin((i + t) / 3)]));
const y = Array.from({ length: 24 }, (_, i) => [Math.sin((i + 5) / 3)]);

const compiled = () =>
  sequential([lstm({ units: 6 }), dense({ units: 1 })]).compile({
    optimizer: {
      name: 'adam',
      learningRate: { name: 'cosineDecay', initialLearningRate: 0.02, decaySteps: 50 },
    },
    loss: { name: 'huber', delta: 0.5 },
    metrics: ['mae'],
    clip: { globalNorm: 1 },
  });

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-save-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a saved model predicts the same, with and without training code, from a folder and a zip', async (t) => {
  const model = compiled();
  await model.fit(x, y, { epochs: 3, seed: 8 });
  const expected = (await model.predict(x)).toArray();
  const [folder, zip] = [join(folderFor(t), 'sine'), join(folderFor(t), 'sine.zip')];
  await model.save(folder, { pipeline: { scaler: 'none' } });
  await model.save(zip);
  for (const source of [
    folder,
    zip,
    new Uint8Array(readFileSync(zip)),
    await toArtifact(model),
    toZip(await toArtifact(model)),
  ]) {
    for (const loaded of [await load(source), await loadForInference(source)]) {
      assert.deepEqual((await loaded.predict(x)).toArray(), expected);
    }
  }
  const training = JSON.parse(readFileSync(join(folder, 'training.json'), 'utf8')) as {
    trained: { seed: number; data: string; history: { loss: number[] } };
  };
  assert.equal(training.trained.seed, 8);
  assert.match(training.trained.data, /^[0-9a-f]{16}$/);
  assert.equal(training.trained.history.loss.length, 3);
});

test('weights saved as float16 are loaded rounded, with and without training code, and can be trained further', async (t) => {
  const model = compiled();
  await model.fit(x, y, { epochs: 2, seed: 8 });
  const [folder, zip] = [join(folderFor(t), 'half'), join(folderFor(t), 'half.zip')];
  const before = (await model.predict(x)).toArray();
  for (const path of [folder, zip]) await model.save(path, { weights: 'float16' });
  assert.deepEqual((await model.predict(x)).toArray(), before);
  roundWeights(model, 'float16');
  const expected = (await model.predict(x)).toArray();
  assert.notDeepEqual(expected, before);
  for (const loaded of [
    await load(folder),
    await load(zip),
    await loadForInference(folder),
    await loadForInference(zip),
  ]) {
    assert.deepEqual((await loaded.predict(x)).toArray(), expected);
  }
  const again = await load(folder);
  await again.fit(x, y, { epochs: 1 });
  const trained = again.getWeights();
  roundWeights(again, 'float16');
  assert.notDeepEqual(
    again.getWeights(),
    trained,
    'training changes weights to values that float16 cannot represent',
  );
});

test('a loaded model can be trained with the compile options that were saved', async (t) => {
  const folder = folderFor(t);
  const model = compiled();
  await model.fit(x, y);
  await model.save(folder);
  const again = await load(folder);
  model.compile({ optimizer: 'sgd', loss: 'mse' });
  await assert.doesNotReject(again.fit(x, y));
  const metrics = await again.evaluate(x, y);
  assert.deepEqual(Object.keys(metrics), ['loss', 'mae']);
  const bare = await load(await toArtifact(model));
  await assert.rejects(bare.fit(x, y), (error: UnrollError) => error.code === 'state');
});

test('a second fit continues the first', async () => {
  const whole = compiled();
  await whole.fit(x, y, { epochs: 4, shuffle: false });
  const twice = compiled();
  await twice.fit(x, y, { epochs: 2, shuffle: false });
  await twice.fit(x, y, { epochs: 2, shuffle: false });
  assert.deepEqual(twice.getWeights(), whole.getWeights());
});

test('rejects models that cannot be saved', async (t) => {
  const folder = folderFor(t);
  const rejects = (work: Promise<void>, message: RegExp): Promise<void> =>
    assert.rejects(work, (error: unknown) => error instanceof UnrollError && message.test(error.message));
  await rejects(compiled().save(folder), /no weights to save yet/);
  const custom: Model = {
    ...{ name: 'mine', built: true, parameters: [], config: {} },
    build: () => {},
    forward: (inputs) => [...inputs],
  };
  await rejects(
    trainable(custom).save(folder),
    /mine cannot be saved: only sequential and functional models can\./,
  );
});
