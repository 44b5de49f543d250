// Tests `unrolljs/pipeline` in a page: models that were trained in Node are loaded from URLs and must give the same results as in
// Node.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { build } from 'esbuild';
import { makeTable, trainClassifier } from 'unrolljs/classify';
import { forecast } from 'unrolljs/forecast';
import { trainLanguageModel } from 'unrolljs/generate';
import { pipeline } from 'unrolljs/pipeline';
import { parseConll, trainTagger } from 'unrolljs/tag';
import { trainTranslator } from 'unrolljs/translate';
import { openPage } from './page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chromium = findChromium();
const folder = mkdtempSync(join(tmpdir(), 'unroll-pipeline-page-'));
after(() => rmSync(folder, { recursive: true }));

const SMALL = { units: 8, embedding: 8, epochs: 8, learningRate: 0.02 };
const numbers = Array.from({ length: 60 }, (_, i) => i);
const ADJECTIVES = ['bad', 'good', 'odd'];
const NAMES = ['Ana Lima', 'Luis', 'Rosa Costa', 'Jean'];
const NOUNS = [
  ['Haus', 'house'],
  ['Baum', 'tree'],
  ['Hund', 'dog'],
];
const VERBS = [
  ['steht', 'stands'],
  ['wartet', 'waits'],
];
const table = (names, ...cells) => makeTable({ source: 'made', names, cells });
const bioOf = (name) => name.split(' ').map((word, i) => `${word}\t${i === 0 ? 'B' : 'I'}-PER\n`);
const pairOf = (i, side) => `${['ein', 'a'][side]} ${NOUNS[i % 3][side]} ${VERBS[(i >> 2) % 2][side]}`;

/** A clip of five grey frames in which a bright bar moves down or up, as lists of pixels. */
const barClip = (i) =>
  Array.from({ length: 5 }, (_, t) => {
    const bar = (i % 2 ? 4 - t : t) + (i % 3);
    return Array.from({ length: 8 * 8 }, (_, p) => (p >> 3 === bar ? 200 : (11 * p + 5 * i) % 50));
  });

/**
 * The models by name. `train` trains a small model for the task `task` (default: the name). The test compares the results of
 * calls: `calls` are lists of arguments, each of `clips` is the input of a call, and `streams` are lists of arguments of
 * `stream`.
 */
const TASKS = {
  classify: {
    train: () => {
      const texts = numbers.map((i) => `take ${i % 7} ${ADJECTIVES[i % 3]} film`);
      const labels = numbers.map((i) => ['no', 'yes', 'maybe'][i % 3]);
      const options = { text: 'text', label: 'label', networks: 2, ...SMALL };
      return trainClassifier(table(['text', 'label'], texts, labels), options);
    },
    calls: [
      [['a good film', 'the story is bad', 'an odd one: 房间 and “quotes”', 'xyzzy'], { topK: 3 }],
      ['a good film'],
    ],
  },
  clips: {
    task: 'classify',
    train: () => {
      const clips = numbers.slice(0, 24).map((i) => ({
        shape: [5, 8, 8],
        values: Uint8Array.from(barClip(i).flat()),
      }));
      const rows = makeTable({
        ...{ source: 'made', names: ['clip', 'label'], nested: new Map([['clip', clips]]) },
        cells: [clips.map(() => undefined), clips.map((_, i) => ['down', 'up'][i % 2])],
      });
      return trainClassifier(rows, { frames: 'clip', label: 'label', units: 8, epochs: 3 });
    },
    calls: [],
    clips: [30, 31, 35].map(barClip),
  },
  tag: {
    train: () => {
      const sentences = numbers.map(
        (i) => `the\tO\n${bioOf(NAMES[i % 4]).join('')}${i % 2 ? 'sees\tO\n' : ''}.\tO\n`,
      );
      return trainTagger(parseConll(sentences.join('\n'), { source: 'made' }), { networks: 2, ...SMALL });
    },
    calls: [[['the  Ana Lima sees.', '房间 Zoë “Rosa” Costa']], ['the Luis', { aggregation: 'none' }]],
  },
  translate: {
    train: () => {
      const [source, target] = [0, 1].map((side) => numbers.map((i) => pairOf(i, side)));
      const options = { source: 'de', target: 'en', ...SMALL, units: 16, embedding: 16 };
      return trainTranslator({ table: table(['de', 'en'], source, target) }, options);
    },
    calls: [
      [['ein Haus steht', 'ein Hund wartet'], { beam: 1, maxLength: 12 }],
      ['ein Baum wartet', { beam: 4, alignments: true }],
    ],
  },
  generate: {
    train: () => {
      const text = numbers.map((i) => `${pairOf(i, 1)}.\n`).join('');
      return trainLanguageModel(text, { ...SMALL, streams: 4, steps: 16 });
    },
    calls: [
      [['a house', ''], { length: 40, temperature: 0 }],
      ['a tree ', { length: 40, temperature: 0.7, topK: 8, topP: 0.9, seed: 4 }],
    ],
    streams: [['a dog', { length: 30, temperature: 0 }]],
  },
  forecast: {
    train: () => {
      const days = numbers.map((i) => new Date(Date.UTC(2024, 0, 1 + i)).toISOString().slice(0, 10));
      const sold = numbers.map((i) => 20 + 5 * (i % 4) + Math.sin(7 * i));
      const options = { target: 'sold', horizon: 4, season: 4, units: 4, epochs: 4, baselines: [] };
      return forecast(table(['day', 'sold'], days, sold), options);
    },
    calls: [[null], [[21, 26.5, 31], { horizon: 6 }]],
  },
};

