// Language models: the plan, training, generation, scores, resumed runs, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { logSoftmax, predictAll, scope, tensor } from '@unroll/core';
import { generate } from '@unroll/nn';
import {
  LanguageModel,
  type LanguageModelResult,
  languageModelReport,
  prepareLanguageModel,
  type RunEvent,
  type RunStore,
  type TextLevel,
  taskModelFromFiles,
  trainLanguageModel,
} from '@unroll/tasks';
import { codecFor, TextCodec } from '@unroll/tasks/internal';
import { assertDamaged } from '../shared/damaged.js';
import { SENTENCE_NATS, sentences } from './sentences.js';

const SMALL = {
  units: 24,
  embedding: 12,
  dropout: 0,
  weightDrop: 0,
  epochs: 10,
  learningRate: 0.02,
  streams: 8,
  steps: 32,
};
const TEXT = sentences(1000);
const TEST = sentences(60, 1);
const textFile = (text: string) => ({ source: 'text.txt', text });
/** Returns the entropy of sentences in nats per character, a lower bound for the scores of models. */
const bound = (text: string): number => (SENTENCE_NATS * (text.split('\n').length - 1)) / text.length;
const generated = async (model: LanguageModel, ...[request]: Parameters<LanguageModel['generate']>) => {
  const pieces: string[] = [];
  for await (const piece of model.generate(request)) pieces.push(piece);
  return pieces;
};

