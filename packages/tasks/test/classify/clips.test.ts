// Classification of clips: training, padding, saving, the pipeline, several labels, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Table } from '@unroll/data';
import {
  type ClassifyModel,
  type ClassifyOptions,
  type ClassifyResult,
  type Clip,
  classifyReport,
  prepareClassifier,
  taskModelFromFiles,
  trainClassifier,
} from '@unroll/tasks';
import { ClipEncoder, type EncodedClip, FrameEncoder } from '@unroll/tasks/internal';
import { boxes, boxTable, tableOf } from '../shared/boxes.js';

const COLUMNS = { frames: 'clip', label: 'direction' };
const SMALL = { ...COLUMNS, units: 8, epochs: 8, dropout: 0.1, learningRate: 0.005 };

describe('a classifier of clips', () => {
  let result: ClassifyResult;
  let model: ClassifyModel;
  before(async () => {
    result = await trainClassifier(boxTable(boxes(80)), SMALL);
    ({ model } = result);
  });

  test('learns the direction in which a box moves', async () => {
    const { metrics } = await model.evaluate({ rows: boxTable(boxes(40, 2)) });
    assert.ok(metrics!.accuracy > 0.95, `accuracy ${metrics!.accuracy}`);
  });

  test('predicts the same for a clip alone and in a batch, and after saving and loading', async () => {
    const clips = boxes(6, 3).map(({ frames }) => frames);
    const batch = (await model.pipe(clips, { topK: null })) as { score: number }[][];
    for (const [i, clip] of clips.entries()) {
      const [{ score }] = (await model.pipe(clip)) as { score: number }[];
      assert.ok(Math.abs(score - batch[i][0].score) < 1e-5);
    }
    const loaded = taskModelFromFiles(await model.toFiles());
    assert.deepEqual(await loaded.pipe!(clips), await model.pipe(clips));
    assert.equal(loaded.frames, 'clip');
    assert.deepEqual(loaded.describe().slice(-4), [
      { name: 'frame size', value: '12 × 16' },
      { name: 'channels', value: 1 },
      { name: 'optical difference', value: false },
      { name: 'frames per clip', value: 'all' },
    ]);
  });

  test('predicts the same for grey images, arrays and RGBA images; also predicts rows of a table', async () => {
    const [{ frames, direction }] = boxes(1, 4);
    const values = Uint8Array.from(frames.flatMap(({ data }) => [...data]));
    const images = frames.map(({ data, ...size }) => ({
      ...size,
      data: Uint8ClampedArray.from({ length: 4 * data.length }, (_, i) => (i % 4 === 3 ? 255 : data[i >> 2])),
    }));
    const same: Clip[] = [frames, { shape: [frames.length, 12, 16], values }, images];
    const { columns, rows } = await model.predict({ clips: same, rows: boxTable(boxes(1, 5)) });
    assert.deepEqual(columns, ['clip', 'label', 'score']);
    assert.deepEqual(
      rows.map(([name, label]) => [name, label]),
      [['clip 1', direction], ['clip 2', direction], ['clip 3', direction], ['row 1', 'left']], // biome-ignore format: one line
    );
    assert.ok(
      rows.slice(1, 3).every(([, , score]) => Math.abs((score as number) - (rows[0][2] as number)) < 1e-4),
    );
  });

  test('has a report with key frames', () => {
    const html = classifyReport(result, { backend: 'test', seconds: 1 });
    for (const part of [
      '<h2>Key frames</h2>',
      'src="data:image/bmp;base64,Qk',
      /<img width="80" height="60" alt="Frame 1 of \d: /,
      /row \d+: left, predicted (left|right) \(\d+\.\d %\)/,
      /learning rate 0\.005, falling to 0, up to 8 epochs/,
    ])
      assert.ok(html.search(part) >= 0, String(part));
  });

  test('returns an example for inspection', async () => {
    const { inputs, title } = await model.example({ rows: boxTable(boxes(2, 6)) }, 1);
    assert.deepEqual([inputs[0].shape, title], [[1, 6, 12, 16, 1], 'row 2']);
  });

  test('rejects inputs that are not clips', async () => {
    await assert.rejects(model.predict({ texts: ['left'] }), {
      message: /^This model classifies clips, got a text/,
    });
    await assert.rejects(model.predict({}), { message: /pass rows or clips \(--data or --frames\)/ });
    await assert.rejects(model.pipe([[1, 2]]), { message: /a clip must be a list of images/ });
  });
});

test('a classifier of clips learns several labels from differences of frames and a subset of the frames', async () => {
  const list = boxes(40);
  const labels = list.map(({ direction }, i) => `${direction};${i % 2 === 0 ? 'even' : 'odd'}`);
  const rows = tableOf(list.map(({ frames }) => frames), labels); // biome-ignore format: one line
  const options = { ...SMALL, multiLabel: ';', opticalDifference: true, framesPerClip: 4 };
  const { model, plan } = await trainClassifier(rows, options);
  assert.deepEqual(plan.labels, ['even', 'left', 'odd', 'right']);
  const { inputs } = await model.example({ rows });
  assert.deepEqual(inputs[0].shape, [1, 4, 12, 16, 2]);
  // Each label belongs to half of the clips: a model that predicts all labels for all clips would have a micro F1 of 0.67.
  const { metrics } = await model.evaluate({ rows });
  assert.ok(metrics!.micro_f1 > 0.8, `micro F1 ${metrics!.micro_f1}`);
});

test('batches of long clips are smaller', () => {
  const config = { frameSize: [64, 64], channels: 1, opticalDifference: false, framesPerClip: null } as const;
  const encoder = new ClipEncoder('clip', new FrameEncoder({ ...config, means: [0], deviations: [1] }));
  const clip = (length: number) => ({ length }) as EncodedClip;
  assert.equal(encoder.batchSize([clip(16), clip(5)]), 16);
  assert.equal(encoder.batchSize([clip(16), clip(256)]), 2);
});

describe('prepareClassifier rejects', () => {
  const list = boxes(12);
  const table = boxTable(list);
  const CASES: Record<string, [Table, Partial<ClassifyOptions>, RegExp]> = {
    'a cell without a clip': [tableOf(['none' as unknown as Clip], ['left']), {}, /boxes\.jsonl, row 1, column 1 \("clip"\): the cell must hold a clip, got "none"/],
    'frames of two sizes': [
      tableOf([[...list[0].frames, { width: 4, height: 4, data: new Uint8Array(16) }], ...list.map(({ frames }) => frames)], ['left', ...list.map(({ direction }) => direction)]),
      { seed: 1 },
      /boxes\.jsonl, row 1, column 1 \("clip"\): all frames of a clip must have the same size, but frame 1 has 12 × 16 pixels, frame 6 has 4 × 4 \(height × width\)\./,
    ],
    'an option of sounds': [table, { mels: 8 }, /^mels is an option for sounds, but the inputs are clips\./],
    'an option of texts': [table, { embedding: 8 }, /^embedding is an option for texts, but the inputs are clips\./],
    'a wrong size': [table, { frameSize: [2, 9] }, /^frameSize must be \[height, width\], two integers from 4 to 1024, got/],
  }; // biome-ignore format: a table
  for (const [name, [rows, options, message]] of Object.entries(CASES))
    test(name, () => assert.throws(() => prepareClassifier(rows, { ...COLUMNS, ...options }), { message }));
});
