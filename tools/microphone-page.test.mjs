// Tests examples/microphone in headless Chromium: a WAV file replaces the microphone, and the page shows each word as soon as it
// has been recognised.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RandomStream } from '@unroll/core';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { build } from 'esbuild';
import { writeWav } from 'unrolljs/audio';
import { makeTable, trainTranscriber } from 'unrolljs/transcribe';
import { openPage } from './page.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const example = join(root, 'examples/microphone');
const chromium = findChromium();
const folder = mkdtempSync(join(tmpdir(), 'unroll-microphone-'));
after(() => rmSync(folder, { recursive: true }));

const RATE = 8000;
const TONES = { low: 400, mid: 900, high: 2000 };
const NAMES = Object.keys(TONES);
const random = new RandomStream(4, 'microphone');

/** Returns a tone of 0.2 s for each word. @param pauses lengths of the pauses in seconds: before each tone, and at the end */
function sound(words, pauses, level) {
  const parts = words.flatMap((word, i) => [
    random.normal(Math.round(pauses[i] * RATE), 0, 0.0005),
    Float32Array.from(
      { length: 0.2 * RATE },
      (_, n) => level * Math.sin((2 * Math.PI * TONES[word] * n) / RATE),
    ),
  ]);
  return Float32Array.from(
    [...parts, random.normal(Math.round(pauses.at(-1) * RATE), 0, 0.0005)].flatMap((part) => [...part]),
  );
}

/** Trains a streaming model on tones and writes it. */
async function writeModel() {
  const texts = Array.from(random.uniform(250), (u) =>
    Array.from(random.uniform(1 + Math.floor(4 * u)), (v) => NAMES[Math.floor(3 * v)]).join(' '),
  );
  const sounds = texts.map((text) => {
    const words = text.split(' ');
    return {
      samples: sound(
        words,
        [...random.uniform(words.length + 1, 0.05, 0.5)],
        0.1 + 0.4 * random.uniform(1)[0],
      ),
      sampleRate: RATE,
    };
  });
  const table = makeTable({
    source: 'tones',
    names: ['sound', 'text'],
    cells: [texts.map(() => undefined), texts],
    nested: new Map([['sound', sounds]]),
  });
  const { model, scores } = await trainTranscriber(table, {
    ...{ audio: 'sound', text: 'text', streaming: true, layers: 1, units: 24, mels: 20, epochs: 20 },
    ...{ learningRate: 0.01, dropout: 0.1 },
  });
  assert.ok(scores.wordErrorRate < 0.05, `word error rate ${scores.wordErrorRate}`);
  mkdirSync(join(folder, 'model'));
  for (const [name, bytes] of await model.toFiles()) writeFileSync(join(folder, 'model', name), bytes);
}

/** Writes a page that listens until the transcript is `expected`, or for 20 s of sound, and reports what it showed. */
async function writePage(expected) {
  const script = `import { listen } from ${JSON.stringify(join(example, 'listen.js'))};
    const send = (body) => fetch('/report', { method: 'POST', body });
    const main = async () => {
      const shown = [];
      let done;
      const heard = new Promise((resolve) => { done = resolve; });
      const stop = await listen('model', (text, seconds) => {
        if (text !== shown.at(-1)?.text) shown.push({ text, seconds });
        if (text === ${JSON.stringify(expected)} || seconds > 20) done();
      });
      await heard;
      return JSON.stringify({ shown, text: await stop() });
    };
    main().then(send, (error) => send(String(error?.stack ?? error)));`;
  await build({
    ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'error' },
    stdin: { contents: script, resolveDir: join(root, 'packages/unrolljs') },
    alias: { 'unrolljs/pipeline': join(root, 'packages/unrolljs/dist/pipeline.js') },
    outfile: join(folder, 'app.js'),
  });
  for (const file of ['kernels.wasm', 'kernels-infer.wasm'])
    copyFileSync(join(root, 'packages/kernels/dist', file), join(folder, file));
  copyFileSync(join(example, 'capture.js'), join(folder, 'capture.js'));
  const page =
    '<!doctype html><link rel="icon" href="data:,"><body><script type="module" src="/app.js"></script>';
  writeFileSync(join(folder, 'index.html'), page);
}

test('the page transcribes the microphone, with partial results', {
  skip: chromium ? false : NO_CHROMIUM,
}, async () => {
  const words = ['high', 'low', 'mid', 'low'];
  const expected = words.join(' ');
  await writeModel();
  await writePage(expected);
  const wav = join(folder, 'speech.wav');
  const samples = sound(words, [1, 0.3, 0.3, 0.3, 1], 0.3);
  writeFileSync(wav, writeWav({ channels: [samples], sampleRate: RATE }));
  const args = [
    ...['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
    ...[`--use-file-for-fake-audio-capture=${wav}%noloop`, '--autoplay-policy=no-user-gesture-required'],
  ];
  const { report } = await openPage(chromium, { folder, path: '/index.html', args, seconds: 120 });
  assert.match(report, /^\{/, report);
  const { shown, text } = JSON.parse(report);
  assert.equal(text, expected, report);
  const partial = shown.map((result) => result.text);
  for (const count of [1, 2, 3]) assert.ok(partial.includes(words.slice(0, count).join(' ')), report);
});
