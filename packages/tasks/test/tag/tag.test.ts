// Tagging: training, the plan, resumed runs, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { tensor } from '@unroll/core';
import { type TaggedSentences, tagsOf } from '@unroll/data';
import { decodeTags } from '@unroll/nn';
import {
  prepareTagger,
  type RunEvent,
  type RunStore,
  TagModel,
  type TagOptions,
  type TagRunResult,
  tagReport,
  taskModelFromFiles,
  trainTagger,
} from '@unroll/tasks';
import { assertDamaged } from '../shared/damaged.js';
import { conllOf, retagged, sentences } from './sentences.js';

const SMALL = {
  units: 8,
  embedding: 8,
  networks: 2,
  dropout: 0.1,
  epochs: 10,
  batchSize: 8,
  learningRate: 0.02,
} satisfies TagOptions;
const data = sentences(160);
const dataOf = (...all: [tokens: string, tags: string][]): TaggedSentences => ({
  source: 'few.conll',
  sentences: all.map(([tokens, tags]) => ({ tokens: tokens.split(' '), tags: tags.split(' ') })),
});

describe('a trained tagger', () => {
  const events: RunEvent[] = [];
  let result: TagRunResult;
  before(async () => {
    result = await trainTagger(data, { ...SMALL, onEvent: (event) => void events.push(event) });
  });

  test('finds entities', async () => {
    const test = { source: 'test.conll', text: conllOf(sentences(60, 2)) };
    const { metrics, tables } = await result.model.evaluate({ file: test });
    assert.ok(metrics!.f1 > 0.95, `F1 ${metrics!.f1}`);
    assert.ok(metrics!.accuracy > 0.95);
    assert.deepEqual(
      tables![0].rows.map(([type]) => type),
      ['LOC', 'PER'],
    );
  });
  test('reports events as plain JSON, the result last', () => {
    assert.deepEqual(JSON.parse(JSON.stringify(events)), events);
    const names = events
      .map(({ event }) => event)
      .filter((name) => !['step', 'epoch', 'note'].includes(name));
    assert.deepEqual(names, ['backend', 'plan', 'stage', 'stage', 'scores', 'table', 'result']);
    const { event, task, metrics } = events.at(-1) as Record<string, unknown>;
    const { precision, recall, f1, accuracy } = result.scores;
    assert.deepEqual([event, task, metrics], ['result', 'tag', { precision, recall, f1, accuracy }]);
  });
  test('has the weights of the epoch with the highest F1', async () => {
    const short = { ...SMALL, networks: 1, epochs: 4, learningRate: 0.005 };
    const { trainings, scores, offset } = await trainTagger(data, short);
    const [{ history, bestEpoch }] = trainings;
    const values = history.map(({ validationMetrics }) => validationMetrics.f1);
    assert.equal(values[bestEpoch - 1], Math.max(...values));
    assert.ok(offset!.before <= values[bestEpoch - 1]);
    assert.equal(offset!.after, scores.f1);
  });
  test('predicts the entities of texts, with positions and probabilities', async () => {
    const texts = ['They met Ana Costa  in Paris, then.', 'the red house'];
    const { columns, rows, json, notes } = await result.model.predict({
      texts,
      options: { probabilities: true },
    });
    assert.deepEqual(columns, ['text', 'tokens', 'tags', 'entities']);
    assert.deepEqual(rows[0], [
      texts[0],
      'They met Ana Costa in Paris , then .',
      'O O B-PER I-PER O B-LOC O O O',
      'Ana Costa (PER); Paris (LOC)',
    ]);
    const { entities } = json![0] as { entities: { start: number; end: number; score: number }[] };
    assert.deepEqual(
      entities.map(({ start, end }) => texts[0].slice(start, end)),
      ['Ana Costa', 'Paris'],
    );
    for (const { score } of entities) assert.ok(score > 0.5 && score <= 1);
    assert.deepEqual(json![1], {
      ...{ tokens: ['the', 'red', 'house'], tags: ['O', 'O', 'O'], entities: [] },
    });
    assert.deepEqual(notes, []);
  });
  test('predicts the sentences of a file, with or without tags', async () => {
    const { rows } = await result.model.predict({
      file: { source: 'a.conll', text: 'in\nRio\n\nmet\nRosa\n' },
    });
    assert.deepEqual(
      rows.map(([text, , tags]) => [text, tags]),
      [
        ['in Rio', 'O B-LOC'],
        ['met Rosa', 'O B-PER'],
      ],
    );
    const tagged = await result.model.predict({ file: { source: 'b.conll', text: 'in\tX\nRio\tX\n' } });
    assert.deepEqual(tagged.rows[0], rows[0]);
  });
  test('tags long sentences in pieces', async () => {
    const tokens = Array.from({ length: 450 }, () => ['in', 'Rio']).flat();
    const [{ tags, probabilities }] = await result.model.tag([tokens]);
    assert.deepEqual([tags.length, probabilities!.length], [900, 900]);
    assert.ok(tags.filter((tag) => tag === 'B-LOC').length > 440);
  });
  test('is not loaded with a pipeline that contradicts its network', async () => {
    const { model } = result;
    await assertDamaged(model, model.pipeline, [
      [{ tags: model.pipeline.tags.slice(1) }, /must return \d+ values for \d+ tags, got \d+/],
      [{ characters: null }, /the network must have 1 input, got 2/],
    ]);
  });
  test('gives the same tags after saving and loading, also with decodeTags', async () => {
    const loaded = taskModelFromFiles(await result.model.toFiles({ seed: 0 }));
    assert.ok(loaded instanceof TagModel);
    const list = sentences(5, 3).sentences.map(({ tokens }) => tokens);
    assert.deepEqual(await loaded.tag(list), await result.model.tag(list));
    assert.equal(loaded.describe().find(({ name }) => name === 'scheme')?.value, 'bio');
    // The saved network alone: the output layer contains the mean of the networks and the offset.
    const words = ['met', 'Rosa', 'Lima'];
    const ids = words.map((word) => loaded.pipeline.words.tokens.indexOf(word.toLowerCase()));
    const letters = words.map((word) =>
      [...word.padEnd(4, '_')].map((letter) =>
        letter === '_' ? 0 : loaded.pipeline.characters!.tokens.indexOf(letter),
      ),
    );
    const [best] = await decodeTags(loaded.network, [tensor([ids]), tensor([letters])]);
    const [{ tags }] = await loaded.tag([words]);
    assert.deepEqual(
      best.map((id) => loaded.pipeline.tags[id]),
      tags,
    );
  });
  test('rejects empty and unknown texts, and unknown tags', async () => {
    const { model } = result;
    await assert.rejects(model.predict({ texts: [' '] }), { message: /^The text is empty\./ });
    await assert.rejects(model.predict({}), { message: /^Tagging needs texts/ });
    await assert.rejects(model.predict({ texts: ['中文'] }), {
      code: 'data',
      message: /^The text: no word occurs in the training data\./,
    });
    await assert.rejects(model.evaluate({ file: { source: 't.conll', text: 'in\tO\nRio\tB-GPE\n' } }), {
      code: 'data',
      message:
        /^t\.conll, line 2: tag "B-GPE" does not occur in the training data\. Its tags: O, B-LOC, I-LOC/,
    });
    await assert.rejects(model.evaluate({}), { message: /^evaluate needs a file/ });
  });
  test('writes a report in which markup of the tags is escaped', () => {
    const { plan, predictions } = result;
    const wrong = predictions.map(({ tags, probabilities }, i) => {
      const length = plan.validationSentences[i].tokens.length;
      return {
        tags: tagsOf([{ label: 'X<b>', start: 0, end: 1 }], tags.length, 'BIO').slice(0, length),
        probabilities,
      };
    });
    const html = tagReport(
      { ...result, predictions: wrong as typeof predictions },
      { backend: 'native', seconds: 1 },
    );
    assert.match(html, /<h2>Most confident mistakes<\/h2>/);
    assert.match(html, /highest validation F1/);
    assert.match(html, /X&lt;b&gt;/);
    assert.doesNotMatch(html, /<b>/);
  });
});

