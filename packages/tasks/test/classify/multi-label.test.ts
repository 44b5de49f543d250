// Several labels per input: scores as in scikit-learn, training and prediction, and how labels are parsed.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { makeTable, parseJsonLines, type Table } from '@unroll/data';
import {
  type ClassifyResult,
  classifyReport,
  multiLabelScores,
  prepareClassifier,
  trainClassifier,
} from '@unroll/tasks';

const COLUMNS = { text: 'text', label: 'tags', multiLabel: ';' };

/** Returns texts with up to three tags, each of which follows from a word. */
function taggedTable(count: number, shift = 0): Table {
  const rows = Array.from({ length: count }, (_, n) => {
    const i = n + shift;
    const words = ['the', 'film', `take${i % 5}`];
    if (i % 2 === 0) words.splice(i % 3, 0, 'funny');
    if (i % 3 === 0) words.splice(i % 4, 0, 'long');
    if (i % 5 < 2) words.splice(i % 2, 0, 'loud');
    const tags = [i % 2 === 0 && 'comedy', i % 3 === 0 && 'epic', i % 5 < 2 && 'action'];
    return [words.join(' '), tags.filter((tag) => tag !== false).join(' ; ')];
  });
  const cells = [rows.map(([text]) => text), rows.map(([, tags]) => tags)];
  return makeTable({ source: 'films.csv', names: ['text', 'tags'], cells });
}

test('micro F1, macro F1 and exact matches as in scikit-learn', () => {
  // y_true = [[0, 1], [2], [], [1]], y_pred = [[0], [2], [1], [1, 2]]: f1_score is 2 * 3 / (4 + 5) with average='micro', and
  // 1, 0.5 and 2 / 3 for the labels; accuracy_score is 1 / 4.
  const scores = multiLabelScores([[0, 1], [2], [], [1]], [[0], [2], [1], [1, 2]], ['a', 'b', 'c']);
  assert.ok(Math.abs(scores.microF1! - 6 / 9) < 1e-12);
  assert.ok(Math.abs(scores.macroF1 - (1 + 0.5 + 2 / 3) / 3) < 1e-12);
  assert.equal(scores.accuracy, 0.25);
  assert.deepEqual(
    scores.classes.map(({ precision, recall, support }) => [precision, recall, support]),
    [
      [1, 1, 1],
      [0.5, 0.5, 2],
      [0.5, 1, 1],
    ],
  );
});

describe('a classifier with several labels per text', () => {
  let result: ClassifyResult;
  before(async () => {
    const sizes = { units: 8, embedding: 8, networks: 2, epochs: 25, dropout: 0.1, learningRate: 0.02 };
    result = await trainClassifier(taggedTable(240), { ...COLUMNS, ...sizes });
  });

  test('learns labels that follow from words', async () => {
    const { metrics, columns, tables } = await result.model.evaluate({ rows: taggedTable(60, 7) });
    assert.deepEqual(Object.keys(metrics!), ['micro_f1', 'macro_f1', 'exact_match']);
    assert.ok(metrics!.micro_f1 > 0.95 && metrics!.exact_match > 0.9, JSON.stringify(metrics));
    assert.deepEqual(
      columns.map(({ name }) => name),
      ['model', 'micro_f1', 'macro_f1', 'exact_match', 'texts'],
    );
    assert.deepEqual(
      tables!.map(({ name }) => name),
      ['classes'],
    );
  });
  test('predicts all labels above the threshold with their scores, best first', async () => {
    const texts = ['a funny long film', 'the film take3'];
    const { columns, rows, json } = await result.model.predict({ texts });
    assert.deepEqual(columns, ['text', 'labels', 'scores']);
    assert.deepEqual(String(rows[0][1]).split(';').sort(), ['comedy', 'epic']);
    const scores = String(rows[0][2]).split(';').map(Number);
    assert.ok(scores.length === 2 && scores[0] >= scores[1] && scores[1] >= 0.5);
    assert.deepEqual(rows[1].slice(1), ['', '']);
    assert.deepEqual(json?.[0], { labels: String(rows[0][1]).split(';'), scores });
    assert.deepEqual(json?.[1], { labels: [], scores: [] });
  });
  test('pipe returns all labels above the threshold', async () => {
    const found = (await result.model.pipe('a funny long film')) as { label: string }[];
    assert.deepEqual(found.map(({ label }) => label).sort(), ['comedy', 'epic']);
    assert.equal(((await result.model.pipe(['loud', 'film'])) as object[][]).length, 2);
    assert.equal(((await result.model.pipe('a funny long film', { topK: 1 })) as object[]).length, 1);
  });
  test('pipe returns a list for each text, which is empty for a text without a label', async () => {
    const texts = ['a funny film', 'the film take3', 'a long film'];
    const found = (await result.model.pipe(texts, { topK: 1 })) as { label: string }[][];
    assert.deepEqual(
      found.map((labels) => labels.map(({ label }) => label)),
      [['comedy'], [], ['epic']],
    );
    assert.deepEqual(await result.model.pipe('the film take3', { topK: 1 }), []);
  });
  test('has a report without a confusion matrix', () => {
    const html = classifyReport(result, { backend: 'native', seconds: 1 });
    assert.match(html, /Micro F1/);
    assert.doesNotMatch(html, /Confusion matrix/);
  });
});

describe('labels', () => {
  test('are trimmed; a cell may repeat a label, have none, or be a JSON list', () => {
    const lines = [
      { text: 'a', tags: ['x', 'y'] },
      { text: 'b', tags: [] },
      { text: 'c', tags: ' x; x ;' },
      { text: 'd', tags: null },
      { text: 'e', tags: 'y' },
    ];
    const table = parseJsonLines(lines.map((line) => JSON.stringify(line)).join('\n'));
    const { labels, training, validation } = prepareClassifier(table, COLUMNS);
    assert.deepEqual(labels, ['x', 'y']);
    const all = [...training.classes, ...validation.classes].map((ids) => [...ids].join());
    assert.deepEqual(all.sort(), ['', '', '0', '0,1', '1']);
  });
  test('keep at least one training row each', () => {
    const { training } = prepareClassifier(taggedTable(30), COLUMNS);
    assert.equal(new Set(training.classes.flatMap((ids) => [...ids])).size, 3);
  });
  test('are rejected if there are fewer than two, or if the separator is empty', () => {
    const table = makeTable({
      source: 'films.csv',
      names: ['text', 'tags'],
      cells: [
        ['a', 'b'],
        ['x', ''],
      ],
    });
    assert.throws(() => prepareClassifier(table, COLUMNS), {
      message: /^films\.csv: column "tags" must have at least two labels, got only "x" in all 2 rows/,
    });
    assert.throws(() => prepareClassifier(table, { ...COLUMNS, multiLabel: '' }), { message: /^multiLabel/ });
  });
});