describe('a character-level language model', () => {
  const events: RunEvent[] = [];
  let result: LanguageModelResult;
  let model: LanguageModel;
  before(async () => {
    result = await trainLanguageModel(TEXT, { ...SMALL, onEvent: (event) => void events.push(event) });
    ({ model } = result);
  });

  test('comes close to the entropy of the text', async () => {
    const { metrics, notes } = await model.evaluate({ file: textFile(TEST) });
    assert.ok(metrics!.nats_per_char < 1.15 * bound(TEST), `${metrics!.nats_per_char}, bound ${bound(TEST)}`);
    assert.ok(metrics!.nats_per_char > bound(TEST));
    assert.equal(metrics!.bits_per_char, metrics!.nats_per_char / Math.LN2);
    assert.equal(metrics!.perplexity, Math.exp(metrics!.nats_per_token));
    assert.equal(metrics!.nats_per_token, metrics!.nats_per_char);
    assert.deepEqual(notes, []);
  });
  test('is scored with a state that is carried through the whole text', async () => {
    const { ids } = TextCodec.fromConfig(model.pipeline).encode(TEST);
    assert.ok(ids.length > 1000);
    const { start } = TextCodec.fromConfig(model.pipeline);
    const inputs = tensor([start, ...ids.subarray(0, -1)], [1, ids.length]);
    const [logits] = await predictAll(model.network, inputs);
    const values = await scope(() => logSoftmax(logits)).data();
    const V = values.length / ids.length;
    const nats = -ids.reduce((sum, id, t) => sum + values[t * V + id], 0);
    const { metrics } = await model.evaluate({ file: textFile(TEST) });
    assert.ok(Math.abs(metrics!.nats_per_char - nats / TEST.length) < 1e-6);
  });
  test('generates the same text for the same seed, and continues a prompt', async () => {
    const options = { length: 200, temperature: 0.5, seed: 3 };
    const pieces = await generated(model, { prompt: 'the cat', options });
    assert.equal(pieces.length, 200);
    const text = pieces.join('');
    assert.match(text, /^ (sees|hears) the (tree|lake)\.\nthe (cat|dog|bird|fish) /);
    assert.deepEqual(await generated(model, { prompt: 'the cat', options }), pieces);
    assert.notDeepEqual(
      await generated(model, { prompt: 'the cat', options: { ...options, seed: 4 } }),
      pieces,
    );
    const { columns, rows } = await model.predict({ texts: ['the cat', 'the dog'], options });
    assert.deepEqual(columns, ['text', 'continuation']);
    assert.deepEqual(rows[0], ['the cat', text]);
    assert.equal(rows.length, 2);
  });
  test('reads long prompts, in chunks', async () => {
    const options = { length: 20, temperature: 0 };
    const prompt = `${sentences(30, 5)}the bird`; // More than two chunks.
    const stream = model.network.stream();
    const { ids } = TextCodec.fromConfig(model.pipeline).encode(prompt);
    const { start, vocabulary } = TextCodec.fromConfig(model.pipeline);
    const [{ tokens }] = await generate(stream, { prompt: [start, ...ids], maxLength: 20, banned: [0] });
    assert.equal((await generated(model, { prompt, options })).join(''), vocabulary.decode(tokens).join(''));
  });
  test('takes the most likely token at temperature 0, or with top-k 1', async () => {
    const likely = await generated(model, { prompt: 'the cat s', options: { length: 10, temperature: 0 } });
    assert.match(likely.join(''), /^ees the (t|l)/);
    const first = await generated(model, {
      prompt: 'the cat s',
      options: { length: 10, 'top-k': 1, temperature: 1 },
    });
    assert.deepEqual(first, likely);
  });
  test('starts a text without a prompt', async () => {
    assert.match(
      (await generated(model, { options: { length: 80 } })).join(''),
      /\nthe (cat|dog|bird|fish) /,
    );
  });
  test('gives the same scores and texts after saving and loading', async () => {
    const loaded = taskModelFromFiles(await model.toFiles({ seed: 0 }));
    assert.ok(loaded instanceof LanguageModel);
    const file = textFile(TEST);
    assert.deepEqual(await loaded.evaluate({ file }), await model.evaluate({ file }));
    assert.deepEqual(await generated(loaded), await generated(model));
    assert.deepEqual(loaded.describe()[0], { name: 'level', value: 'char' });
  });
  test('is not loaded with a pipeline that contradicts its network', async () => {
    const { vocabulary } = model.pipeline;
    const tokens = vocabulary.tokens.slice(1);
    await assertDamaged(model, model.pipeline, [
      [{ vocabulary: { ...vocabulary, tokens } }, /must return \d+ values for \d+ tokens, got \d+/],
    ]);
  });
  test('has the weights of the best epoch', () => {
    const { history, bestEpoch } = result.training;
    const losses = history.map(({ validationLoss }) => validationLoss);
    assert.equal(losses[bestEpoch - 1], Math.min(...losses));
    assert.ok(Math.abs(result.scores.natsPerToken - losses[bestEpoch - 1]) < 0.02);
  });
  test('returns a note on unknown characters, and scores them as <unk>', async () => {
    const text = TEST.replace('cat', 'cät');
    const { metrics, notes } = await model.evaluate({ file: textFile(text) });
    assert.deepEqual(notes, [
      `1 of ${TEST.length} characters of text.txt (0.070 %) are not in the vocabulary. They are read and scored as <unk>.`,
    ]);
    const known = await model.evaluate({ file: textFile(TEST) });
    assert.ok(metrics!.nats_per_char * text.length > known.metrics!.nats_per_char * TEST.length + 2);
    assert.equal(model.notesOn('the cät').length, 1);
    assert.deepEqual(model.notesOn('the cat'), []);
  });
  test('rejects invalid requests', async () => {
    const cases: [Record<string, number>, RegExp][] = [
      [{ length: 0 }, /^length must be at least 1, got 0\.$/],
      [{ temperature: -1 }, /^temperature must not be negative, got -1\.$/],
      [{ 'top-p': 0 }, /^top-p must be above 0 and at most 1, got 0\.$/],
      [{ 'top-k': 0 }, /^top-k must be at least 1, got 0\.$/],
      [{ beam: 2 }, /^Unknown option "beam"\. The options are length, temperature, top-k, top-p, seed\.$/],
    ];
    for (const [options, message] of cases)
      await assert.rejects(generated(model, { options }), { code: 'value', message });
    await assert.rejects(model.evaluate({}), { message: 'evaluate needs a text file.' });
    await assert.rejects(model.evaluate({ file: textFile('') }), {
      message: 'text.txt is empty. evaluate needs a text.',
    });
    await assert.rejects(model.example({ texts: [' '] }), {
      message: 'The input has no lines. Pass at least one.',
      code: 'value',
    });
    await assert.rejects(model.predict({}), { message: /^There is no text to continue\./ });
  });
  test('stops when the signal is aborted', async () => {
    const control = new AbortController();
    const run = model.generate({ signal: control.signal });
    await run.next();
    control.abort(new Error('enough'));
    await assert.rejects(run.next(), { message: 'enough' });
  });
  test('reports events as plain JSON, the result last', () => {
    assert.deepEqual(JSON.parse(JSON.stringify(events)), events);
    const names = events
      .filter(({ event }) => event !== 'step' && event !== 'epoch')
      .map(({ event }) => event);
    assert.deepEqual(names, ['backend', 'plan', 'stage', 'scores', 'result']);
    const { task, level, metrics, model: network } = events.at(-1) as Record<string, unknown>;
    const { perplexity, natsPerCharacter, bitsPerCharacter, natsPerToken } = result.scores;
    assert.deepEqual([task, level], ['generate', 'char']);
    assert.deepEqual(metrics, {
      ...{
        perplexity,
        nats_per_char: natsPerCharacter,
        bits_per_char: bitsPerCharacter,
        nats_per_token: natsPerToken,
      },
    });
    assert.deepEqual(network, {
      cell: 'lstm',
      layers: 1,
      units: 24,
      parameters: model.network.countParams(),
    });
  });
  test('writes a report in which markup of the sample is escaped', () => {
    const html = languageModelReport(result, '<b>the cat', { backend: 'native', seconds: 1 });
    assert.match(html, /<pre>&lt;b&gt;the cat<\/pre>/);
    assert.match(html, /nats \(\d\.\d+ bits\) per character/);
  });
});