describe('the plan', () => {
  test('infers the scheme from the tags', () => {
    const schemeOf = (...tags: string[]) =>
      prepareTagger(dataOf(['a b', tags.join(' ')], ['a b', tags.join(' ')])).goal.scheme;
    assert.equal(schemeOf('B-PER', 'I-PER'), 'bio');
    assert.equal(schemeOf('B-PER', 'E-PER'), 'bioes');
    assert.equal(schemeOf('S-PER', 'O'), 'bioes');
    assert.equal(schemeOf('B', 'E'), 'bioes');
    assert.equal(prepareTagger(dataOf(['a b c', 'B M E'], ['a', 'S'])).goal.scheme, 'bmes');
    assert.equal(schemeOf('NOUN', 'VERB'), 'none');
    assert.equal(schemeOf('O', 'B-DEL-X'), 'bio');
    assert.equal(schemeOf('0', 'B-DEL'), 'none');
  });
  test('contains all tags of the types that occur, so that every entity can be predicted', () => {
    const { goal } = prepareTagger(dataOf(['a b', 'O S-X'], ['a', 'S-Y']), { scheme: 'bmes' });
    assert.deepEqual(goal.tags, ['O', 'B-X', 'M-X', 'E-X', 'S-X', 'B-Y', 'M-Y', 'E-Y', 'S-Y']);
  });
  test('repairs malformed tags for training', () => {
    const validation = dataOf(['a', 'O']);
    const plan = prepareTagger(dataOf(['a b c d', 'I-X I-X O I-Y'], ['a', 'B-Z']), { validation });
    const names = Array.from(plan.training.tags[0], (id) => plan.goal.tags[id]);
    assert.deepEqual(names, ['B-X', 'I-X', 'O', 'B-Y']);
    assert.equal(plan.repaired, 2);
  });
  test('chooses the rarer of two tags as the positive tag', () => {
    const two = dataOf(['a b c', '0 1 0'], ['a', '0']);
    assert.equal(prepareTagger(two).goal.positive, '1');
    assert.equal(prepareTagger(two, { positive: '0' }).goal.positive, '0');
    assert.equal(prepareTagger(dataOf(['a b c', 'x y z'], ['a', 'x'])).goal.positive, null);
  });
  test('draws a tenth of the sentences for validation, the same sentences for the same seed', () => {
    const plan = prepareTagger(data);
    assert.deepEqual([plan.training.tags.length, plan.validation.tags.length], [144, 16]);
    assert.deepEqual(prepareTagger(data).validationSentences, plan.validationSentences);
    assert.notDeepEqual(prepareTagger(data, { seed: 1 }).validationSentences, plan.validationSentences);
  });
  test('builds the vocabularies from the training sentences only, without characters for Chinese', () => {
    const { encoder, coverage } = prepareTagger(data, { validation: dataOf(['in Xyzzy', 'O B-LOC']) });
    assert.equal(encoder.words.id('xyzzy'), undefined);
    assert.equal(encoder.words.id('rio') !== undefined, true);
    assert.equal(coverage, 0.5);
    assert.notEqual(encoder.characters, null);
    const chinese = prepareTagger(dataOf(['中 国 人', 'B-L E-L O'], ['好 人', 'O O']));
    assert.equal(chinese.encoder.characters, null);
    assert.equal(chinese.encoder.tokenizer.kind, 'characters');
  });
});

