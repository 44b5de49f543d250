/** `pipeline`: loading from every source, results in the form of transformers.js, and errors. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { toZip } from 'unrolljs';
import { type ClassifyModel, makeTable, trainClassifier } from 'unrolljs/classify';
import { forecast } from 'unrolljs/forecast';
import { trainLanguageModel } from 'unrolljs/generate';
import { type ArtifactFiles, type PipelineTask, pipeline } from 'unrolljs/pipeline';

const folder = mkdtempSync(join(tmpdir(), 'unroll-pipeline-'));
after(() => rmSync(folder, { recursive: true }));

let model: ClassifyModel;
let files: ArtifactFiles;
before(async () => {
  const texts = Array.from({ length: 60 }, (_, i) => `take ${i % 7} ${['bad', 'good', 'odd'][i % 3]} film`);
  const labels = texts.map((_, i) => ['no', 'yes', 'maybe'][i % 3]);
  const table = makeTable({ source: 'films', names: ['text', 'label'], cells: [texts, labels] });
  const sizes = { units: 4, embedding: 8, networks: 2, epochs: 12, learningRate: 0.02, dropout: 0 };
  ({ model } = await trainClassifier(table, { text: 'text', label: 'label', ...sizes }));
  files = await model.toFiles();
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  writeFileSync(join(folder, 'model.zip'), await toZip(files));
});

describe('pipeline of a classifier', () => {
  test('returns the best label of a text, with its probability', async () => {
    const classify = await pipeline('classify', files);
    const [{ label, score }, ...others] = await classify('a good film');
    const [p] = await model.probabilities(['a good film']);
    assert.deepEqual([label, score, others.length], ['yes', Math.max(...p), 0]);
    assert.deepEqual([classify.task, classify.model.format], ['classify', 'unroll-classify-1']);
  });
  test('returns the topK best labels, the best one first', async () => {
    const classify = await pipeline('classify', files);
    for (const [topK, count] of [
      [2, 2],
      [null, 3],
      [9, 3],
    ]) {
      const found = await classify('a good film', { topK });
      assert.equal(found.length, count);
      assert.deepEqual(
        found.map(({ score }) => score),
        found.map(({ score }) => score).sort((a, b) => b - a),
      );
    }
  });
  test('returns one result for each text of a list', async () => {
    const classify = await pipeline('classify', files);
    const texts = ['a bad film', 'an odd film'];
    const expected = [...(await classify(texts[0])), ...(await classify(texts[1]))];
    const close = (found: readonly { label: string; score: number }[]) =>
      found.map(({ label, score }, i) => [label, Math.abs(score - expected[i].score) < 1e-6]);
    assert.deepEqual(close((await classify(texts)) as { label: string; score: number }[]), [
      ['no', true],
      ['maybe', true],
    ]);
    const best = (await classify(texts, { topK: 2 })) as { label: string }[][];
    assert.deepEqual(
      best.map(([{ label }, ...others]) => [label, others.length]),
      [
        ['no', 1],
        ['maybe', 1],
      ],
    );
    assert.deepEqual(await classify([]), []);
  });
  test('is loaded from a folder, a zip file and the bytes of one', async () => {
    const expected = await (await pipeline('classify', files))('good');
    for (const source of [folder, join(folder, 'model.zip'), await toZip(files)])
      assert.deepEqual(await (await pipeline('classify', source))('good'), expected);
  });
  test('rejects an empty text, a value that is not a text, and wrong options', async () => {
    const classify = await pipeline('classify', files);
    await assert.rejects(classify(''), {
      code: 'value',
      message: /^The text must be a non-blank string, got ""/,
    });
    await assert.rejects(classify(['good', 3 as unknown as string]), {
      message: /^The text at index 1 must be a non-blank string, got 3/,
    });
    await assert.rejects(classify('good', { topK: 0 }), { code: 'value', message: /topK/ });
    await assert.rejects(classify('good', { topk: 2 } as object), {
      message: /there is no option "topk"\. Did you mean "topK"\?$/,
    });
  });
});

describe('pipeline of other tasks', () => {
  test('generates a text, also as a stream', async () => {
    const sizes = { units: 4, embedding: 4, epochs: 1, streams: 4, steps: 8 };
    const { model: language } = await trainLanguageModel('the cat sees the lake.\n'.repeat(20), sizes);
    const generate = await pipeline('generate', await language.toFiles());
    const [{ generatedText }] = await generate('the', { length: 9, seed: 2 });
    let text = 'the';
    for await (const piece of generate.stream('the', { length: 9, seed: 2 })) text += piece;
    assert.equal(text, generatedText);
    assert.equal(text.length, 12);
  });
  test('has a stream only if the task generates text', async () => {
    assert.ok(!('stream' in (await pipeline('classify', files))));
  });
});

describe('pipeline refuses', () => {
  test('an unknown task', () =>
    assert.rejects(pipeline('clasify' as PipelineTask, files), {
      code: 'value',
      message: 'pipeline: there is no task "clasify". Did you mean "classify"?',
    }));
  test('a model of another task', async () => {
    const cells = [
      Array.from({ length: 40 }, (_, i) => `2024-01-${String(1 + (i % 31)).padStart(2, '0')}`).slice(0, 31),
      Array.from({ length: 31 }, (_, i) => i % 7),
    ];
    const table = makeTable({ source: 'sold', names: ['day', 'sold'], cells });
    const options = { target: 'sold', horizon: 2, epochs: 1, units: 2, windows: 1 };
    const { model: other } = await forecast(table, options);
    await assert.rejects(pipeline('classify', await other.toFiles()), {
      message: 'The model must be of the task "classify", got a model of the task "forecast".',
    });
  });
  test('a missing model and a damaged one', async () => {
    await assert.rejects(pipeline('classify', new Map()), { code: 'format' });
    await assert.rejects(pipeline('classify', join(folder, 'none')), {
      code: 'format',
      message: /^There is no artifact at /,
    });
    const weights = files.get('model.safetensors')!.slice();
    weights[weights.length - 1] ^= 1;
    await assert.rejects(pipeline('classify', new Map([...files, ['model.safetensors', weights]])), {
      code: 'format',
    });
  });
});
