// The function that `pipeline('translate', model)` returns: translations, alignments, lengths, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type TranslateModel, trainTranslator } from '@unroll/tasks';
import { phraseTable } from './phrases.js';

const SMALL = { units: 24, embedding: 24, dropout: 0.05, epochs: 8, learningRate: 0.015 };
const TEXT = 'Schlafen zwei rote Hunde?';

describe('the pipeline of a translator', () => {
  let model: TranslateModel;
  before(async () => {
    const table = phraseTable(300);
    ({ model } = await trainTranslator({ table }, { source: 'de', target: 'en', level: 'words', ...SMALL }));
  });

  test('translates a text and a list of texts', async () => {
    const [one, ...others] = await model.pipe(TEXT);
    assert.deepEqual([one.translationText, others.length], ['Two red dogs sleep.', 0]);
    const results = await model.pipe([TEXT, 'Warten drei alte Katzen?']);
    assert.deepEqual(
      results.map(({ translationText }) => translationText),
      ['Two red dogs sleep.', 'Three old cats wait.'],
    );
    assert.deepEqual(Object.keys(one), ['translationText', 'score']);
    assert.deepEqual(await model.pipe([]), []);
  });
  test('passes the options on to translate', async () => {
    for (const options of [{ beam: 1 }, { beam: 3, lengthPenalty: 0 }]) {
      const [{ text, score }] = await model.translate([TEXT], options);
      assert.deepEqual(await model.pipe(TEXT, options), [{ translationText: text, score }]);
    }
    const [{ translationText }] = await model.pipe(TEXT, { maxLength: 2 });
    assert.equal(translationText, 'Two red');
  });
  test('returns the attention weights', async () => {
    const [{ alignment }] = await model.pipe(TEXT, { alignments: true });
    const { sourceTokens, tokens, weights } = alignment!;
    assert.equal(sourceTokens.length, 5);
    assert.deepEqual(
      weights.map((row) => row.length),
      tokens.map(() => 5),
    );
    for (const row of weights) assert.ok(Math.abs(row.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-5);
  });
  test('rejects invalid inputs and options', async () => {
    await assert.rejects(model.pipe(''), { code: 'value', message: /^The text must be a non-blank string/ });
    await assert.rejects(model.pipe(TEXT, { beam: 0 }), {
      message: /beam must be a positive integer, got 0/,
    });
    await assert.rejects(model.pipe(TEXT, { maxLength: 1.5 }), { message: /maxLength must be a positive/ });
    await assert.rejects(model.pipe(TEXT, { lengthPenalty: -1 }), {
      message: 'pipeline: lengthPenalty must be a finite, non-negative number, got -1.',
    });
  });
});