/** Runs the calls of all models. The page contains the source text of this function. */
const runAll = async (pipeline, address, tasks) => {
  const results = {};
  // Like ImageData in a page, a frame has four values per pixel.
  const frameOf = (pixels) => ({
    ...{ width: 8, height: 8, data: Uint8ClampedArray.from(pixels.flatMap((p) => [p, p, p, 255])) },
  });
  for (const [name, { task = name, calls, clips = [], streams = [] }] of Object.entries(tasks)) {
    const pipe = await pipeline(task, `${address}/${name}`);
    results[name] = [];
    for (const call of calls) results[name].push(await pipe(...call));
    for (const clip of clips) results[name].push(await pipe(clip.map(frameOf), { topK: 2 }));
    for (const call of streams) {
      const pieces = [];
      for await (const piece of pipe.stream(...call)) pieces.push(piece);
      results[name].push(pieces);
    }
  }
  return results;
};

const writeModels = async () => {
  for (const [task, { train }] of Object.entries(TASKS)) {
    const { model } = await train();
    mkdirSync(join(folder, task));
    for (const [name, bytes] of await model.toFiles()) writeFileSync(join(folder, task, name), bytes);
  }
};

/** Writes a page that runs all calls and reports the results, with its script and the kernels. */
const writePage = async () => {
  const script = `import { pipeline } from 'unrolljs/pipeline';
    const runAll = ${runAll};
    const send = (body) => fetch('/report', { method: 'POST', body });
    runAll(pipeline, location.origin, ${JSON.stringify(TASKS)})
      .then((results) => send(JSON.stringify(results)), (error) => send(String(error?.stack ?? error)));`;
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

/** Checks that two results are equal; numbers may differ by 1e-4 · max(1, |expected|). */
const assertClose = (found, expected, path) => {
  if (typeof expected === 'number') {
    const difference = Math.abs(found - expected) / Math.max(1, Math.abs(expected));
    assert.ok(difference < 1e-4, `${path}: got ${found}, expected ${expected}`);
  } else if (typeof expected === 'object' && expected !== null) {
    assert.deepEqual(Object.keys(found), Object.keys(expected), path);
    for (const [key, value] of Object.entries(expected)) assertClose(found[key], value, `${path}.${key}`);
  } else assert.equal(found, expected, path);
};

describe('models in a page give the same results as Node', { skip: chromium ? false : NO_CHROMIUM }, () => {
  let expected;
  let found;
  before(async () => {
    await writeModels();
    expected = await runAll(pipeline, folder, TASKS);
    await writePage();
    const { report } = await openPage(chromium, { folder, path: '/index.html' });
    assert.match(report, /^\{/, report);
    found = JSON.parse(report);
  });
  for (const task of Object.keys(TASKS)) {
    test(task, () => assertClose(found[task], JSON.parse(JSON.stringify(expected[task])), task));
  }
  test('the results are not empty', () => {
    const { clips, tag, translate, generate } = expected;
    assert.notDeepEqual(clips[0], clips[1]);
    assert.ok(tag[0][0].some(({ label }) => label === 'PER'));
    assert.match(translate[1][0].translationText, /\w/);
    assert.equal(generate[2].join('').length, 30);
  });
});
