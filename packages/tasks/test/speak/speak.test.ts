// Speech synthesis: training, batches, saving, scores, the plan, the mel-cepstral distortion, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { audioFeatures, makeTable } from '@unroll/data';
import {
  melCepstralDistortion,
  prepareVoice,
  type SpeakModel,
  type SpeakOptions,
  type SpeakResult,
  speakReport,
  speakScores,
  taskModelFromFiles,
  trainVoice,
} from '@unroll/tasks';
import { letterTable, RATE, tableOf, utterances } from './letters.js';

const COLUMNS = { text: 'text', audio: 'sound' };
const SMALL = {
  ...{ ...COLUMNS, units: 48, embedding: 16, mels: 24, reduction: 2, epochs: 60, batchSize: 8 },
  ...{ learningRate: 0.005, dropout: 0, sampling: 0.3 },
};

/** Returns the loudest frequency in the middle of each tenth of a second. */
function tonesOf(samples: Float32Array): number[] {
  const features = audioFeatures({
    sampleRate: RATE,
    kind: 'spectrogram',
    windowLength: 400,
    hopLength: 400,
    fftSize: 512,
  });
  const { values, width, length } = features.frames(samples.subarray(200));
  return Array.from({ length: length - 1 }, (_, t) => {
    const frame = Array.from(values.subarray(t * width, (t + 1) * width));
    return (frame.indexOf(Math.max(...frame)) * RATE) / 512;
  });
}

type Sound = Awaited<ReturnType<SpeakModel['speak']>>[number];

/** Asserts that two sounds are equal apart from rounding: the order in which kernels add numbers depends on the batch size. */
function assertSameSound(actual: Sound, expected: Sound): void {
  assert.deepEqual(
    [actual.sampleRate, actual.samples.length],
    [expected.sampleRate, expected.samples.length],
  );
  const differences = actual.samples.map((sample, i) => Math.abs(sample - expected.samples[i]));
  const largest = Math.max(...differences);
  assert.ok(largest < 1e-4, `${largest}`);
}

describe('a voice', () => {
  let result: SpeakResult;
  let model: SpeakModel;
  before(async () => {
    result = await trainVoice(letterTable(utterances(100)), SMALL);
    ({ model } = result);
  });

  test('speaks the letters of a new text in their order, and stops', async () => {
    const [{ samples, sampleRate }] = await model.speak(['dacb']);
    assert.equal(sampleRate, RATE);
    assert.ok(Math.abs(samples.length / RATE - 0.4) < 0.1, `${samples.length / RATE} s`);
    const tones = tonesOf(samples);
    for (const [i, frequency] of [1500, 300, 1000].entries())
      assert.ok(Math.abs(tones[i] - frequency) < 120, `${tones.join(', ')}`);
    assert.ok(
      result.scores.stopped > 0.9 && result.scores.durationError < 0.2,
      JSON.stringify(result.scores),
    );
  });

  test('gives the same sound for a single text and in a batch, and after saving and loading', async () => {
    const texts = ['abcd', 'dd', 'cabbage'];
    const batch = await model.speak(texts);
    const [alone] = await model.speak([texts[1]]);
    assertSameSound(alone, batch[1]);
    const loaded = taskModelFromFiles(await model.toFiles());
    assert.equal(loaded.writesSound, true);
    assert.deepEqual(await loaded.pipe!(texts), batch);
    assertSameSound((await loaded.pipe!(texts[0])) as Sound, batch[0]);
    const { columns, rows, sounds, notes } = await loaded.predict({ texts: ['abe'] });
    assert.deepEqual([columns, rows[0][0], sounds?.length], [['text', 'seconds'], 'abe', 1]);
    assert.deepEqual(notes, ['Characters that do not occur in the training texts are skipped: "e".']);
  });

  test('is scored, and the report has alignments and spectrograms', async () => {
    const { metrics } = await model.evaluate({ rows: letterTable(utterances(20, 2)) });
    assert.ok(metrics!.mcd < 8 && metrics!.stopped > 0.8, JSON.stringify(metrics));
    const report = speakReport(result, { backend: 'test', seconds: 1 });
    assert.match(report, /Alignments[\s\S]*Attention weights of the text/);
    assert.match(report, /Spectrogram of speech of the model/);
    for (const { alignment, length } of result.spoken) {
      assert.equal(alignment.length, length / 2);
      const positions = alignment.map((weights) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return weights.reduce((sum, weight, j) => sum + weight * j, 0) / total;
      });
      const positionAt = (share: number): number => positions[Math.floor(share * positions.length)];
      assert.ok(positionAt(0.1) < positionAt(0.4) && positionAt(0.4) < positionAt(0.7), positions.join(' '));
    }
  });

  test('rejects a damaged pipeline', async () => {
    const files = await model.toFiles();
    const { pipeline } = model;
    const { voice } = pipeline;
    const deviations = voice.deviations.with(0, 0);
    const means = voice.means.map(String);
    const CASES: [object, RegExp][] = [
      [{ reduction: 3 }, /must fit the network, which reads 24 and returns 48 values, got \[3,24\]/],
      [{ reduction: 1e9 }, /reduction must be an integer from 1 to 16, got 1000000000/],
      [{ stepsPerCharacter: 1e12 }, /stepsPerCharacter must be a number above 0 and at most 10000, got 1000000000000/],
      [{ stepsPerCharacter: '2' }, /stepsPerCharacter must be a number .*, got "2"/],
      [{ voice: { ...voice, deviations } }, /must be finite numbers, the deviations above 0/],
      [{ voice: { ...voice, means } }, /must be finite numbers, the deviations above 0/],
      [{ voice: { ...voice, deviations: 'x' } }, /must have 24 values/],
      [{ voice: { ...voice, means: [0] } }, /must fit the network/],
    ]; // biome-ignore format: a table
    for (const [change, message] of CASES) {
      const json = new TextEncoder().encode(JSON.stringify({ ...pipeline, ...change }));
      const load = () => taskModelFromFiles(new Map([...files, ['pipeline.json', json]]));
      assert.throws(load, { code: 'format', message });
    }
  });

  test('rejects texts without a known character, other invalid inputs, and unknown options', async () => {
    await assert.rejects(model.speak(['']), /The text "" cannot be spoken\. The text is empty\. Pass a text/);
    await assert.rejects(
      model.speak(['xyz']),
      /None of its characters occurs in the training texts\. Use these characters: "a", "b", "c", "d"\./,
    );
    await assert.rejects(model.pipe(7), /must be a text or a list of texts, got 7/);
    await assert.rejects(model.pipe('a', { rate: 2 } as never), /pipeline: there is no option "rate"/);
    await assert.rejects(model.predict({}), /pass rows or texts/);
  });
});