test('for part-of-speech tags, the goal is accuracy, and no offset is chosen', async () => {
  const pos = retagged(data, (tag, token) =>
    tag !== 'O' ? 'PROPN' : ['met', 'saw', 'was'].includes(token) ? 'VERB' : token === 'in' ? 'ADP' : 'X',
  );
  const { scores, offset, trainings, model } = await trainTagger(pos, { ...SMALL, networks: 1, epochs: 6 });
  assert.equal(offset, null);
  assert.ok(scores.accuracy > 0.95, `accuracy ${scores.accuracy}`);
  assert.ok(trainings[0].history[0].validationMetrics.accuracy > 0);
  const { columns, json } = await model.predict({ texts: ['saw Rio'], options: { probabilities: true } });
  assert.deepEqual(columns, ['text', 'tokens', 'tags']);
  const { tags, scores: tokenScores } = json![0] as { tags: string[]; scores: number[] };
  assert.deepEqual(tags, ['VERB', 'PROPN']);
  assert.ok(tokenScores.every((score) => score > 0.5));
});

test('for two tags, the goal is F1 of the rarer tag as a mean over sentences', async () => {
  const two = retagged(data, (tag) => (tag === 'O' ? 'drop' : 'keep'));
  const { scores, plan } = await trainTagger(two, { ...SMALL, networks: 1, epochs: 5 });
  assert.equal(plan.goal.positive, 'keep');
  assert.ok(scores.sentenceF1! > 0.9, `F1 ${scores.sentenceF1}`);
});

