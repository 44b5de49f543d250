// Text classification: training, prediction and saving, the settings chosen from the data, pretrained vectors, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { readVectors } from '@unroll/data';
import type { Functional } from '@unroll/nn';
import {
  ClassifyModel,
  type ClassifyOptions,
  type ClassifyResult,
  classifyPlanEvent,
  classifyReport,
  type PreparedClassifier,
  prepareClassifier,
  prepareWithVectors,
  type RunEvent,
  type RunStore,
  taskModelFromFiles,
  trainClassifier,
} from '@unroll/tasks';
import { tableOf, textTable } from './texts.js';

const COLUMNS = { text: 'text', label: 'label' };
const SMALL = {
  ...COLUMNS,
  units: 8,
  embedding: 8,
  networks: 2,
  dropout: 0.1,
  epochs: 12,
  learningRate: 0.01,
};
const table = textTable([60, 60, 60]);
const encoderOf = ({ encoder }: PreparedClassifier) => {
  assert.ok(encoder.kind === 'text');
  return encoder;
};

describe('a trained classifier', () => {
  const events: RunEvent[] = [];
  let result: ClassifyResult;
  before(async () => {
    result = await trainClassifier(table, { ...SMALL, onEvent: (event) => void events.push(event) });
  });

  test('learns labels that follow from one word', async () => {
    const { metrics, rows } = await result.model.evaluate({ rows: textTable([30, 30, 30], 2) });
    assert.ok(metrics!.accuracy > 0.95, `accuracy ${metrics!.accuracy}`);
    assert.ok(metrics!.macro_f1 > 0.95);
    assert.deepEqual(rows[0].slice(1, 3), [metrics!.accuracy, metrics!.macro_f1]);
  });
  test('has the weights of the best epoch', async () => {
    const options = { ...SMALL, networks: 1, ngrams: false, epochs: 4, learningRate: 0.003 };
    const single = await trainClassifier(table, options);
    const [{ history, bestEpoch }] = single.trainings;
    const losses = history.map(({ validationLoss }) => validationLoss);
    assert.equal(losses[bestEpoch - 1], Math.min(...losses));
    assert.equal(single.scores.accuracy, history[bestEpoch - 1].validationMetrics.accuracy);
  });
  test('contains the parameters of all networks that are averaged', async () => {
    assert.equal(result.trainings.length, 2);
    const [one, two] = await Promise.all(
      [1, 2].map(async (networks) => {
        const options = { ...SMALL, networks, ngrams: false, epochs: 1 };
        return (await trainClassifier(table, options)).model.network.countParams();
      }),
    );
    assert.equal(two, 2 * one);
  });
  test('reports events as plain JSON, the result last', () => {
    assert.deepEqual(JSON.parse(JSON.stringify(events)), events);
    const names = events
      .filter(({ event }) => event !== 'step' && event !== 'epoch')
      .map(({ event }) => event);
    assert.deepEqual(names, [
      'backend',
      'plan',
      ...Array(3).fill('stage'),
      'scores',
      'table',
      'table',
      'result',
    ]);
    const { event, task, metrics, model } = events.at(-1) as Record<string, unknown>;
    assert.deepEqual([event, task], ['result', 'classify']);
    assert.deepEqual(metrics, { accuracy: result.scores.accuracy, macro_f1: result.scores.macroF1 });
    const parameters = result.model.network.countParams();
    assert.deepEqual(model, { cell: 'lstm', layers: 1, units: 8, parameters });
  });
  test('predicts texts in their order, with probabilities', async () => {
    const { columns, rows, notes } = await result.model.predict({
      texts: ['the film is good and it was a story', 'weird', 'a dull film'],
      options: { probabilities: true },
    });
    assert.deepEqual(columns, ['text', 'label', 'score', 'p(c0)', 'p(c1)', 'p(c2)']);
    assert.deepEqual(
      rows.map(([, label]) => label),
      ['c1', 'c2', 'c0'],
    );
    for (const [, , score, ...p] of rows as number[][]) {
      assert.ok(Math.abs(p.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
      assert.equal(score, Math.max(...p));
    }
    assert.deepEqual(notes, []);
  });
  test('gives the same probabilities after saving and loading', async () => {
    const files = await result.model.toFiles({ seed: 0 });
    const loaded = taskModelFromFiles(files);
    assert.ok(loaded instanceof ClassifyModel);
    const texts = ['a good film', 'a story about two people'];
    assert.deepEqual(await loaded.probabilities(texts), await result.model.probabilities(texts));
    assert.equal(loaded.describe().find(({ name }) => name === 'tokenizer')?.value, 'words');
  });
  test('returns a note on texts without known words, and rejects a table of only such texts', async () => {
    const { notes } = await result.model.predict({ texts: ['xyzzy plugh', 'good'] });
    assert.deepEqual(notes, [
      '1 of 2 texts contain no known word, so the model can only guess their labels.',
    ]);
    assert.match((await result.model.predict({ texts: ['xyzzy'] })).notes[0], /^1 of 1 texts contain/);
    await assert.rejects(result.model.predict({ rows: tableOf(['xyzzy'], ['c0']) }), {
      message:
        /^texts\.csv, line 2, column 1 \("text"\): neither this text nor any other contains a word of the training data\./,
    });
  });
  test('rejects empty texts and unknown labels, with their line', async () => {
    await assert.rejects(result.model.predict({ texts: [' '] }), { message: /^The text is empty\./ });
    await assert.rejects(result.model.predict({ texts: ['good', ' '] }), {
      message: /^Text 2 of 2 is empty\./,
    });
    await assert.rejects(result.model.predict({}), { message: /^Classification needs texts/ });
    await assert.rejects(result.model.evaluate({ rows: tableOf(['good', ' '], ['c0', 'c1']) }), {
      message: 'texts.csv, line 3, column 1 ("text"): the text is empty. Remove the row or write a text.',
    });
    await assert.rejects(result.model.evaluate({ rows: tableOf(['good', 'bad'], ['c0', 'c9']) }), {
      code: 'data',
      message:
        'texts.csv, line 3, column 2 ("label"): label "c9" does not occur in the training data. Known labels: c0, c1, c2.',
    });
  });
  test('has a report in which markup of the texts is escaped', () => {
    const { plan, probabilities, scores } = result;
    const classes = plan.validation.classes.map((ids) => ids.map((id) => (id + 1) % 3));
    const wrong = { ...plan.validation, classes };
    const marked = plan.validationTexts.map((text) => `<b>${text}`);
    const html = classifyReport(
      { ...result, plan: { ...plan, validation: wrong, validationTexts: marked }, probabilities, scores },
      { backend: 'native', seconds: 1 },
    );
    assert.match(html, /<h2>Most confident mistakes<\/h2>/);
    assert.match(html, /<h3>Confusion matrix<\/h3>/);
    assert.match(html, /&lt;b&gt;/);
    assert.doesNotMatch(html, /<b>(the|a|is)/);
  });
});

describe('prepareClassifier chooses', () => {
  test('a validation split in which each label has the same share as in the data; equal for equal seeds', () => {
    const plan = prepareClassifier(textTable([100, 50, 30]), COLUMNS);
    const counts = [0, 0, 0];
    for (const [id] of plan.validation.classes) counts[id]++;
    assert.deepEqual(counts, [10, 5, 3]);
    assert.equal(plan.training.inputs.length, 162);
    const again = prepareClassifier(textTable([100, 50, 30]), COLUMNS);
    assert.deepEqual(again.validationTexts, plan.validationTexts);
  });
  test('a vocabulary from the training texts only', () => {
    const validation = tableOf(['newword good', 'another bad'], ['c1', 'c0']);
    const plan = prepareClassifier(table, { ...COLUMNS, validation });
    assert.equal(encoderOf(plan).vocabulary.id('newword'), undefined);
    assert.equal(plan.coverage, 0.5);
    assert.equal(plan.validationSource, 'texts.csv');
  });
  test('weights for unbalanced labels', () => {
    assert.equal(prepareClassifier(textTable([40, 30, 20]), COLUMNS).classWeights, null);
    const { classWeights } = prepareClassifier(textTable([90, 30, 10]), COLUMNS);
    // N / (K N_k) with N = 117 and N_k = 81, 27, 9
    assert.deepEqual(classWeights, [0.4815, 1.4444, 4.3333]);
  });
  test('characters for Chinese texts, words for others, lower case on request', () => {
    const chinese = tableOf(['房间很好', '服务很差', '很好', '很差'], ['1', '0', '1', '0']);
    assert.equal(encoderOf(prepareClassifier(chinese, COLUMNS)).tokenizer.kind, 'characters');
    const mixed = tableOf(['Good, good', 'Bad', 'GOOD', 'bad'], ['1', '0', '1', '0']);
    const encoder = encoderOf(prepareClassifier(mixed, { ...COLUMNS, lowercase: true }));
    assert.equal(encoder.tokenizer.kind, 'words');
    assert.equal(encoder.isUnknown(encoder.encode('GOOD')), false);
  });
  test('the maximum length: texts are cut at the 99th percentile of the lengths', () => {
    const texts = Array.from({ length: 200 }, (_, i) => (i === 7 ? 'long '.repeat(300) : 'short text'));
    const labels = texts.map((_, i) => `c${i % 2}`);
    const validation = tableOf(['a', 'b'], ['c0', 'c1']);
    const plan = prepareClassifier(tableOf(texts, labels), { ...COLUMNS, validation });
    assert.deepEqual([encoderOf(plan).length, plan.cut, plan.training.inputs[7].length], [2, 1, 2]);
  });
});

describe('pretrained vectors', () => {
  const TEXTS = ['good film', 'bad film', 'good tale', 'bad tale'];
  const films = tableOf([...TEXTS, ...TEXTS], ['1', '0', '1', '0', '1', '0', '1', '0']);
  const file = 'good 1 0 0\nbad -1 0 0\nother 9 9 9\n';
  const vectors: ClassifyOptions['vectors'] = (vocabulary) =>
    readVectors([new TextEncoder().encode(file)], { vocabulary });

  test('determine the width and the initial embedding; other tokens get random vectors of similar norm', async () => {
    const options = { ...COLUMNS, vectors, units: 2, networks: 1, epochs: 1, learningRate: 1e-9 };
    const { model, plan } = await trainClassifier(films, options);
    assert.deepEqual(plan.vectors?.coverage.types, 0.5);
    assert.equal(plan.sizes.embedding, 3);
    const { lines } = classifyPlanEvent(plan);
    const line = lines.find(({ label }) => label === 'vectors');
    assert.equal(line?.text, 'width 3, for 50.0 % of the vocabulary and 50.0 % of the training tokens');
    const { parameters } = model.network as Functional;
    const table = await parameters.find(({ name }) => name.endsWith('/embeddings'))!.data();
    const rowOf = (token: string) => {
      const id = encoderOf(plan).vocabulary.id(token)!;
      return Array.from(table.subarray(3 * id, 3 * id + 3), (value) => Math.round(1e3 * value) / 1e3 + 0);
    };
    assert.deepEqual(
      [rowOf('good'), rowOf('bad')],
      [
        [1, 0, 0],
        [-1, 0, 0],
      ],
    );
    const norm = Math.hypot(...rowOf('film'), ...rowOf('tale'));
    assert.ok(norm > 0.1 && norm < 4, `${norm}`);
  });
  test('make a large vocabulary keep words that occur only once', () => {
    const words = Array.from({ length: 2400 }, (_, i) => `word${String.fromCharCode(97 + (i % 26))}${i}`);
    const table = tableOf(
      words.map((word) => `${word} film`),
      words.map((_, i) => `c${i % 2}`),
    );
    const sizes = [{}, { vectors }].map(
      (options) => encoderOf(prepareClassifier(table, { ...COLUMNS, ...options })).vocabulary.size,
    );
    assert.ok(sizes[0] < 100 && sizes[1] > 1800, `${sizes}`);
  });
  test('are rejected if their width differs from the option embedding, and if the inputs are sequences', async () => {
    await assert.rejects(prepareWithVectors(films, { ...COLUMNS, vectors, embedding: 4 }), {
      code: 'value',
      message: 'embedding must be 3, the width of the vectors, got 4.',
    });
    const options = { sequence: 'text', label: 'label', vectors };
    assert.throws(() => prepareClassifier(films, options), { message: /^vectors is an option for texts/ });
  });
});

test('a label may have one training row if validation rows are given', () => {
  const table = tableOf(['a', 'b', 'c'], ['x', 'y', 'x']);
  const options = { text: 'text', label: 'label', validation: tableOf(['a'], ['y']) };
  assert.deepEqual(prepareClassifier(table, options).labels, ['x', 'y']);
});

describe('prepareClassifier rejects', () => {
  const cases: Record<string, [(string | null)[], (string | null)[], RegExp]> = {
    'one label only': [
      ['a', 'b'],
      ['x', 'x'],
      /^texts\.csv: column "label" must have at least two labels, got only "x" in all 2 rows\./,
    ],
    'a label with one text': [
      ['a', 'b', 'c'],
      ['x', 'y', 'x'],
      /^texts\.csv, line 3, column 2 \("label"\): label "y" has only this row, but at least 2 are needed/,
    ],
    'an empty text': [
      ['a', null],
      ['x', 'y'],
      /^texts\.csv, line 3, column 1 \("text"\): the text is empty\./,
    ],
    'an empty label': [
      ['a', 'b'],
      ['', 'y'],
      /^texts\.csv, line 2, column 2 \("label"\): the label is empty\./,
    ],
  };
  for (const [name, [texts, labels, message]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(() => prepareClassifier(tableOf(texts, labels), COLUMNS), { code: 'data', message }),
    );
  }
  test('invalid options', () => {
    const prepare = (options: object) => () => prepareClassifier(table, { ...COLUMNS, ...options });
    assert.throws(prepare({ text: 'txt' }), {
      message: /^texts\.csv has no column "txt"\. Did you mean "text"\?/,
    });
    assert.throws(prepare({ label: 'text' }), {
      message: /^text and label must be different columns, got "text"/,
    });
    assert.throws(prepare({ learningRate: 0 }), { message: 'learningRate must be above 0, got 0.' });
    assert.throws(prepare({ unit: 3 }), {
      code: 'value',
      message: /there is no option "unit"\. Did you mean "units"\?$/,
    });
    assert.throws(prepare({ validation: tableOf(['a'], ['c7']) }), { message: /label "c7" does not occur/ });
  });
});

test('a run that is stopped and resumed ends with the same weights', async () => {
  const options: ClassifyOptions = { ...SMALL, epochs: 5 };
  const whole = await trainClassifier(table, options);
  const stored = new Map<string, Uint8Array>();
  const store: RunStore = {
    read: async (name) => stored.get(name) ?? null,
    write: async (name, bytes) => void stored.set(name, bytes),
  };
  for (const [training, stopAt] of [
    [1, 2],
    [1, 4],
    [2, 3],
    [3, 1],
  ]) {
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => {
      const due = event.event === 'step' && event.training === training && event.epoch === stopAt;
      if (due) controller.abort(new Error('stopped'));
    };
    const run = trainClassifier(table, { ...options, store, signal: controller.signal, onEvent });
    await assert.rejects(run, { message: 'stopped' });
    assert.equal(stored.size, training);
  }
  for (const _ of ['resumed', 'restored']) {
    const resumed = await trainClassifier(table, { ...options, store });
    assert.deepEqual(await resumed.model.toFiles(), await whole.model.toFiles());
    const losses = ({ trainings }: ClassifyResult) =>
      trainings.map(({ history }) => history.map(({ validationLoss }) => validationLoss));
    assert.deepEqual(losses(resumed), losses(whole));
  }
});
