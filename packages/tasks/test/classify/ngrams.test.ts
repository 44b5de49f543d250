// The n-gram model of texts: which n-grams a text has, the weights of naive Bayes, and what it adds to the networks.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeUtf8 } from '@unroll/core/internal';
import {
  ClassifyModel,
  type ClassifyPipeline,
  prepareClassifier,
  taskModelFromFiles,
  trainClassifier,
} from '@unroll/tasks';
import { naiveBayes, ngramBatch, ngramsOf } from '@unroll/tasks/internal';
import { assertDamaged } from '../shared/damaged.js';
import { tableOf, textTable } from './texts.js';

const COLUMNS = { text: 'text', label: 'label' };
const WORDS = { tokens: 2, characters: null, buckets: 2 ** 16 };

describe('n-grams', () => {
  test('of tokens: each once, the same in every text', () => {
    const rows = ngramsOf(['a', 'good', 'a', 'good', 'film'], WORDS);
    // a, good, film, "a good", "good a", "good film"
    assert.equal(rows.length, 6);
    assert.ok(rows.every((row) => Number.isInteger(row) && row >= 1 && row < WORDS.buckets));
    const [word] = ngramsOf(['film'], WORDS);
    assert.ok(rows.includes(word));
    assert.ok(!ngramsOf(['a', 'good', 'fil', 'm'], WORDS).includes(word));
  });
  test('of the characters of each word, with the spaces around it', () => {
    const characters = { tokens: 1, characters: [2, 3] as const, buckets: 2 ** 16 };
    // " cat": " c", " ca", "ca", "cat", "at", "at ", "t " and the word itself
    const rows = new Set(ngramsOf(['cat'], characters));
    assert.equal(rows.size, 8);
    const shared = [...ngramsOf(['cart'], characters)].filter((row) => rows.has(row));
    assert.equal(shared.length, 4); // " c", " ca", "ca" and "t "
  });
  test('of a text without tokens: one', () => assert.equal(ngramsOf([], WORDS).length, 1));
  test('are padded with 0', async () => {
    const batch = ngramBatch([['a'], ['a', 'b']], WORDS);
    assert.deepEqual(batch.shape, [2, 3]);
    const values = await batch.data();
    assert.deepEqual([...values.slice(1, 3)], [0, 0]);
    assert.equal(values[0], values[3]);
  });
});

describe('the weights of naive Bayes', () => {
  const tokens = [['good'], ['good'], ['bad'], ['film']];
  const rowOf = (word: string) => ngramsOf([word], { ...WORDS, tokens: 1 })[0];
  const config = { tokens: 1, characters: null, buckets: 8 };

  test('are multiples of the logarithms of relative frequencies, plus those of the labels', () => {
    const options = { labels: 2, several: false, balanced: false };
    const classes = [0, 0, 1, 1].map((k) => Int32Array.of(k));
    const large = { ...config, buckets: WORDS.buckets };
    const weights = naiveBayes({ tokens, classes }, { tokens, classes }, large, options);
    const at = (word: string): number[] => [...weights.slice(2 * rowOf(word), 2 * rowOf(word) + 2)];
    const offset = Math.log(3 / 6); // (2 + 1) / (4 + 2) for both labels
    // "good" occurs twice with label 0 and never with 1; both labels have two texts of one word.
    const half = 0.5 * Math.log(3);
    const scale = (at('good')[0] - offset) / half;
    assert.ok(scale > 1, `${scale}`);
    for (const [word, ratio] of [
      ['good', half],
      ['bad', -0.5 * Math.log(2)],
      ['unseen', 0],
    ] as const) {
      assert.ok(Math.abs(at(word)[0] - (offset + scale * ratio)) < 1e-5, word);
      assert.ok(Math.abs(at(word)[1] - (offset - scale * ratio)) < 1e-5, word);
    }
  });
  test('of several labels compare with the texts without the label', () => {
    const options = { labels: 2, several: true, balanced: false };
    const classes = [[0], [0, 1], [], []].map((ids) => Int32Array.from(ids));
    const large = { ...config, buckets: WORDS.buckets };
    const weights = naiveBayes({ tokens, classes }, { tokens, classes }, large, options);
    const at = (word: string): number[] => [...weights.slice(2 * rowOf(word), 2 * rowOf(word) + 2)];
    assert.ok(at('good')[0] > at('unseen')[0] && at('unseen')[0] > at('bad')[0]);
    assert.ok(Math.abs(at('unseen')[1] - Math.log(2 / 4)) < 1e-6); // (1 + 1) / (4 - 1 + 1)
  });
});

