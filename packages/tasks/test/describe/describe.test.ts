// The task describe, which writes one sentence per clip: training, alignments, padding, saving, the pipeline, resumed runs, errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  type DescribeModel,
  type DescribeResult,
  describeReport,
  describeScores,
  prepareDescriber,
  type RunEvent,
  type RunStore,
  taskModelFromFiles,
  trainDescriber,
} from '@unroll/tasks';
import { boxes, boxTable } from '../shared/boxes.js';
import { assertDamaged, damagedTargets } from '../shared/damaged.js';

const SMALL = {
  frames: 'clip',
  text: 'text',
  units: 64,
  embedding: 64,
  epochs: 10,
  dropout: 0.1,
  learningRate: 0.005,
};

describe('a model that describes clips', () => {
  let result: DescribeResult;
  let model: DescribeModel;
  before(async () => {
    result = await trainDescriber(boxTable(boxes(80)), SMALL);
    ({ model } = result);
  });

  test('writes the right sentences', async () => {
    const { metrics } = await model.evaluate({ rows: boxTable(boxes(30, 2)) });
    assert.ok(metrics!.exact_match > 0.9, `exact match ${metrics!.exact_match}`);
    assert.ok(metrics!.perplexity < 1.5);
  });

  test('gives the same descriptions of single clips and of a batch, and after saving and loading', async () => {
    const clips = boxes(5, 3).map(({ frames }) => frames);
    const batch = await model.pipe(clips);
    for (const [i, clip] of clips.entries()) {
      const [{ generatedText, score }] = await model.pipe(clip);
      assert.equal(generatedText, batch[i].generatedText);
      assert.ok(Math.abs(score - batch[i].score) < 1e-4);
    }
    const loaded = taskModelFromFiles(await model.toFiles());
    assert.deepEqual(await loaded.pipe!(clips), batch);
    assert.deepEqual([loaded.frames, loaded.format], ['clip', 'unroll-describe-1']);
  });

  test('is not loaded with a pipeline that contradicts its network', async () => {
    await assertDamaged(model, model.pipeline, damagedTargets(model.pipeline.target));
  });

  test('returns one attention weight per frame for each word', async () => {
    const [{ frames, text }] = boxes(1, 4);
    const [{ alignment }] = await model.pipe(frames, { alignments: true, beam: 2 });
    assert.deepEqual(alignment!.frames, [1, 2, 3, 4, 5]);
    assert.equal(alignment!.weights.length, alignment!.tokens.length);
    for (const weights of alignment!.weights) {
      assert.equal(weights.length, 5);
      assert.ok(Math.abs(weights.reduce((a, b) => a + b, 0) - 1) < 1e-4);
    }
    const { columns, rows } = await model.predict({
      clips: [frames],
      options: { alignments: true, scores: true },
    });
    assert.deepEqual(columns, ['clip', 'description', 'score', 'alignment']);
    assert.deepEqual(rows[0].slice(0, 2), ['clip', text]);
    assert.match(rows[0][3] as string, /^a=\d box=\d moves=\d left=\d$/);
  });

  test('reports frame numbers of the original clip if the network reads only some of its frames', async () => {
    const table = boxTable(boxes(8));
    const { model: twoFrames } = await trainDescriber(table, { ...SMALL, epochs: 1, framesPerClip: 2 });
    const [{ frames }] = boxes(1, 4);
    const long = Array.from({ length: 65 }, (_, t) => frames[t % 5]);
    // 8 frames are stored, the middle of each eighth of the clip; the network reads the third and the seventh of them.
    const [{ alignment }] = await twoFrames.pipe(long, { alignments: true });
    assert.deepEqual(alignment!.frames, [21, 53]);
  });

  test('has a report with frames and attention', () => {
    const html = describeReport(result, { backend: 'test', seconds: 1 });
    for (const part of [
      '<h2>Key frames and attention</h2>',
      'src="data:image/bmp;base64,Qk',
      'Attention weights of',
    ])
      assert.ok(html.includes(part), part);
  });

  test('rejects invalid inputs and options', async () => {
    await assert.rejects(model.predict({ texts: ['left'] }), {
      message: /predicts from rows or clips, got texts/,
    });
    await assert.rejects(model.predict({}), { message: /pass rows or clips \(--data or --frames\)/ });
    await assert.rejects(model.pipe('a'), { message: /a clip must be a list of images/ });
    await assert.rejects(model.pipe(boxes(1)[0].frames, { lengthPenalty: -1 }), {
      message: /lengthPenalty must be/,
    });
  });
});

test('the exact match ignores differences in white space, but not in case', () => {
  const scores = describeScores(['a  b', 'A b', 'c'], ['a b', 'a b', 'c '], { perplexity: 1, bleu: {} });
  assert.equal(scores.exactMatch, 2 / 3);
});

test('a run that is stopped and resumed ends with the same files', async () => {
  const table = boxTable(boxes(24));
  const options = { ...SMALL, epochs: 4 };
  const whole = await trainDescriber(table, options);
  const stored = new Map<string, Uint8Array>();
  const store: RunStore = {
    read: async (name) => stored.get(name) ?? null,
    write: async (name, bytes) => void stored.set(name, bytes),
  };
  const controller = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.event === 'step' && event.epoch === 3) controller.abort(new Error('stopped'));
  };
  const run = trainDescriber(table, { ...options, store, signal: controller.signal, onEvent });
  await assert.rejects(run, /stopped/);
  const resumed = await trainDescriber(table, { ...options, store });
  assert.deepEqual(await resumed.model.toFiles(), await whole.model.toFiles());
});

describe('prepareDescriber', () => {
  test('rejects wrong options and a single clip', () => {
    const table = boxTable(boxes(6));
    const prepare = (options: object) => () =>
      prepareDescriber(table, { frames: 'clip', text: 'text', ...options });
    assert.throws(prepare({ text: 'clip' }), { message: /must be different columns/ });
    assert.throws(prepare({ frameSize: [2, 2] }), { message: /^frameSize must be/ });
    assert.throws(prepare({ beam: 2 }), { message: /beam/ });
    assert.throws(prepare({ text: 'none' }), { message: /no column "none"/ });
    assert.throws(() => prepareDescriber(boxTable(boxes(1)), { frames: 'clip', text: 'text' }), {
      message: 'boxes.jsonl: at least 2 clips are needed, one for training and one for validation, got 1.',
    });
  });
});
