// Measures how long a streaming transcriber takes to process 100 ms of sound, on one thread in Node and in Chromium
// (WebAssembly).
//
//   node tools/latency.mjs [--model DIR] [--chunks 300]
//
//   --model DIR   a model of `unroll train transcribe --streaming`; default: a model of the default size that is trained for one
//                 epoch on noise, at 16,000 Hz with 60 words. Its outputs are uncertain, so beam search takes longer than usual.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { currentBackend, RandomStream } from '@unroll/core';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { build } from 'esbuild';
import { pipeline, setThreads } from 'unrolljs/pipeline';
import { makeTable, trainTranscriber } from 'unrolljs/transcribe';
import { openPage } from './page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'unroll-latency-'));
const { values } = parseArgs({
  options: { model: { type: 'string' }, chunks: { type: 'string', default: '300' } },
});
const chunks = Number(values.chunks);

/** Trains a model of the default size on noise, and writes it to a folder. */
async function writeModel(modelFolder) {
  const random = new RandomStream(1, 'latency');
  const count = 80;
  const sounds = Array.from({ length: count }, () => ({
    samples: Float32Array.from(random.normal(24_000, 0, 0.1)),
    sampleRate: 16_000,
  }));
  const texts = Array.from({ length: count }, (_, i) => `word${i % 60} word${(i * 7) % 60}`);
  const table = makeTable({
    source: 'noise',
    names: ['sound', 'text'],
    cells: [texts.map(() => undefined), texts],
    nested: new Map([['sound', sounds]]),
  });
  const options = { audio: 'sound', text: 'text', level: 'words', streaming: true, epochs: 1 };
  const { model } = await trainTranscriber(table, options);
  for (const [name, bytes] of await model.toFiles()) writeFileSync(join(modelFolder, name), bytes);
}

/** Returns the time of each chunk in milliseconds. The page runs the source text of this function. */
const measure = async (model, count) => {
  const rate = 48_000; // The usual rate of microphones.
  const stream = model.soundStream(rate);
  const times = [];
  for (let n = -20; n < count; n++) {
    const samples = Float32Array.from({ length: rate / 10 }, (_, i) => {
      const t = n / 10 + i / rate;
      return (
        0.3 * Math.sin(2 * Math.PI * (150 + 50 * Math.sin(3 * t)) * t) * Math.sin(9 * t) +
        0.02 * (Math.random() - 0.5)
      );
    });
    const start = performance.now();
    await stream.push(samples);
    if (n >= 0) times.push(performance.now() - start); // The first chunks warm up.
  }
  return times;
};

const printTimes = (where, times) => {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (quantile) =>
    sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))].toFixed(1);
  console.log(
    `${where.padEnd(34)} median ${at(0.5)} ms, 95th percentile ${at(0.95)} ms, longest ${at(1)} ms`,
  );
};

/** Measures in a page, and prints the result. */
async function inChromium(chromium) {
  const script = `import { pipeline } from 'unrolljs/pipeline';
    const measure = ${measure};
    const send = (body) => fetch('/report', { method: 'POST', body });
    pipeline('transcribe', 'model').then(({ model }) => measure(model, ${chunks}))
      .then((times) => send(JSON.stringify(times)), (error) => send(String(error?.stack ?? error)));`;
  await build({
    ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'error' },
    stdin: { contents: script, resolveDir: join(root, 'packages/unrolljs') },
    outfile: join(folder, 'app.js'),
  });
  for (const file of ['kernels.wasm', 'kernels-infer.wasm'])
    copyFileSync(join(root, 'packages/kernels/dist', file), join(folder, file));
  const page =
    '<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/app.js"></script>';
  writeFileSync(join(folder, 'index.html'), page);
  const { report } = await openPage(chromium, { folder, path: '/index.html', seconds: 300 });
  if (!report.startsWith('[')) throw new Error(report);
  printTimes('Chromium, WebAssembly, 1 thread', JSON.parse(report));
}

try {
  const modelFolder = join(folder, 'model');
  mkdirSync(modelFolder);
  if (values.model === undefined) await writeModel(modelFolder);
  else
    for (const name of readdirSync(values.model))
      copyFileSync(join(values.model, name), join(modelFolder, name));
  const { model } = await pipeline('transcribe', modelFolder);
  setThreads(1);
  const { cell, layers, units } = JSON.parse(readFileSync(join(modelFolder, 'pipeline.json'), 'utf8'));
  console.log(
    `${layers} × ${cell} of ${units} units; ${chunks} chunks of 100 ms at 48,000 Hz; ${cpus()[0]?.model}`,
  );
  printTimes(`Node ${process.version}, ${currentBackend().description}`, await measure(model, chunks));
  const chromium = findChromium();
  if (chromium) await inChromium(chromium);
  else console.log(NO_CHROMIUM);
} finally {
  rmSync(folder, { recursive: true });
}
