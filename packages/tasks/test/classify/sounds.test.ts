// Classification of sounds: training, formats of a sound, volume and padding, verification, saving, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { cosineSimilarity, makeTable, writeWav } from '@unroll/data';
import {
  ClassifyModel,
  type ClassifyOptions,
  type ClassifyResult,
  classifyReport,
  prepareClassifier,
  type Sound,
  taskModelFromFiles,
  trainClassifier,
} from '@unroll/tasks';
import { RATE, tableOf, tones, toneTable } from './tones.js';

const COLUMNS = { audio: 'sound', label: 'kind' };
const SMALL = { ...COLUMNS, units: 8, networks: 1, epochs: 6, mels: 16, dropout: 0.1, learningRate: 0.01 };
const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): boolean =>
  a.length === b.length && Array.from(a).every((value, i) => Math.abs(value - b[i]) <= tolerance);

describe('a classifier of sounds', () => {
  let result: ClassifyResult;
  let model: ClassifyModel;
  before(async () => {
    result = await trainClassifier(toneTable(tones(100)), SMALL);
    ({ model } = result);
  });
  const probabilitiesOf = async (sounds: readonly Sound[]): Promise<number[][]> => {
    const scores = (await model.pipe(sounds, { topK: null })) as { label: string; score: number }[][];
    return scores.map((scoresOfSound) =>
      ['down', 'up'].map((name) => scoresOfSound.find(({ label }) => label === name)!.score),
    );
  };

  test('learns whether a tone rises or falls', async () => {
    const { metrics } = await model.evaluate({ rows: toneTable(tones(60, 2)) });
    assert.ok(metrics!.accuracy > 0.95, `accuracy ${metrics!.accuracy}`);
  });

  test('predicts the same for bytes, samples, channels, another sample rate and another volume', async () => {
    const [tone] = tones(1, 3);
    const { samples, sampleRate } = tone;
    const [expected] = await probabilitiesOf([tone]);
    const same: Record<string, Sound> = {
      bytes: writeWav({ channels: [samples], sampleRate }, { encoding: 'float32' }),
      file: { source: 'a.wav', bytes: writeWav({ channels: [samples], sampleRate }, { encoding: 'pcm24' }) },
      channels: { channels: [samples, samples], sampleRate },
      quiet: { samples: samples.map((x) => x / 4), sampleRate },
    };
    for (const [name, sound] of Object.entries(same))
      assert.ok(close((await probabilitiesOf([sound]))[0], expected, 1e-3), name);
    const [doubleRate] = tones(1, 3, 2 * RATE);
    assert.ok(close((await probabilitiesOf([doubleRate]))[0], expected, 0.1), 'another rate');
  });

  test('predicts the same for a sound alone and in a batch, and after saving and loading', async () => {
    const sounds = tones(5, 4);
    const batch = await probabilitiesOf(sounds);
    for (const [i, sound] of sounds.entries())
      assert.ok(close((await probabilitiesOf([sound]))[0], batch[i], 1e-6));
    const loaded = taskModelFromFiles(await model.toFiles());
    assert.deepEqual(await loaded.pipe!(sounds), await model.pipe(sounds));
    assert.equal(loaded.audio, 'sound');
  });

  test('the text about the model says whether it predicts one label or several', () => {
    assert.match(model.about, /^Predicts the label of the WAV file of --audio, or/);
    const several = new ClassifyModel({ ...model.pipeline, multiLabel: ';' }, model.network);
    assert.match(several.about, /^Predicts the labels of the WAV file of --audio, or/);
  });

  test('verification: embeddings of sounds with the same label are more similar', async () => {
    const list = tones(12, 6);
    const [a, b, c] = await model.embed([list[0], list[2], list[1]]);
    assert.ok(cosineSimilarity(a, b) > cosineSimilarity(a, c));
    const pairs = list.flatMap((first, i) =>
      list.slice(i + 1).map((second) => ({ first, second, same: first.kind === second.kind })),
    );
    const { metrics, rows } = await model.verify(pairs);
    assert.ok(metrics!.eer < 0.15, `equal error rate ${metrics!.eer}`);
    assert.deepEqual(rows[0].slice(3), [30, 36]);
    await assert.rejects(model.verify(pairs.filter(({ same }) => same)), /got 30 and 0/);
  });

  test('predicts from sounds and rows; pipe takes one or several sounds', async () => {
    const list = tones(3, 5);
    const bytes = writeWav({ channels: [list[1].samples], sampleRate: RATE });
    const { columns, rows } = await model.predict({
      rows: toneTable(list.slice(0, 1)),
      sounds: [{ source: 'b.wav', bytes }],
    });
    assert.deepEqual(columns, ['sound', 'label', 'score']);
    assert.deepEqual(
      rows.map(([name, label]) => [name, label]),
      [
        ['b.wav', 'down'],
        ['row 1', 'up'],
      ],
    );
    const single = (await model.pipe(list[0])) as { label: string }[];
    assert.deepEqual([single.length, single[0].label], [1, 'up']);
    assert.equal(((await model.pipe(list)) as unknown[]).length, 3);
  });

  test('the report shows a spectrogram for each label, and the features', () => {
    const html = classifyReport(result, { backend: 'reference', seconds: 1 });
    assert.match(html, /<h2>Spectrograms<\/h2>/);
    assert.equal(html.match(/aria-label="Spectrogram of /g)?.length, 2);
    assert.match(html, /up: row \d+, predicted up/);
    assert.match(html, /16 log-mel features at 4000 Hz, frames of 25 ms every 10 ms/);
  });

  test('the same seed gives the same weights; training without augmentation gives different weights', async () => {
    const options = { ...SMALL, epochs: 1 };
    const weights = async (more: Partial<ClassifyOptions>) => {
      const run = await trainClassifier(toneTable(tones(30)), { ...options, ...more });
      return (await run.model.toFiles()).get('model.safetensors');
    };
    assert.deepEqual(await weights({}), await weights({}));
    assert.notDeepEqual(await weights({}), await weights({ augment: false }));
  });

  test('rejects inputs that are not sounds', async () => {
    await assert.rejects(model.predict({ texts: ['up'] }), {
      code: 'value',
      message: /got a text\. Pass sounds/,
    });
    await assert.rejects(model.predict({}), {
      code: 'value',
      message: /pass rows or sounds \(--data or --audio\)/,
    });
    const wrong: [unknown, RegExp][] = [
      ['up', /A sound must be the bytes of a WAV file, .* got "up"/],
      [{ samples: [1, 2], sampleRate: RATE }, /must be a non-empty Float32Array of finite numbers/],
      [{ samples: Float32Array.of(Number.NaN), sampleRate: RATE }, /finite numbers/],
      [{ samples: new Float32Array(0), sampleRate: RATE }, /must be a non-empty Float32Array/],
      [{ samples: new Float32Array(9), sampleRate: 0 }, /sampleRate must be above 0 Hz, got 0/],
    ];
    for (const [sound, message] of wrong)
      await assert.rejects(model.pipe([sound]), { code: 'value', message });
    await assert.rejects(model.pipe(new Uint8Array(20)), {
      code: 'format',
      message: /must start with "RIFF"/,
    });
  });

  test('rejects damaged pipelines', async () => {
    const files = await model.toFiles();
    const pipeline = JSON.parse(new TextDecoder().decode(files.get('pipeline.json')));
    const withPipeline = (change: object) =>
      new Map([
        ...files,
        ['pipeline.json', new TextEncoder().encode(JSON.stringify({ ...pipeline, ...change }))],
      ]);
    const fails = (change: object, message: RegExp): void => {
      assert.throws(() => taskModelFromFiles(withPipeline(change)), { message });
    };
    fails({ means: [1] }, /means and deviations must have 16 values/);
    fails({ deviations: pipeline.deviations.map(() => 0) }, /must be finite numbers, the deviations above 0/);
    fails({ features: undefined }, /features missing/);
    fails({ features: { ...pipeline.features, mels: 0 } }, /mels must be a positive integer, got 0/);
  });
});

describe('prepareClassifier', () => {
  test('chooses the sample rate of the data, at most 16,000 Hz', () => {
    const rateOf = (options: Partial<ClassifyOptions>, ...rates: number[]): number => {
      const list = rates.flatMap((rate, n) => tones(4, n, rate));
      const { encoder } = prepareClassifier(toneTable(list), { ...COLUMNS, mels: 16, ...options });
      assert.ok(encoder.kind === 'sound');
      return encoder.config.features.sampleRate;
    };
    assert.equal(rateOf({}, 4000, 8000, 8000), 8000);
    assert.equal(rateOf({}, 44_100), 16_000);
    assert.equal(rateOf({ sampleRate: 11_025 }, 4000), 11_025);
  });

  test('augments sounds by default if a batch gets a random stream', () => {
    const { encoder, training, settings } = prepareClassifier(toneTable(tones(20)), { ...COLUMNS, mels: 16 });
    assert.equal(settings.augment, true);
    const rows = Uint32Array.of(0, 1);
    const random = new RandomStream(1, 'batch');
    const steps = [null, random, random].map((stream) => encoder.batch(training.inputs, rows, stream).x);
    const values = steps.map((x) => [...x.dataSync()].join());
    assert.equal(values[1], values[2], 'the same stream gives the same augmentation');
    assert.notEqual(values[0], values[1]);
  });

  test('errors name the row and the file', () => {
    const fails = (
      sounds: readonly unknown[],
      message: RegExp,
      options: Partial<ClassifyOptions> = {},
    ): void => {
      const kinds = sounds.map((_, i) => `kind ${i % 2}`);
      const table = tableOf(sounds as Sound[], kinds);
      assert.throws(() => prepareClassifier(table, { ...COLUMNS, ...options }), { message });
    };
    const good = tones(1)[0];
    const bytes = writeWav({ channels: [good.samples], sampleRate: RATE }).subarray(0, 60);
    fails(
      [good, { source: 'b.wav', bytes }],
      /^tones\.jsonl, row 2, column 1 \("sound"\): b\.wav: .* truncated/,
    );
    fails([good, 'c.wav'], /row 2, column 1 \("sound"\): the cell must hold a sound, got "c\.wav"/);
    fails([good, good], /normalize must be "features", "level" or "none"/, { normalize: 'x' as 'level' });
    fails([good, good], /embedding is an option for texts, but the inputs are sounds/, { embedding: 3 });
    const table = makeTable({ source: 't', names: ['text', 'kind'], cells: [['a'], ['b']] });
    const texts = { text: 'text', label: 'kind' };
    assert.throws(() => prepareClassifier(table, { ...texts, mels: 3 }), {
      message: /mels is an option for sounds, but the inputs are texts/,
    });
    assert.throws(() => prepareClassifier(table, { ...texts, audio: 'a' }), { message: /got two of them/ });
  });
});