describe('prepareTagger rejects', () => {
  const cases: Record<string, [TaggedSentences, TagOptions, RegExp]> = {
    'one tag only': [
      dataOf(['a b', 'O O'], ['c', 'O']),
      {},
      /^few\.conll must have at least two different tags, got only "O"\./,
    ],
    'one sentence': [dataOf(['a b', 'O B-X']), {}, /^few\.conll has one sentence, but at least 2 are needed/],
    'a tag of another scheme': [
      dataOf(['a b', 'O E-X'], ['a', 'O']),
      { scheme: 'bio' },
      /^few\.conll, token 2 \("b"\): with the scheme bio, a tag must be O or a tag that begins with B-, I-, got "E-X"\.$/,
    ],
    'an unknown positive tag': [
      dataOf(['a b', '0 1'], ['a', '0']),
      { positive: '2' },
      /^few\.conll: the positive tag "2" does not occur\. Tags: 0, 1\.$/,
    ],
    'an unknown tag in validation sentences': [
      data,
      { validation: dataOf(['in Rio', 'O B-GPE']) },
      /^few\.conll, token 2 \("Rio"\): tag "B-GPE" does not occur in the training data\./,
    ],
    'a sentence with too few tags': [
      dataOf(['a b', 'O'], ['a', 'B-X']),
      {},
      /^few\.conll, sentence 1: a sentence must have at least one token and one tag per token, got 2 tokens and 1 tags\.$/,
    ],
    'no sentences': [
      { source: 'none.conll', sentences: [] },
      {},
      /^none\.conll has no sentences\. Pass sentences with a tag/,
    ],
  };
  for (const [name, [tagged, options, message]] of Object.entries(cases)) {
    test(name, () => assert.throws(() => prepareTagger(tagged, options), { code: 'data', message }));
  }
  test('invalid options', () => {
    assert.throws(() => prepareTagger(data, { learningRate: 0 }), {
      message: 'learningRate must be above 0, got 0.',
    });
    assert.throws(() => prepareTagger(data, { scheme: 'iob' as 'bio' }), {
      code: 'value',
      message: /scheme/,
    });
    assert.throws(() => prepareTagger(data, { unit: 3 } as TagOptions), { code: 'value', message: /unit/ });
  });
});

test('a run that is stopped and resumed ends with the same weights', async () => {
  const options: TagOptions = { ...SMALL, epochs: 4 };
  const whole = await trainTagger(data, options);
  const stored = new Map<string, Uint8Array>();
  const store: RunStore = {
    read: async (name) => stored.get(name) ?? null,
    write: async (name, bytes) => void stored.set(name, bytes),
  };
  for (const [training, stopAt] of [
    [1, 2],
    [2, 3],
  ]) {
    const controller = new AbortController();
    const onEvent = (event: RunEvent) => {
      const due = event.event === 'step' && event.training === training && event.epoch === stopAt;
      if (due) controller.abort(new Error('stopped'));
    };
    const run = trainTagger(data, { ...options, store, signal: controller.signal, onEvent });
    await assert.rejects(run, { message: 'stopped' });
  }
  const resumed = await trainTagger(data, { ...options, store });
  assert.deepEqual(await resumed.model.toFiles(), await whole.model.toFiles());
});
