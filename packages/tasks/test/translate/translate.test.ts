// Translation: training, the plan, resumed runs, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  prepareTranslator,
  type RunEvent,
  type RunStore,
  TranslateModel,
  type TranslateOptions,
  type TranslateResult,
  taskModelFromFiles,
  trainTranslator,
  translateReport,
} from '@unroll/tasks';
import { assertDamaged, damagedTargets } from '../shared/damaged.js';
import { phrases, phraseTable, tableOf, textFile } from './phrases.js';

const COLUMNS = { source: 'de', target: 'en' };
const SMALL: TranslateOptions = {
  ...COLUMNS,
  units: 32,
  embedding: 32,
  dropout: 0.05,
  epochs: 10,
  learningRate: 0.01,
};
const data = { table: phraseTable(400) };
const TEXT = 'Schlafen zwei rote Hunde?';

describe('a trained translator', () => {
  const events: RunEvent[] = [];
  let result: TranslateResult;
  before(async () => {
    result = await trainTranslator(data, { ...SMALL, onEvent: (event) => void events.push(event) });
  });

  test('learns a different word order', async () => {
    const { metrics, rows, notes } = await result.model.evaluate({ rows: phraseTable(50, 2) });
    assert.ok(metrics!.bleu > 90, `BLEU ${metrics!.bleu}`);
    assert.ok(metrics!.chrf > 90);
    assert.deepEqual(rows[0].slice(1, 3), [metrics!.bleu, metrics!.chrf]);
    assert.match(
      notes.join(),
      /^Signatures: BLEU nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:\S+, chrF nrefs:1/,
    );
    const [{ text }] = await result.model.translate([TEXT]);
    assert.equal(text, 'Two red dogs sleep.');
  });
  test('has the weights of the best epoch', () => {
    const { history, bestEpoch } = result.training;
    const losses = history.map(({ validationLoss }) => validationLoss);
    assert.equal(losses[bestEpoch - 1], Math.min(...losses));
    assert.ok(result.scores.perplexity < 2 && result.scores.perplexity > 1);
  });
  test('reports events as plain JSON, the result last', () => {
    assert.deepEqual(JSON.parse(JSON.stringify(events)), events);
    const names = events
      .filter(({ event }) => event !== 'step' && event !== 'epoch')
      .map(({ event }) => event);
    assert.deepEqual(names, ['backend', 'plan', 'stage', 'scores', 'note', 'result']);
    const { event, task, metrics, model } = events.at(-1) as Record<string, unknown>;
    assert.deepEqual([event, task], ['result', 'translate']);
    assert.deepEqual(Object.keys(metrics as object), [
      'bleu',
      'chrf',
      'rouge1',
      'rouge2',
      'rougeL',
      'perplexity',
    ]);
    const parameters = result.model.network.countParams();
    assert.deepEqual(model, { cell: 'lstm', layers: 1, units: 32, parameters });
  });
  test('predicts texts in their order, with the same translations in a batch and alone', async () => {
    const texts = [TEXT, 'Warten drei alte Katzen?', 'Fallen vier'];
    const { columns, rows, notes } = await result.model.predict({ texts });
    assert.deepEqual([columns, notes], [['text', 'translation'], []]);
    assert.deepEqual(rows.map(([text]) => text), texts); // biome-ignore format: one line
    for (const [i, text] of texts.entries())
      assert.deepEqual((await result.model.predict({ texts: [text] })).rows[0], rows[i]);
  });
  test('writes scores, and alignments as tokens and as a matrix', async () => {
    const options = { scores: true, alignments: true, beam: 3, 'length-penalty': 0 };
    const { columns, rows, json } = await result.model.predict({ texts: [TEXT], options });
    assert.deepEqual(columns, ['text', 'translation', 'score', 'alignment']);
    assert.ok((rows[0][2] as number) < 0);
    const { sourceTokens, tokens, weights } = json![0] as Record<string, string[]> & { weights: number[][] };
    assert.equal(tokens.join('').replaceAll('▁', ' ').trim(), 'Two red dogs sleep.');
    assert.equal(weights.length, tokens.length);
    for (const row of weights) {
      assert.equal(row.length, sourceTokens.length);
      assert.ok(Math.abs(row.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-2);
    }
    const expected = tokens.map(
      (token, t) => `${token}=${sourceTokens[weights[t].indexOf(Math.max(...weights[t]))]}`,
    );
    assert.equal(rows[0][3], expected.join(' '));
    const { rows: greedy } = await result.model.predict({ texts: [TEXT], options: { beam: 1 } });
    assert.equal(greedy[0][1], 'Two red dogs sleep.');
  });
  test('gives the same translations after saving and loading', async () => {
    const loaded = taskModelFromFiles(await result.model.toFiles({ seed: 0 }));
    assert.ok(loaded instanceof TranslateModel);
    const texts = phrases(20, 3).german;
    assert.deepEqual(await loaded.translate(texts), await result.model.translate(texts));
    assert.equal(loaded.describe().find(({ name }) => name === 'tokens')?.value, 'subwords');
  });
  test('is not loaded with a pipeline that contradicts its network', async () => {
    const { model } = result;
    await assertDamaged(model, model.pipeline, damagedTargets(model.pipeline.target));
  });
  test('returns a note on texts without known tokens, and rejects requests that contain only such texts', async () => {
    const { notes } = await result.model.predict({ texts: ['你好', TEXT] });
    assert.deepEqual(notes, [
      '1 of 2 texts contain no known subwords, so the model can only guess their targets.',
    ]);
    await assert.rejects(result.model.predict({ texts: ['你好'] }), {
      code: 'data',
      message: /^The text cannot be translated: none of its subwords occurs in the training data\./,
    });
  });
  test('cuts long texts, with a note', async () => {
    const { rows, notes } = await result.model.predict({ texts: ['Hunde '.repeat(1000)] });
    assert.deepEqual(notes, ['1 of 1 texts are cut to 400 subwords.']);
    assert.ok(String(rows[0][1]).length > 0);
  });
  test('rejects empty texts, missing targets and invalid options', async () => {
    await assert.rejects(result.model.predict({ texts: [' '] }), { message: /^The text is empty\./ });
    await assert.rejects(result.model.predict({}), { message: /^Translation needs texts/ });
    await assert.rejects(result.model.predict({ texts: [TEXT], options: { 'length-penalty': -1 } }), {
      message: 'Option length-penalty must be at least 0, got -1.',
    });
    await assert.rejects(result.model.evaluate({ rows: tableOf([TEXT, TEXT], ['Two', ' ']) }), {
      message:
        'phrases.csv, line 3, column 2 ("en"): the target text is empty. Remove the row or write a text.',
    });
    await assert.rejects(result.model.evaluate({}), { message: /^evaluate needs sources and targets/ });
  });
  test('writes a report in which markup of the texts is escaped', () => {
    const { scored, translations } = result;
    const marked = { ...scored, source: scored.source.map((text) => `<b>${text}`) };
    const tagged = translations.map((translation) => ({
      ...translation,
      tokens: translation.tokens.map((token) => `<i>${token}`),
    }));
    const html = translateReport(
      { ...result, scored: marked, translations: tagged },
      { backend: 'native', seconds: 1 },
    );
    assert.match(html, /<h2>Attention<\/h2>/);
    assert.match(html, /<svg class="heat"/);
    assert.match(html, /<h2>Worst translations<\/h2>/);
    assert.match(html, /&lt;b&gt;/);
    assert.doesNotMatch(html, /<b>|<i>/);
  });
});

test('a word-level model copies unknown words', async () => {
  const { german, english } = phrases(300);
  const names = german.map((_, i) => `Name${i}`);
  const named = (texts: readonly string[]) => texts.map((text, i) => text.replace(/[.?]$/, ` ${names[i]}`));
  const table = tableOf(named(german), named(english));
  const { model } = await trainTranslator(
    { table },
    { ...SMALL, level: 'words', vocabulary: 12, epochs: 12 },
  );
  const [{ text, tokens, sourceTokens, alignment }] = await model.translate([
    'Schlafen zwei rote Hunde Tasvomi',
  ]);
  assert.deepEqual(sourceTokens, ['Schlafen', 'zwei', 'rote', 'Hunde', 'Tasvomi']);
  const last = alignment[4];
  assert.deepEqual(tokens, ['Two', 'red', 'dogs', 'sleep', sourceTokens[last.indexOf(Math.max(...last))]]);
  assert.equal(text, tokens.join(' '));
});

describe('the plan', () => {
  test('draws a tenth of the pairs for validation, the same pairs for the same seed', () => {
    const plan = prepareTranslator(data, COLUMNS);
    assert.deepEqual([plan.training.source.length, plan.validation.source.length], [360, 40]);
    assert.deepEqual(prepareTranslator(data, COLUMNS).validationPairs, plan.validationPairs);
    const [first] = plan.validationPairs.source;
    const { german, english } = phrases(400);
    const matches = german.flatMap((text, i) => (text === first ? [english[i]] : []));
    assert.ok(matches.includes(plan.validationPairs.target[0]), 'pairs stay together');
  });
  test('builds the vocabularies from the training texts only, and adds a token for each byte', () => {
    const validation = { table: tableOf(['Xylophone?'], ['Quark.']) };
    const { source, target, validationOrigin } = prepareTranslator(data, { ...COLUMNS, validation });
    assert.deepEqual(
      [source.vocabulary.id('▁Xylophone'), target.vocabulary.id('▁Quark')],
      [undefined, undefined],
    );
    assert.ok(source.vocabulary.id('▁Hunde') !== undefined && source.vocabulary.id('<0xE4>') !== undefined);
    assert.equal(validationOrigin, 'phrases.csv');
    assert.equal(source.join(source.read('Xylophon').tokens), 'Xylophon');
  });
  test('splits texts into subwords, words or characters, on request in lower case', () => {
    const tokensOf = (options: TranslateOptions) => {
      const { source } = prepareTranslator(data, { ...COLUMNS, ...options });
      return source.tokensOf(source.read('Rote Hunde').ids);
    };
    assert.deepEqual(tokensOf({ level: 'words' }), ['<unk>', 'Hunde']);
    assert.deepEqual(tokensOf({ level: 'words', lowercase: true }), ['rote', 'hunde']);
    assert.deepEqual(tokensOf({ level: 'characters' }).slice(3), ['e', ' ', 'H', 'u', 'n', 'd', 'e']);
    assert.deepEqual(tokensOf({ lowercase: true }), ['▁rote', '▁hunde']);
  });
  test('limits the vocabulary to the given size, plus the special tokens', () => {
    assert.equal(
      prepareTranslator(data, { ...COLUMNS, level: 'characters', vocabulary: 5 }).source.vocabulary.size,
      9,
    );
    const { source } = prepareTranslator(data, { ...COLUMNS, vocabulary: 300 });
    assert.equal(source.vocabulary.size, 304);
  });
  test('ends a target with </s>, unless the target is cut', () => {
    const long = 'word '.repeat(500);
    const pairs = { table: tableOf(['a b', 'b c', 'c'], [long, 'two words', 'one']) };
    const { training, lengths } = prepareTranslator(pairs, {
      ...COLUMNS,
      seed: 1,
      validation: pairs,
      level: 'words',
    });
    assert.deepEqual(
      [lengths.target.cut, training.target[0].length, training.target[0].includes(3)],
      [1, 400, false],
    );
    assert.deepEqual([training.target[1].at(-1), training.target[1].length], [3, 3]);
  });
  test('is the same for parallel files as for a table', () => {
    const { german, english } = phrases(400);
    const files = { sourceFile: textFile('a.de', german), targetFile: textFile('a.en', english) };
    const plan = prepareTranslator(files);
    assert.deepEqual(plan.training, prepareTranslator(data, COLUMNS).training);
    assert.deepEqual([plan.columns, plan.origin], [null, 'a.de and a.en']);
  });
});

describe('prepareTranslator rejects', () => {
  const file = (...lines: string[]) => textFile('b.txt', lines);
  const cases: Record<string, [object, object, string, RegExp]> = {
    'an empty source': [{ table: tableOf(['a', ' '], ['x', 'y']) }, COLUMNS, 'data', /^phrases\.csv, line 3, column 1 \("de"\): the source text is empty/], // biome-ignore format: one line
    'a missing column': [{ table: tableOf(['a'], ['x']) }, { ...COLUMNS, target: 'eng' }, 'data', /no column "eng"\. Did you mean "en"\?/], // biome-ignore format: one line
    'a single pair': [{ table: tableOf(['a'], ['x']) }, COLUMNS, 'data', /^phrases\.csv: at least 2 pairs are needed, one for training and one for validation, got 1\.$/], // biome-ignore format: one line
    'files of different lengths': [{ sourceFile: textFile('a.txt', ['a', 'b', 'c']), targetFile: file('x') }, {}, 'data', /^a\.txt has 3 lines, but b\.txt has 1\. /], // biome-ignore format: one line
    'an empty line': [{ sourceFile: textFile('a.txt', ['a', 'b']), targetFile: file('x', ' ') }, {}, 'data', /^b\.txt, line 2: the line is empty/], // biome-ignore format: one line
    'an empty file': [
      { sourceFile: textFile('a.txt', []), targetFile: file('x') },
      {},
      'data',
      /^a\.txt is empty\. The file must have one text per line\.$/,
    ],
    'a table without columns': [data, {}, 'value', /^A table needs the options source and target/],
    'columns with parallel files': [{ sourceFile: file('a'), targetFile: file('x') }, COLUMNS, 'value', /^source and target name the columns of a table/], // biome-ignore format: one line
    'one column twice': [data, { source: 'de', target: 'de' }, 'value', /^source and target must be different columns, got "de"/], // biome-ignore format: one line
    'a learning rate of 0': [
      data,
      { ...COLUMNS, learningRate: 0 },
      'value',
      /^learningRate must be above 0, got 0\.$/,
    ],
    'an unknown level': [data, { ...COLUMNS, level: 'syllables' }, 'value', /level/],
    'an unknown option': [data, { ...COLUMNS, unit: 3 }, 'value', /unit/],
    'validation in another form': [data, { ...COLUMNS, validation: { sourceFile: file('a'), targetFile: file('x') } }, 'value', /^validation must have the form of the training data/], // biome-ignore format: one line
  };
  for (const [name, [pairs, options, code, message]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(() => prepareTranslator(pairs as typeof data, options as TranslateOptions), {
        code,
        message,
      }),
    );
  }
});

test('a run that is stopped and resumed ends with the same weights', async () => {
  const options: TranslateOptions = { ...SMALL, epochs: 3, units: 8, embedding: 8, cell: 'gru', layers: 2 };
  const whole = await trainTranslator(data, options);
  const stored = new Map<string, Uint8Array>();
  const store: RunStore = {
    read: async (name) => stored.get(name) ?? null,
    write: async (name, bytes) => void stored.set(name, bytes),
  };
  const controller = new AbortController();
  const onEvent = (event: RunEvent) => {
    if (event.event === 'step' && event.epoch === 2) controller.abort(new Error('stopped'));
  };
  const stopped = trainTranslator(data, { ...options, store, signal: controller.signal, onEvent });
  await assert.rejects(stopped, { message: 'stopped' });
  assert.equal(stored.size, 1);
  for (const _ of ['resumed', 'restored']) {
    const resumed = await trainTranslator(data, { ...options, store });
    assert.deepEqual(await resumed.model.toFiles(), await whole.model.toFiles());
  }
});
