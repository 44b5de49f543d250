// The function that `pipeline('tag', model)` returns: entities with their positions, tokens with their tags, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type TagModel, type TagOptions, type TagSpan, trainTagger } from '@unroll/tasks';
import { retagged, sentences } from './sentences.js';

const SMALL = {
  ...{ units: 8, embedding: 8, networks: 1, dropout: 0.1, epochs: 8, batchSize: 8, learningRate: 0.02 },
} satisfies TagOptions;
const TEXT = 'then  house met Rosa Lima, in Porto';
const spanTexts = (spans: readonly TagSpan[]) =>
  spans.map(({ label, word, start, end }) => `${label} ${word} ${start}-${end}`);

describe('the pipeline of a tagger of entities', () => {
  let model: TagModel;
  before(async () => {
    ({ model } = await trainTagger(sentences(160), SMALL));
  });

  test('finds the entities of a text', async () => {
    const spans = (await model.pipe(TEXT)) as TagSpan[];
    assert.deepEqual(spanTexts(spans), ['PER Rosa Lima 16-25', 'LOC Porto 30-35']);
    for (const { word, start, end } of spans) assert.equal(TEXT.slice(start, end), word);
    const tokens = (await model.pipe(TEXT, { aggregation: 'none' })) as TagSpan[];
    const [rosa, lima] = tokens.filter(({ label }) => label.endsWith('PER'));
    assert.equal(spans[0].score, Math.min(rosa.score, lima.score));
  });
  test('tags the tokens of a text', async () => {
    const tokens = (await model.pipe(TEXT, { aggregation: 'none' })) as TagSpan[];
    assert.deepEqual(
      tokens.map(({ word, label }) => `${word}/${label}`),
      'then/O house/O met/O Rosa/B-PER Lima/I-PER ,/O in/O Porto/B-LOC'.split(' '),
    );
    assert.deepEqual(
      tokens.map(({ index }) => index),
      [...tokens.keys()],
    );
    const [{ tags, probabilities }] = await model.tag([tokens.map(({ word }) => word)]);
    assert.deepEqual(
      tokens.map(({ label }) => label),
      tags,
    );
    assert.deepEqual(
      tokens.map(({ score }) => score),
      probabilities,
    );
    const found = (await model.pipe(TEXT, { aggregation: 'none', ignoreLabels: ['O'] })) as TagSpan[];
    assert.deepEqual(
      found.map(({ index, word }) => [index, word]),
      [
        [3, 'Rosa'],
        [4, 'Lima'],
        [7, 'Porto'],
      ],
    );
  });
  test('tags each text of a list', async () => {
    const results = (await model.pipe(['met Ana', 'the house', 'in Rio'])) as TagSpan[][];
    assert.deepEqual(results.map(spanTexts), [['PER Ana 4-7'], [], ['LOC Rio 3-6']]);
    assert.deepEqual(await model.pipe([]), []);
  });
  test('gives the same entities as predict', async () => {
    const { json = [] } = await model.predict({ texts: [TEXT], options: { probabilities: true } });
    const spans = (await model.pipe(TEXT)) as TagSpan[];
    const rounded = spans.map(({ label: type, word: text, score, start, end }) => {
      return { start, end, text, type, score: Number(score.toPrecision(6)) };
    });
    assert.deepEqual(json[0].entities, rounded);
  });
  test('rejects invalid inputs and options', async () => {
    await assert.rejects(model.pipe(' '), {
      code: 'value',
      message: 'The text must be a non-blank string, got " ".',
    });
    await assert.rejects(model.pipe(['met Ana', 7]), {
      message: 'The text at index 1 must be a non-blank string, got 7.',
    });
    await assert.rejects(model.pipe(TEXT, { aggregation: 'simple' } as object), {
      message: 'pipeline: aggregation must be "spans" or "none", got "simple".',
    });
  });
});

test('the pipeline of a tagger without entities tags tokens', async () => {
  const data = retagged(sentences(80), (tag) => (tag === 'O' ? 'WORD' : 'NAME'));
  const { model } = await trainTagger(data, { ...SMALL, scheme: 'none', epochs: 4 });
  const tokens = (await model.pipe('then met Ana')) as TagSpan[];
  assert.deepEqual(spanTexts(tokens), ['WORD then 0-4', 'WORD met 5-8', 'NAME Ana 9-12']);
  await assert.rejects(model.pipe('met Ana', { aggregation: 'spans' }), {
    code: 'value',
    message:
      'pipeline: aggregation must be "none", got "spans": the tags of this model do not mark entities.',
  });
});