describe('words and subwords', () => {
  const trained = (level: TextLevel) =>
    trainLanguageModel(TEXT, { ...SMALL, level, ...(level === 'subword' && { subwords: 300 }), steps: 20 });

  for (const level of ['word', 'subword'] as const) {
    test(`${level}: nats per character are close to the entropy, with tied embeddings`, async () => {
      const { model, plan } = await trained(level);
      const { metrics } = await model.evaluate({ file: textFile(TEST) });
      assert.ok(
        metrics!.nats_per_char < 1.2 * bound(TEST),
        `${metrics!.nats_per_char}, bound ${bound(TEST)}`,
      );
      assert.ok(metrics!.nats_per_token > metrics!.nats_per_char);
      assert.equal(plan.tied, true);
      const text = (
        await generated(model, { prompt: 'the cat', options: { length: 30, temperature: 0.3 } })
      ).join('');
      assert.match(text, /^ (sees|hears) the (tree|lake)\.\nthe (cat|dog|bird|fish) (sees|hears) the/);
    });
  }
  test('models can be trained with gru and rnn cells, several layers and lower-cased text', async () => {
    for (const cell of ['gru', 'rnn'] as const) {
      const options = {
        ...SMALL,
        cell,
        layers: 2,
        lowercase: true,
        epochs: 1,
        dropout: 0.1,
        weightDrop: 0.1,
      };
      const { model, plan } = await trainLanguageModel(TEXT.toUpperCase(), options);
      assert.equal(plan.codec.vocabulary.id('T'), undefined);
      const { metrics } = await model.evaluate({ file: textFile(TEST) });
      assert.ok(metrics!.nats_per_char < 3);
    }
  });
});

describe('tokens of a text', () => {
  const text = '“Who’s there?” — said 東京 (she), “I”.\n\n  Nay,  answer me: 3.5 %\tça\n';
  const codecOptions = { lowercase: false, subwords: 300 };
  for (const level of ['char', 'word', 'subword'] as const) {
    test(`${level}: decoding the tokens of a text gives the same text`, () => {
      const codec = codecFor(text.repeat(3), level, {
        ...codecOptions,
        subwords: level === 'subword' ? 300 : undefined,
      });
      const { ids, characters, unknown } = codec.encode(text);
      assert.deepEqual([characters, unknown], [Array.from(text).length, 0]);
      for (const cut of [0, 1, 7]) {
        const decoder = codec.decoder(ids.subarray(0, cut));
        const decoded = Array.from(ids.subarray(cut), (id) => decoder.next(id)).join('') + decoder.end();
        const whole = codec.tokenizer.detokenize(codec.vocabulary.decode(ids));
        assert.equal(whole, text);
        assert.ok(
          whole.endsWith(decoded) && decoded.length > 0.8 * (whole.length - 12),
          JSON.stringify(decoded),
        );
        if (cut === 0) assert.equal(decoded, text);
      }
    });
  }
  test('an unknown character is encoded as bytes, and decoded when its last byte has been read', () => {
    const codec = codecFor(TEXT, 'subword', codecOptions);
    const { ids, unknown } = codec.encode('the 東 cat');
    assert.equal(unknown, 0);
    const decoder = codec.decoder([]);
    const pieces = Array.from(ids, (id) => decoder.next(id));
    assert.equal(pieces.join(''), 'the 東 cat');
    assert.ok(pieces.every((piece) => !piece.includes('\uFFFD')));
  });
});