test('the plan contains the characters of the texts, the default reduction and the pace of the attention', () => {
  const plan = prepareVoice(letterTable(utterances(50)), { ...COLUMNS, mels: 24 });
  assert.deepEqual(plan.characters.config.characters, ['a', 'b', 'c', 'd']);
  assert.equal(plan.sizes.reduction, 4);
  // A letter lasts 0.1 s, that is, two steps. The end of a text is one more id.
  assert.ok(plan.sizes.pace > 0.4 && plan.sizes.pace < 0.8, `${plan.sizes.pace}`);
  assert.equal(plan.training.texts.length + plan.validation.texts.length, 50);
});

test('errors name the cell or the option', () => {
  const list = utterances(4);
  const prepare = (options: object) => () =>
    prepareVoice(letterTable(list), { ...COLUMNS, ...options } as SpeakOptions);
  assert.throws(prepare({ sampling: 1 }), /sampling/);
  assert.throws(prepare({ reduction: 17 }), /reduction must be at most 16, got 17/);
  assert.throws(prepare({ audio: 'text' }), /must be different columns/);
  assert.throws(prepare({ voice: 'anna' }), /voice/);
  const long = { samples: new Float32Array(31 * RATE), sampleRate: RATE };
  assert.throws(
    () => prepareVoice(tableOf([list[0], long], ['ab', 'cd']), COLUMNS),
    /letters\.jsonl, row 2, column 1 \("sound"\): the sound must be at most 30 s long, got 31\.0 s/,
  );
  assert.throws(() => prepareVoice(tableOf([list[0]], ['ab']), COLUMNS), /at least 2 rows are needed/);
  assert.throws(
    () => prepareVoice(makeTable({ source: 't', names: ['text'], cells: [['a', 'b']] }), COLUMNS),
    /no column "sound"/,
  );
});

test('the mel-cepstral distortion is 0 for the same spectrogram, also if it is slower or louder', () => {
  const values = Float32Array.from(
    { length: 60 * 24 },
    (_, i) => 20 * Math.sin(i * 0.37) + 10 * Math.cos(i * 0.011),
  );
  const frames = { values, length: 60 };
  const slow = { values: new Float32Array(2 * values.length), length: 120 };
  for (let t = 0; t < 120; t++)
    slow.values.set(values.subarray(Math.floor(t / 2) * 24, (Math.floor(t / 2) + 1) * 24), t * 24);
  assert.equal(melCepstralDistortion(frames, frames), 0);
  assert.equal(melCepstralDistortion(frames, slow), 0);
  assert.ok(melCepstralDistortion(frames, { values: values.map((x) => x + 6), length: 60 }) < 1e-5);
  // A cosine along the frequency axis (coefficient 1) with an amplitude of 4 dB has the distortion 4 / √2 dB.
  const wave = values.map((x, i) => x + 4 * Math.cos((Math.PI * ((i % 24) + 0.5)) / 24));
  const shifted = melCepstralDistortion(
    { values: values.map(() => 0), length: 60 },
    { values: wave.map((x, i) => x - values[i]), length: 60 },
  );
  assert.ok(Math.abs(shifted - 4 / Math.SQRT2) < 1e-3, `${shifted}`);
  const scores = speakScores([{ ...slow, stopped: false }], [frames]);
  assert.deepEqual(scores, { distortion: 0, durationError: 1, stopped: 0 });
});