describe('a classifier with n-grams', () => {
  const small = { ...COLUMNS, units: 4, embedding: 4, networks: 1, epochs: 4, learningRate: 0.01 };
  const table = textTable([60, 60, 60]);

  test('knows an unknown word by its characters, and is saved with them', async () => {
    const { model } = await trainClassifier(table, small);
    const texts = ['the film is strangely weirder', 'a goodish story'];
    const { rows } = await model.predict({ texts });
    assert.deepEqual(
      rows.map(([, label]) => label),
      ['c2', 'c1'],
    );
    const loaded = taskModelFromFiles(await model.toFiles());
    assert.ok(loaded instanceof ClassifyModel);
    assert.deepEqual(await loaded.probabilities(texts), await model.probabilities(texts));
    assert.match(
      String(model.describe().find(({ name }) => name === 'ngrams')?.value),
      /^n-grams of 1 to 2 /,
    );
    const files = await model.toFiles();
    const { ngrams, ...others } = model.pipeline as ClassifyPipeline & { ngrams: object };
    for (const change of [
      { tokens: 0 },
      { characters: [2, 1e9] },
      { characters: 5 },
      { weight: 2 },
      { buckets: 8 },
    ]) {
      const damaged = { ...others, ngrams: { ...ngrams, ...change } };
      const changed = new Map([...files, ['pipeline.json', encodeUtf8(JSON.stringify(damaged))]]);
      assert.throws(() => taskModelFromFiles(changed), { code: 'format', message: /impossible n-grams/ });
    }
    await assertDamaged(model, model.pipeline, [
      [{ labels: model.pipeline.labels.slice(1) }, /must return \d+ values for \d+ labels, got \d+/],
      [{ ngrams: undefined }, /the network must have 1 input, got 2/],
    ]);
    // Views of the network show its steps, which n-grams do not have.
    const { network, inputs } = await model.example({ texts });
    assert.equal(inputs.length, 1);
    assert.equal(network.outputShapes([[1, 3]]).length, 1);
  });
  test('learns several labels per text', async () => {
    const cells = Array.from({ length: 40 }, (_, i) => ['', 'x', 'y', 'x;y'][i % 4]);
    const words = cells.map(
      (cell) => `some ${cell.includes('x') ? 'red' : ''} text ${cell.includes('y') ? 'big' : ''}`,
    );
    const { model } = await trainClassifier(tableOf(words, cells), { ...small, multiLabel: ';' });
    const { rows } = await model.predict({ texts: ['some red text', 'text big', 'some red text big'] });
    assert.deepEqual(
      rows.map(([, labels]) => String(labels).split(';').sort().join(';')),
      ['x', 'y', 'x;y'],
    );
  });
  test('has fewer rows for fewer texts and more labels, and none on request', () => {
    const bucketsOf = (plan: ReturnType<typeof prepareClassifier>): number | undefined =>
      plan.encoder.kind === 'text' ? plan.encoder.ngrams?.buckets : undefined;
    const buckets = bucketsOf(prepareClassifier(table, COLUMNS));
    assert.ok(buckets !== undefined && buckets > 2 ** 14 && buckets < 2 ** 17, `${buckets}`);
    assert.equal(bucketsOf(prepareClassifier(table, { ...COLUMNS, ngrams: false })), undefined);
    const chinese = tableOf(['房间很好', '服务很差', '很好', '很差'], ['1', '0', '1', '0']);
    const { encoder } = prepareClassifier(chinese, COLUMNS);
    assert.ok(encoder.kind === 'text');
    assert.deepEqual([encoder.ngrams?.tokens, encoder.ngrams?.characters], [3, null]);
    assert.throws(() => prepareClassifier(table, { sequence: 'text', label: 'label', ngrams: false }), {
      message: /^ngrams is an option for texts/,
    });
  });
});