describe('the plan', () => {
  test('validates with the last characters, cut at a line break', () => {
    const { training, validation, settings, sizes, codec } = prepareLanguageModel(TEXT);
    assert.equal(codec.vocabulary.tokens[training.ids.at(-1) ?? 0], '\n');
    assert.equal(training.characters + validation.characters, TEXT.length);
    const share = validation.characters / TEXT.length;
    assert.ok(share >= 0.1 && share < 0.13, String(share));
    assert.deepEqual([settings.streams, settings.steps, sizes.units], [4, 64, 128]);
  });
  test('cuts a text at white space if it has no line breaks, and between characters if it has no white space', () => {
    const words = prepareLanguageModel(TEXT.replaceAll('\n', ' '));
    assert.equal(words.codec.vocabulary.tokens[words.training.ids.at(-1) ?? 0], ' ');
    const { training, validation } = prepareLanguageModel('\u{1F600}\u{1F601}a'.repeat(200));
    assert.equal(training.characters + validation.characters, 600);
  });
  test('builds the vocabulary from the training text only', () => {
    const { codec, validation } = prepareLanguageModel(`${TEXT}${'the ünkw lake.\n'.repeat(3)}`);
    assert.equal(codec.vocabulary.id('ü'), undefined);
    assert.equal(validation.unknown, 3 * 3); // The letters ü, n and w occur in no other line.
  });
  test('takes the validation text of a long text from ten parts, cut at line breaks', () => {
    const lines = Array.from({ length: 8000 }, (_, i) => `line number ${i}, of many lines\n`);
    const { training, validation, validationPieces, codec } = prepareLanguageModel(textFile(lines.join('')));
    assert.equal(validationPieces, 10);
    assert.equal(training.characters + validation.characters, lines.join('').length);
    const numbers = Array.from(validation.ids, (id) => codec.vocabulary.tokens[id])
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => Number(/^line number (\d+), of many lines$/.exec(line)?.[1]));
    const jumps = numbers.filter((value, i) => i > 0 && value !== numbers[i - 1] + 1);
    assert.equal(jumps.length, 9);
    assert.equal(numbers.at(-1), 7999);
    assert.equal(prepareLanguageModel(textFile(lines.join('').replaceAll('\n', ' '))).validationPieces, 1);
  });
  test('reads the validation text from a file', () => {
    const plan = prepareLanguageModel(textFile(TEXT), { validation: { source: 'valid.txt', text: TEST } });
    assert.deepEqual([plan.training.characters, plan.validation.characters], [TEXT.length, TEST.length]);
    assert.equal(plan.validationSource, 'valid.txt');
  });
  test('has more epochs, fewer units and more dropout for small texts', () => {
    const small = prepareLanguageModel(TEXT);
    const large = prepareLanguageModel(TEXT.repeat(200));
    assert.ok(small.settings.epochs > large.settings.epochs);
    assert.ok(small.sizes.units < large.sizes.units && small.sizes.dropout > large.sizes.dropout);
  });
  test('rejects texts without anything to learn', () => {
    const cases: [string, RegExp][] = [
      ['', /^text\.txt is empty\. A language model needs a text\.$/],
      [' \n\t', /^text\.txt contains only white space\./],
      [
        'short',
        /^text\.txt: the text for training must have at least 100 characters, got \d+\. Add more text\.$/,
      ],
      [
        'a'.repeat(1000),
        /^text\.txt: all characters of the text are equal, so there is nothing to learn\. Pass another text\.$/,
      ],
    ];
    for (const [text, message] of cases)
      assert.throws(() => prepareLanguageModel(textFile(text)), { code: 'data', message });
    assert.throws(() => prepareLanguageModel(''), {
      message: 'The text is empty. A language model needs a text.',
    });
    const validation = { source: 'valid.txt', text: 'the' };
    assert.throws(() => prepareLanguageModel(TEXT, { validation }), {
      message: /^valid\.txt: the text must have at least 10 characters, got 3\./,
    });
  });
  test('rejects invalid options', () => {
    const invalid = (options: object) => () => prepareLanguageModel(TEXT, options);
    assert.throws(invalid({ level: 'letter' }), {
      message: /level must be "char", "word" or "subword", got "letter"/,
    });
    assert.throws(invalid({ unit: 3 }), { message: /Did you mean "?units/ });
    assert.throws(invalid({ learningRate: 0 }), { message: /learningRate must be above 0, got 0\./ });
    assert.throws(invalid({ subwords: 500 }), {
      message: /The option subwords needs the level "subword", got "char"\./,
    });
  });
});

test('an interrupted run resumes with the same result', async () => {
  const files = new Map<string, Uint8Array>();
  const store: RunStore = {
    read: async (name) => files.get(name) ?? null,
    write: async (name, bytes) => void files.set(name, bytes),
  };
  const options = { ...SMALL, epochs: 3, dropout: 0.2, weightDrop: 0.2 };
  const whole = await trainLanguageModel(TEXT, options);
  for (const stopAt of [5, 60]) {
    const control = new AbortController();
    let steps = 0;
    const onEvent = ({ event }: RunEvent): void => {
      if (event === 'step' && ++steps === stopAt) control.abort(new Error('stopped'));
    };
    await assert.rejects(trainLanguageModel(TEXT, { ...options, store, signal: control.signal, onEvent }), {
      message: 'stopped',
    });
  }
  const resumed = await trainLanguageModel(TEXT, { ...options, store });
  assert.deepEqual(resumed.scores, whole.scores);
  assert.deepEqual(resumed.training, whole.training);
});
