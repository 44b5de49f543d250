// Transcription: training, times of words, streams, the plan, resumed runs, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { predictAll, slice } from '@unroll/core';
import { writeWav } from '@unroll/data';
import {
  prepareTranscriber,
  type RunStore,
  type Sound,
  TranscribeModel,
  type TranscribeOptions,
  type TranscribeResult,
  taskModelFromFiles,
  trainTranscriber,
  transcribeReport,
} from '@unroll/tasks';
import { assertDamaged } from '../shared/damaged.js';
import { melodies, melodyTable, RATE, tableOf } from './melodies.js';

const COLUMNS = { audio: 'sound', text: 'text' };
const SMALL = {
  ...COLUMNS,
  ...{ units: 12, layers: 1, mels: 12, dropout: 0, learningRate: 0.02, epochs: 30, augment: false },
};

describe('a transcriber', () => {
  let result: TranscribeResult;
  let model: TranscribeModel;
  before(async () => {
    result = await trainTranscriber(melodyTable(melodies(80)), SMALL);
    ({ model } = result);
  });

  test('learns words and their start times', async () => {
    const list = melodies(40, 2);
    const { metrics } = await model.evaluate({ rows: melodyTable(list) });
    assert.ok(metrics!.wer < 0.1, `WER ${metrics!.wer}`);
    const transcripts = await model.transcribe(list);
    let compared = 0;
    for (const [i, { text, words }] of transcripts.entries()) {
      if (text !== list[i].text) continue;
      for (const [k, { word, start, end }] of words.entries()) {
        assert.equal(word, text.split(' ')[k]);
        assert.ok(Math.abs(start - list[i].starts[k]) < 0.15 && end > start, `${start} ${list[i].starts[k]}`);
        compared++;
      }
    }
    assert.ok(compared > 40);
  });

  test('gives the same transcripts of single sounds, of a batch and of WAV files, and after saving and loading', async () => {
    const list = melodies(6, 3);
    const texts = (await model.transcribe(list)).map(({ text }) => text);
    for (const [i, sound] of list.entries())
      assert.equal((await model.transcribe([sound]))[0].text, texts[i]);
    const files = list.map(({ samples }) => writeWav({ channels: [samples], sampleRate: RATE }));
    const loaded = taskModelFromFiles(await model.toFiles());
    assert.ok(loaded instanceof TranscribeModel);
    const { columns, rows } = await loaded.predict({ sounds: files, options: { beam: 1, timestamps: true } });
    assert.deepEqual(columns, ['sound', 'text', 'words']);
    assert.deepEqual(
      rows.map(([, text]) => text),
      texts,
    );
    assert.match(String(rows[0][2]), /^(low|mid|high) [\d.]+-[\d.]+(, |$)/);
  });

  test('is not loaded with a pipeline that contradicts its network', async () => {
    const { tokens } = model.pipeline;
    const fewer = { ...tokens, tokens: tokens.tokens.slice(1) };
    const reductions = /reduction must be an integer from 1 to 16, got/;
    await assertDamaged(model, model.pipeline, [
      [{ reduction: 0 }, reductions],
      [{ reduction: 1.5 }, reductions],
      [{ reduction: 17 }, reductions],
      [{ attention: { maxLength: 10 } }, /the network must have 2 inputs, got 1/],
      [{ tokens: fewer }, /must return 3 values for 2 tokens, got 4/],
      [{ tokens: { ...tokens, tokens: 'abc' } }, /tokens must be a list, got "abc"/],
    ]);
  });

  test('the results of the pipeline have the form of transformers.js', async () => {
    const [first, second] = melodies(2, 4);
    const { text, chunks } = (await model.pipe(first, { timestamps: true })) as {
      text: string;
      chunks: { text: string; timestamp: number[] }[];
    };
    assert.equal(chunks.map((chunk) => chunk.text).join(' '), text);
    assert.deepEqual(await model.pipe([second]), [{ text: (await model.transcribe([second]))[0].text }]);
    await assert.rejects(model.pipe(first, { beams: 3 } as object), {
      code: 'value',
      message: /no option "beams"/,
    });
    await assert.rejects(model.pipe('a.wav'), { code: 'value', message: /A sound must be the bytes/ });
  });

  test('the report shows spectrograms and the worst transcripts', () => {
    const html = transcribeReport(result, { backend: 'reference', seconds: 1 });
    assert.match(html, /aria-label="Spectrogram of row \d+: &quot;/);
    assert.match(html, /Word error rate \d/);
    assert.match(html, /one step for \d frames, bidirectional lstm of 12 units/);
  });

  test('rejects streaming, requests without sounds, and invalid options', async () => {
    assert.throws(() => model.stream(RATE), {
      code: 'value',
      message: /needs the whole sound\. Train it with streaming/,
    });
    await assert.rejects(model.predict({}), { code: 'value', message: /pass rows or sounds/ });
    await assert.rejects(model.predict({ texts: ['a'] }), {
      code: 'value',
      message: /predicts from rows or sounds, got texts/,
    });
    await assert.rejects(model.predict({ sounds: melodies(1), options: { beam: 0 } }), {
      code: 'value',
      message: /beam must be at least 1, got 0/,
    });
  });
});

describe('a streaming transcriber', () => {
  let model: TranscribeModel;
  before(async () => {
    const options = { ...SMALL, streaming: true, units: 16, level: 'characters' as const };
    ({ model } = await trainTranscriber(melodyTable(melodies(80)), options));
  });

  test('chunks of any size give the transcript of the whole sound', async () => {
    const list = melodies(8, 5);
    const whole = await model.transcribe(list);
    assert.ok(whole.some(({ text }) => text !== ''));
    for (const [i, { samples }] of list.entries()) {
      for (const size of [37, 400, 100_000]) {
        const stream = model.stream(RATE);
        for (let at = 0; at < samples.length; at += size) await stream.push(samples.subarray(at, at + size));
        assert.equal(await stream.end(), whole[i].text, `sound ${i}, chunks of ${size}`);
      }
    }
  });

  test('the frames and outputs of chunks are exactly equal to those of the whole sound', async () => {
    const [{ samples }] = melodies(1, 7);
    const table = melodyTable(melodies(4));
    const { frontEnd } = prepareTranscriber(table, { ...COLUMNS, mels: 12, streaming: true });
    const { x } = frontEnd.batch([frontEnd.encode({ samples, sampleRate: RATE })], Uint32Array.of(0));
    const frames = x.dataSync();
    const whole = (await predictAll(model.network, x))[0].dataSync();
    const { reduction } = model.pipeline;
    for (const size of [1, 29, 160]) {
      const stream = frontEnd.stream(RATE);
      const found: number[] = [];
      for (let at = 0; at < samples.length; at += size)
        found.push(...stream.push(samples.subarray(at, at + size)));
      found.push(...stream.end());
      assert.deepEqual(Float32Array.from(found), Float32Array.from(frames));
    }
    for (const steps of [reduction, 3 * reduction]) {
      const stream = model.network.stream();
      const found: number[] = [];
      for (let t = 0; t < x.shape[1]; t += steps)
        found.push(...stream.push(slice(x, 1, t, Math.min(t + steps, x.shape[1]))).dataSync());
      assert.deepEqual(Float32Array.from(found), Float32Array.from(whole));
    }
  });

  test('writes only words of the training transcripts with the option knownWords', async () => {
    const noise = {
      samples: Float32Array.from({ length: 4000 }, (_, n) => Math.sin(n * n)),
      sampleRate: RATE,
    };
    const sounds = [...melodies(10, 6), noise];
    for (const { text } of await model.transcribe(sounds, { knownWords: true }))
      for (const word of text.split(' ')) assert.ok(['', 'low', 'mid', 'high'].includes(word), word);
  });
});

describe('an attention decoder', () => {
  let result: TranscribeResult;
  let model: TranscribeModel;
  before(async () => {
    const options = { ...SMALL, decoder: 'attention', units: 16, learningRate: 0.01, epochs: 20 } as const;
    result = await trainTranscriber(melodyTable(melodies(240)), options);
    ({ model } = result);
  });

  test('learns words and their times', async () => {
    const list = melodies(40, 2);
    const { metrics } = await model.evaluate({ rows: melodyTable(list) });
    assert.ok(metrics!.wer < 0.3, `WER ${metrics!.wer}`);
    const found = (await model.transcribe(list)).flatMap(({ text, words }, i) => {
      if (text !== list[i].text) return [];
      assert.deepEqual(
        words.map(({ word }) => word),
        text.split(' '),
      );
      return words.map(({ start, end }, k) => ({ start, end, from: list[i].starts[k] }));
    });
    assert.ok(found.length > 40);
    assert.ok(found.every(({ start, end }) => end > start));
    const overlapping = found.filter(({ start, end, from }) => start < from + 0.12 && end > from);
    assert.ok(overlapping.length > 0.8 * found.length, `${overlapping.length} of ${found.length}`);
  });

  test('gives the same transcripts of single sounds and of a batch, and after saving and loading', async () => {
    const list = melodies(6, 3);
    const transcripts = await model.transcribe(list);
    for (const [i, sound] of list.entries())
      assert.deepEqual(await model.transcribe([sound]), [transcripts[i]]);
    const loaded = taskModelFromFiles(await model.toFiles()) as TranscribeModel;
    assert.deepEqual(await loaded.transcribe(list), transcripts);
    const { rows } = await loaded.predict({ sounds: list, options: { beam: 1, timestamps: true } });
    assert.match(String(rows[0][2]), /^(low|mid|high) [\d.]+-[\d.]+(, |$)/);
    assert.deepEqual(loaded.describe(), model.describe());
    assert.ok(model.describe().some(({ name, value }) => name === 'decoder' && value === 'attention'));
  });

  test('is not loaded with a pipeline that contradicts its network', async () => {
    const { tokens } = model.pipeline;
    const more = { ...tokens, tokens: [...tokens.tokens, 'x'] };
    const lengths = /attention must be { maxLength: an integer from 1 to 10000 }, got/;
    await assertDamaged(model, model.pipeline, [
      [{ attention: { maxLength: 0 } }, lengths],
      [{ attention: { maxLength: 1e9 } }, lengths],
      [{ attention: null }, lengths],
      [{ attention: undefined }, /the network must have 1 input, got 2/],
      [{ streaming: true }, /streaming must be false for a decoder with attention, got true/],
      [{ tokens: more }, /must return \d+ values for \d+ tokens, got \d+/],
    ]);
  });

  test('the report names the decoder', () => {
    const html = transcribeReport(result, { backend: 'reference', seconds: 1 });
    assert.match(html, /lstm of 16 units, decoder of lstm of 32 units with attention, dropout 0/);
  });

  test('accepts transcripts with more tokens than CTC has steps', () => {
    const rows = tableOf(melodies(2), ['a', 'b'.repeat(300)]);
    const options = { ...COLUMNS, validation: melodyTable(melodies(2)) };
    assert.throws(() => prepareTranscriber(rows, options), { message: /the transcript needs at least/ });
    const plan = prepareTranscriber(rows, { ...options, decoder: 'attention' });
    assert.equal(plan.training.ids[1].length, 300);
  });

  test('rejects streaming and knownWords', async () => {
    assert.throws(
      () => prepareTranscriber(melodyTable(melodies(4)), { ...SMALL, decoder: 'attention', streaming: true }),
      { code: 'value', message: /decoder must be "ctc" for streaming: an attention decoder reads the whole/ },
    );
    assert.throws(() => model.stream(RATE), { code: 'value', message: /needs the whole sound/ });
    await assert.rejects(model.transcribe(melodies(1), { knownWords: true }), {
      code: 'value',
      message: /knownWords is an option for CTC, but/,
    });
  });
});

describe('prepareTranscriber', () => {
  const prepare = (texts: readonly string[], options: Partial<TranscribeOptions> = {}) =>
    prepareTranscriber(
      tableOf(
        texts.map((_, i) => melodies(1, i)[0]),
        texts,
      ),
      { ...COLUMNS, mels: 12, ...options },
    );

  test('chooses words for a small vocabulary, otherwise characters', () => {
    const few = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 'yes no' : 'no'));
    assert.deepEqual(prepare(few).tokens.config.tokens, ['no', 'yes']);
    const many = Array.from({ length: 50 }, (_, i) => `w${i}`);
    assert.equal(prepare(many).tokens.config.level, 'characters');
    assert.equal(prepare(few, { level: 'characters' }).tokens.config.level, 'characters');
    assert.deepEqual(prepare(['Ja  ja', 'ja Ja'], { lowercase: true }).tokens.config.words, ['ja']);
  });

  test('shortens sequences only as far as the transcripts allow', () => {
    assert.equal(prepare(['a', 'b', 'a b']).sizes.reduction, 4);
    assert.equal(
      prepare(['abcdefghijklmnopqrst', 'bcdefghijklmnopqrstu', 'cdefghijklmnopqrstuv']).sizes.reduction,
      1,
    );
  });

  test('errors name the row or the option', () => {
    const fails = (texts: string[], message: RegExp, options: Partial<TranscribeOptions> = {}): void => {
      assert.throws(() => prepare(texts, options), { message });
    };
    fails(['a', ' '], /row 2, column 2 \("text"\): the transcript is empty/);
    fails(
      ['a', 'b'.repeat(300), 'c', 'd'],
      /row 2, column 2 \("text"\): the transcript needs at least 599 steps, but/,
      {
        validation: melodyTable(melodies(2)),
      },
    );
    fails(['a'], /at least 2 rows are needed/);
    fails(['a', 'b'], /reduction must be at most 16/, { reduction: 20 });
    fails(['a', 'b'], /normalize must be "none" for streaming/, { streaming: true, normalize: 'level' });
    fails(['a', 'b'], /audio and text must be different/, { text: 'sound' });
    fails(['a', 'b'], /level must be "characters" or "words"/, { level: 'letters' as 'words' });
    const sounds = [melodies(1)[0], { source: 'x.wav', bytes: new Uint8Array(9) }] as Sound[];
    assert.throws(() => prepareTranscriber(tableOf(sounds, ['a', 'b']), COLUMNS), {
      message: /row 2, column 1 \("sound"\): x\.wav: a WAV file must start/,
    });
  });
});

for (const decoder of ['ctc', 'attention'] as const)
  test(`a run that is stopped and resumed ends with the same files (${decoder})`, () => testResumed(decoder));

async function testResumed(decoder: TranscribeOptions['decoder']): Promise<void> {
  const table = melodyTable(melodies(24));
  const options = { ...SMALL, decoder, epochs: 4, augment: true };
  const whole = await trainTranscriber(table, options);
  const stored = new Map<string, Uint8Array>();
  const store: RunStore = {
    read: async (name) => stored.get(name) ?? null,
    write: async (name, bytes) => void stored.set(name, bytes),
  };
  const controller = new AbortController();
  let epochs = 0;
  const stop = (event: { event: string }): void => {
    if (event.event === 'epoch' && ++epochs === 2) controller.abort(new Error('stop'));
  };
  await assert.rejects(
    trainTranscriber(table, { ...options, store, signal: controller.signal, onEvent: stop }),
    /stop/,
  );
  const resumed = await trainTranscriber(table, { ...options, store });
  assert.deepEqual(await resumed.model.toFiles(), await whole.model.toFiles());
}
