// The n-gram model of texts: which n-grams a text has, the weights of naive Bayes, and the weight of the n-gram model when its
// probabilities are averaged with those of the networks.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeUtf8 } from '@unroll/core/internal';
import { addLayer, type Functional, model as functional } from '@unroll/nn';
import {
  ClassifyModel,
  type ClassifyPipeline,
  prepareClassifier,
  taskModelFromFiles,
  trainClassifier,
} from '@unroll/tasks';
import {
  bestWeight,
  naiveBayes,
  ngramBatch,
  ngramBatchSize,
  ngramParts,
  ngramsOf,
} from '@unroll/tasks/internal';
import { assertDamaged } from '../shared/damaged.js';
import { tableOf, textTable } from './texts.js';

const COLUMNS = { text: 'text', label: 'label' };
const WORDS = { tokens: 2, characters: null, buckets: 2 ** 16 };

describe('n-grams', () => {
  test('of tokens: each is counted once, and has the same row of the weight table in every text', () => {
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
  test('of a text without tokens: a single row', () => assert.equal(ngramsOf([], WORDS).length, 1));
  test('are padded with 0', async () => {
    const batch = ngramBatch([['a'], ['a', 'b']], WORDS);
    assert.deepEqual(batch.shape, [2, 3]);
    const values = await batch.data();
    assert.deepEqual([...values.slice(1, 3)], [0, 0]);
    assert.equal(values[0], values[3]);
  });
});

describe('batches of n-grams', () => {
  const config = { tokens: 2, characters: [2, 5] as const, buckets: 2 ** 13 };
  const textOf = (length: number, seed = 0) =>
    Array.from({ length }, (_, i) => `word${(7919 * (i + seed)) % 1000}`);
  const LIMIT = 2 ** 24;

  test('of many labels and long texts are split: the tensor [texts, n-grams, labels] has at most 2^24 values', () => {
    const texts = Array.from({ length: 128 }, (_, i) => textOf(i < 64 ? 40 : 400, i));
    const rows = Uint32Array.from(texts.keys());
    const parts = ngramParts(rows, (row) => texts[row], config, 500);
    assert.deepEqual(
      parts.flatMap((part) => [...part]),
      [...rows],
    );
    for (const part of parts) {
      const [size, width] = ngramBatch(
        Array.from(part, (row) => texts[row]),
        config,
      ).shape;
      assert.ok(size * width * 500 <= LIMIT, `${size} texts, ${width} n-grams`);
    }
    // Short texts share larger batches.
    assert.ok(parts[0].length > 16 && parts.length < 64, `${parts.length} batches, ${parts[0].length} texts`);
    const size = ngramBatchSize(texts, config, 500);
    assert.ok(size >= 4 && size * ngramsOf(texts[127], config).length * 500 <= LIMIT, `${size}`);
  });
  test('of few labels and short texts are not split', () => {
    const texts = Array.from({ length: 128 }, () => textOf(20));
    const rows = Uint32Array.from(texts.keys());
    assert.deepEqual(
      ngramParts(rows, (row) => texts[row], config, 2),
      [rows],
    );
    assert.ok(ngramBatchSize(texts, config, 2) > 128);
  });
});

describe('the weight of the n-gram model', () => {
  const classes = Array.from({ length: 60 }, (_, i) => Int32Array.of(i < 50 ? 0 : 1));
  // The networks are right about class 0, the n-gram model about class 1.
  const parts = classes.map(([k]): [Float64Array, Float64Array] =>
    k === 0
      ? [Float64Array.of(0.9, 0.1), Float64Array.of(0.4, 0.6)]
      : [Float64Array.of(0.6, 0.4), Float64Array.of(0.1, 0.9)],
  );
  test('is the weight with the lowest loss, which takes class weights into account', () => {
    assert.equal(bestWeight(parts, classes, { isMultiLabel: false, classWeights: null }), 0.1);
    assert.equal(bestWeight(parts, classes, { isMultiLabel: false, classWeights: [0.6, 10] }), 0.9);
  });
  test('is 0.5 if there are fewer than 50 inputs', () => {
    const few = [parts.slice(0, 49), classes.slice(0, 49)] as const;
    assert.equal(bestWeight(...few, { isMultiLabel: false, classWeights: null }), 0.5);
  });
});

describe('the weights of naive Bayes', () => {
  const tokens = [['good'], ['good'], ['bad'], ['film']];
  const rowOf = (word: string) => ngramsOf([word], { ...WORDS, tokens: 1 })[0];
  const config = { tokens: 1, characters: null, buckets: 8 };

  test('are scaled logarithms of frequencies relative to their geometric mean over the labels, plus the log prior', () => {
    const options = { labels: 2, isMultiLabel: false, classWeights: null };
    const classes = [0, 0, 1, 1].map((k) => Int32Array.of(k));
    const large = { ...config, buckets: WORDS.buckets };
    const weights = naiveBayes({ tokens, classes }, { tokens, classes }, large, options);
    const weightsOf = (word: string): number[] => [...weights.slice(2 * rowOf(word), 2 * rowOf(word) + 2)];
    const offset = Math.log(3 / 6); // (2 + 1) / (4 + 2) for both labels
    // Both labels have two texts of one word. "good" occurs twice with label 0 and never with label 1, so its smoothed
    // counts are 3 and 1, and their geometric mean is sqrt(3).
    const logRatioOfGood = 0.5 * Math.log(3);
    const scale = (weightsOf('good')[0] - offset) / logRatioOfGood;
    assert.ok(scale > 1, `${scale}`);
    for (const [word, logRatio] of [
      ['good', logRatioOfGood],
      ['bad', -0.5 * Math.log(2)],
      ['unseen', 0],
    ] as const) {
      assert.ok(Math.abs(weightsOf(word)[0] - (offset + scale * logRatio)) < 1e-5, word);
      assert.ok(Math.abs(weightsOf(word)[1] - (offset - scale * logRatio)) < 1e-5, word);
    }
  });
  test('are multiplied by the factor with the lowest loss, which takes class weights into account', () => {
    const large = { ...config, buckets: WORDS.buckets };
    const training = { tokens, classes: [0, 0, 1, 1].map((k) => Int32Array.of(k)) };
    // "good" suggests label 0: a large factor lowers the loss of the first text and raises the loss of the second one.
    const validation = { tokens: [['good'], ['good']], classes: [Int32Array.of(0), Int32Array.of(1)] };
    const weightWith = (classWeights: number[]): number =>
      naiveBayes(training, validation, large, { labels: 2, isMultiLabel: false, classWeights })[
        2 * rowOf('good')
      ];
    const factor = weightWith([10, 0.001]) / weightWith([0.001, 10]);
    assert.ok(factor > 4, `${factor}`);
  });
  test('with several labels per text, are relative to the texts without the label', () => {
    const options = { labels: 2, isMultiLabel: true, classWeights: null };
    const classes = [[0], [0, 1], [], []].map((ids) => Int32Array.from(ids));
    const large = { ...config, buckets: WORDS.buckets };
    const weights = naiveBayes({ tokens, classes }, { tokens, classes }, large, options);
    const weightsOf = (word: string): number[] => [...weights.slice(2 * rowOf(word), 2 * rowOf(word) + 2)];
    assert.ok(weightsOf('good')[0] > weightsOf('unseen')[0] && weightsOf('unseen')[0] > weightsOf('bad')[0]);
    assert.ok(Math.abs(weightsOf('unseen')[1] - Math.log(2 / 4)) < 1e-6); // (1 + 1) / (4 - 1 + 1)
  });
});

describe('a classifier with n-grams', () => {
  const small = { ...COLUMNS, units: 4, embedding: 4, networks: 1, epochs: 4, learningRate: 0.01 };
  const table = textTable([60, 60, 60]);

  test('recognises an unknown word by its characters, is saved and loaded, and rejects damaged files', async () => {
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
      { characters: [] },
      { characters: [2, 3, 4] },
      { characters: [3, 2] },
      { characters: [2.5, 3] },
      { weight: 2 },
      { buckets: 8 },
    ]) {
      const damaged = { ...others, ngrams: { ...ngrams, ...change } };
      const changed = new Map([...files, ['pipeline.json', encodeUtf8(JSON.stringify(damaged))]]);
      assert.throws(() => taskModelFromFiles(changed), {
        code: 'format',
        message: /invalid settings of the n-grams|no table or output for the n-grams/,
      });
    }
    await assertDamaged(model, model.pipeline, [
      [{ labels: model.pipeline.labels.slice(1) }, /must return \d+ values for \d+ labels, got \d+/],
      [{ ngrams: undefined }, /the network must have 1 input, got 2/],
    ]);
    const changedTo = (pipeline: object) =>
      new Map([...files, ['pipeline.json', encodeUtf8(JSON.stringify(pipeline))]]);
    for (const length of [0, 2.5, '5', null]) {
      const damaged = changedTo({ ...model.pipeline, length });
      assert.throws(() => taskModelFromFiles(damaged), { code: 'format', message: /length must be/ });
    }
    const { inputs: both, outputs } = model.network as Functional;
    const joined = functional({ inputs: both, outputs: addLayer().apply([...outputs]) });
    joined.build([
      [-1, -1],
      [-1, -1],
    ]);
    const oneOutput = await new ClassifyModel(model.pipeline, joined).toFiles();
    assert.throws(() => taskModelFromFiles(oneOutput), { code: 'format', message: /no table or output/ });
    // Inspection shows the steps of the network. N-grams have no steps, so they are not an input of the example.
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
  test('is not loaded if only the pipeline has n-grams', async () => {
    const options = { ...small, epochs: 1 };
    const { model } = await trainClassifier(textTable([6, 6, 6]), { ...options, ngrams: false });
    const ngrams = { tokens: 2, characters: null, buckets: 8, weight: 0.5 };
    const files = new Map([
      ...(await model.toFiles()),
      ['pipeline.json', encodeUtf8(JSON.stringify({ ...model.pipeline, ngrams }))],
    ]);
    assert.throws(() => taskModelFromFiles(files), {
      code: 'format',
      message: /the network must have 2 inputs, got 1/,
    });
  });
  test('cannot be requested for too many labels or tokens; by default, n-grams are then left out', () => {
    const hasNGrams = (data: Parameters<typeof prepareClassifier>[0], ngrams?: boolean): boolean => {
      const { encoder } = prepareClassifier(data, { ...COLUMNS, ...(ngrams !== undefined && { ngrams }) });
      return encoder.kind === 'text' && encoder.ngrams !== null;
    };
    const labels = Array.from({ length: 1002 }, (_, i) => `c${i % 501}`);
    const many = tableOf(
      labels.map((label) => `text ${label}`),
      labels,
    );
    assert.equal(hasNGrams(many), false);
    assert.throws(() => hasNGrams(many, true), {
      code: 'value',
      message: 'ngrams must be false or left out with more than 500 labels, got true with 501 labels.',
    });
    const long = '1 '.repeat(1_100_000);
    const large = tableOf([long, long, long, long], ['a', 'b', 'a', 'b']);
    assert.throws(() => hasNGrams(large, true), {
      code: 'value',
      message:
        'ngrams must be false or left out with 2000000 training tokens or more, got true with 2200000 tokens.',
    });
  });
  test('has a table whose size depends on the number of tokens; has no n-grams if ngrams is false', () => {
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
