// Tests `unrolljs/pipeline` in a page: a classifier that was trained in Node is loaded from a URL, and gives the same results.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { build } from 'esbuild';
import { makeTable, trainClassifier } from 'unrolljs/classify';
import { pipeline } from 'unrolljs/pipeline';
import { openPage } from './page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chromium = findChromium();
const folder = mkdtempSync(join(tmpdir(), 'unroll-pipeline-page-'));
after(() => rmSync(folder, { recursive: true }));

const TEXTS = ['a good film', 'the story is bad', 'an odd one: 房间 and “quotes”', 'xyzzy'];

/** Trains a classifier and writes it to the folder `model`. */
const writeModel = async () => {
  const texts = Array.from({ length: 60 }, (_, i) => `take ${i % 7} ${['bad', 'good', 'odd'][i % 3]} film`);
  const labels = texts.map((_, i) => ['no', 'yes', 'maybe'][i % 3]);
  const table = makeTable({ source: 'films', names: ['text', 'label'], cells: [texts, labels] });
  const sizes = { units: 8, embedding: 8, networks: 2, epochs: 8, learningRate: 0.02 };
  const { model } = await trainClassifier(table, { text: 'text', label: 'label', ...sizes });
  mkdirSync(join(folder, 'model'));
  for (const [name, bytes] of await model.toFiles()) writeFileSync(join(folder, 'model', name), bytes);
};

/** Writes a page that classifies the texts and reports the results, with its script and the kernels. */
const writePage = async () => {
  const script = `import { pipeline } from 'unrolljs/pipeline';
    const main = async () => {
      const classify = await pipeline('classify', location.origin + '/model');
      return JSON.stringify(await classify(${JSON.stringify(TEXTS)}, { topK: 3 }));
    };
    const send = (body) => fetch('/report', { method: 'POST', body });
    main().then(send, (error) => send(String(error?.stack ?? error)));`;
  await build({
    ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'error' },
    stdin: { contents: script, resolveDir: join(root, 'packages/unrolljs') },
    outfile: join(folder, 'app.js'),
  });
  const kernels = join(root, 'packages/kernels/dist');
  for (const file of ['kernels.wasm', 'kernels-infer.wasm'])
    copyFileSync(join(kernels, file), join(folder, file));
  const page =
    '<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/app.js"></script>';
  writeFileSync(join(folder, 'index.html'), page);
};

test('a classifier in a page gives the results of Node', {
  skip: chromium ? false : NO_CHROMIUM,
}, async () => {
  await writeModel();
  const expected = await (await pipeline('classify', join(folder, 'model')))(TEXTS, { topK: 3 });
  await writePage();
  const { report } = await openPage(chromium, { folder, path: '/index.html' });
  assert.match(report, /^\[/, report);
  const found = JSON.parse(report);
  assert.equal(found.length, TEXTS.length);
  for (const [n, scores] of found.entries()) {
    for (const [k, { label, score }] of scores.entries()) {
      assert.equal(label, expected[n][k].label);
      assert.ok(Math.abs(score - expected[n][k].score) < 1e-4, `${score}, ${expected[n][k].score}`);
    }
  }
});
