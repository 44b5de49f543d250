// Classification of numeric sequences: training, prediction and saving, the encoding of steps, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { parseJsonLines, type Table } from '@unroll/data';
import {
  ClassifyModel,
  type ClassifyResult,
  classifyPlanEvent,
  classifyReport,
  type PreparedClassifier,
  prepareClassifier,
  type RunEvent,
  type RunStore,
  taskModelFromFiles,
  trainClassifier,
} from '@unroll/tasks';

const COLUMNS = { sequence: 'motion', label: 'kind' };
const SMALL = { ...COLUMNS, units: 8, networks: 2, epochs: 20, dropout: 0.1, learningRate: 0.01 };

const tableOf = (rows: readonly object[]): Table =>
  parseJsonLines(rows.map((row) => JSON.stringify(row)).join('\n'), { source: 'motions.jsonl' });

/** Returns noisy sequences of two features and 5 to 15 steps; the first feature rises or falls. */
function motions(count: number, seed = 1): { motion: number[][]; kind: string }[] {
  const random = new RandomStream(seed, 'motions');
  return Array.from({ length: count }, (_, i) => {
    const [length, start] = random.uniform(2);
    const slope = i % 2 === 0 ? 1 : -1;
    const steps = 5 + Math.floor(11 * length);
    const noise = random.normal(2 * steps, 0, 0.3);
    const motion = Array.from({ length: steps }, (_, t) => [
      20 * start + slope * t + noise[2 * t],
      1000 + noise[2 * t + 1],
    ]);
    return { motion, kind: i % 2 === 0 ? 'up' : 'down' };
  });
}

const encoderOf = ({ encoder }: PreparedClassifier) => {
  assert.ok(encoder.kind === 'sequence');
  return encoder;
};

describe('a classifier of sequences', () => {
  let result: ClassifyResult;
  before(async () => {
    result = await trainClassifier(tableOf(motions(120)), SMALL);
  });

  test('learns whether the first feature rises or falls', async () => {
    const { metrics } = await result.model.evaluate({ rows: tableOf(motions(60, 2)) });
    assert.ok(metrics!.accuracy > 0.95, `accuracy ${metrics!.accuracy}`);
  });
  test('gives the same probabilities alone and padded in a batch, and after saving and loading', async () => {
    const { model } = result;
    const texts = motions(6, 3).map(({ motion }) => JSON.stringify(motion));
    const together = await model.probabilities(texts);
    const loaded = taskModelFromFiles(await model.toFiles());
    assert.ok(loaded instanceof ClassifyModel);
    assert.deepEqual(await loaded.probabilities(texts), together);
    for (const [i, text] of texts.entries()) {
      const [alone] = await model.probabilities([text]);
      for (const [k, p] of alone.entries()) assert.ok(Math.abs(p - together[i][k]) < 1e-5);
    }
  });
  test('predicts rows, and sequences as JSON', async () => {
    const [first, second] = motions(2, 4);
    const { columns, rows } = await result.model.predict({ rows: tableOf([first, second]) });
    assert.deepEqual(columns, ['sequence', 'label', 'score']);
    assert.deepEqual(
      rows.map(([title, label]) => [title, label]),
      [
        ['line 1', 'up'],
        ['line 2', 'down'],
      ],
    );
    const text = JSON.stringify(first.motion);
    const fromText = await result.model.predict({ texts: [text] });
    assert.deepEqual(fromText.rows[0].slice(0, 2), [text, 'up']);
  });
  test('pipe takes one sequence or a list of sequences', async () => {
    const [first, second] = motions(2, 4).map(({ motion }) => motion);
    const [{ label, score }] = (await result.model.pipe(first)) as { label: string; score: number }[];
    assert.ok(label === 'up' && score > 0.5);
    const list = (await result.model.pipe([first, second], { topK: 2 })) as { label: string }[][];
    assert.deepEqual(
      list.map(([best, ...others]) => [best.label, others.length]),
      [
        ['up', 1],
        ['down', 1],
      ],
    );
    await assert.rejects(result.model.pipe([[1, 2, 3]]), {
      code: 'value',
      message: 'Sequence: step 1 must have 2 values, got 1.',
    });
  });
  test('has a report', () => {
    const html = classifyReport(result, { backend: 'native', seconds: 1 });
    assert.match(html, /kind: classification of motion/);
    assert.match(html, /<h2>Sequence lengths<\/h2>/);
  });
  test('finds patterns with convolutions, unless filters are 0', () => {
    const networkOf = (filters?: number): string | undefined => {
      const options = { ...SMALL, ...(filters !== undefined && { filters }) };
      const { lines } = classifyPlanEvent(prepareClassifier(tableOf(motions(20)), options));
      return lines.find(({ label }) => label === 'network')?.text;
    };
    const recurrent = 'bidirectional lstm of 8 units, dropout 0.1';
    assert.equal(networkOf(), `mean of 2 networks: two convolutions of 64 filters, ${recurrent}`);
    assert.equal(networkOf(16), `mean of 2 networks: two convolutions of 16 filters, ${recurrent}`);
    assert.equal(networkOf(0), `mean of 2 networks: ${recurrent}`);
    const names = result.model.network.layers.map(({ className }) => className);
    for (const name of ['Conv1D', 'BatchNormalization', 'MaxPooling1D'])
      assert.equal(names.filter((className) => className === name).length, 4, name);
  });

  test('describe returns the columns and the number of features', () => {
    const properties = Object.fromEntries(result.model.describe().map(({ name, value }) => [name, value]));
    assert.deepEqual([properties.sequence, properties.label, properties.features], ['motion', 'kind', 2]);
  });
});

describe('encoded sequences', () => {
  const rows = [
    ...[0, 0].map((kind) => ({ motion: [1, 3], kind })),
    ...[1, 1].map((kind) => ({ motion: [5, null, 7], kind })),
  ];
  // The validation rows have other values, which must not affect the standardisation.
  const validation = tableOf([
    { motion: [1000], kind: 0 },
    { motion: [-1000], kind: 1 },
  ]);
  const plan = prepareClassifier(tableOf(rows), { ...COLUMNS, validation });
  const encoder = encoderOf(plan);

  test('are standardised with the training rows', () => {
    // The values 1 3 1 3 5 7 5 7: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5.
    const { means, deviations } = encoder.config;
    assert.ok(Math.abs(means[0] - 4) < 1e-12 && Math.abs(deviations[0] - Math.sqrt(5)) < 1e-12);
    assert.equal(plan.missing, 0.2);
    assert.equal(plan.validationTexts[1], 'line 2');
    const array = { ...SMALL, validation: parseJsonLines(JSON.stringify(motions(3))) };
    assert.equal(prepareClassifier(tableOf(motions(20)), array).validationTexts[1], 'record 2');
  });
  test('contain the values and their differences from the previous step; missing values are filled, and extreme values limited', () => {
    const root = Math.sqrt(5);
    const close = (sequence: unknown, expected: number[]) => {
      const [{ values }] = encoder.encodeValues([sequence]);
      assert.equal(values.length, expected.length);
      for (const [i, value] of expected.entries())
        assert.ok(Math.abs(values[i] - value) < 1e-6, `${values}, ${expected}`);
    };
    close([4, 4 + root, 4], [0, 0, 1, 1, 0, -1]);
    close([null, 4 + root, null, Number.NaN, 4], [0, 0, 1, 1, 1, 0, 1, 0, 0, -1]);
    close([1e6, -1e6], [10, 0, -10, -20]);
    close('[[4], [4]]', [0, 0, 0, 0]);
  });
  test('nested lists of a step are flattened, and constant features become 0', () => {
    const frames = [1, 2, 3, 4].map((i) => ({ motion: [[[i, 5], [0]]], kind: i % 2 }));
    const nested = encoderOf(prepareClassifier(tableOf(frames), COLUMNS));
    assert.equal(nested.features, 3);
    const [{ values }] = nested.encodeValues([[[[2, [5]], 0]]]);
    assert.deepEqual([...values.subarray(1)], [0, 0, 0, 0, 0]);
  });
});

describe('prepareClassifier rejects', () => {
  const good = [0, 1, 0, 1].map((kind) => ({ motion: [[1, kind]], kind }));
  const cases: Record<string, [unknown, RegExp]> = {
    'steps with different numbers of features': [
      [
        [1, 2],
        [1, 2, 3],
      ],
      /^motions\.jsonl, line 5, column 1 \("motion"\): step 2 must have 2 values, got 3\.$/,
    ],
    'a word': [[[1, 'x']], /line 5, column 1 \("motion"\): step 1 must consist of numbers, got "x"\.$/],
    'an object': [[[1, {}]], /line 5, .*: step 1 must consist of numbers, got an object\.$/],
    'no steps': [[], /line 5, .*: a sequence must have at least one step\.$/],
    'an empty step': [[[]], /line 5, .*: step 1 must have 2 values, got 0\.$/],
    'a missing sequence': [null, /line 5, .*: a sequence must be a list of steps, got nothing\.$/],
    'a number': [7, /line 5, .*: a sequence must be a list of steps, got 7\.$/],
    'a text': [
      'rising',
      /line 5, .*: a sequence must be a list such as \[\[0\.1, 2\], \[0\.3, 1\]\], got "rising"\.$/,
    ],
  };
  for (const [name, [motion, message]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(() => prepareClassifier(tableOf([...good, { motion, kind: 1 }]), COLUMNS), {
        code: 'data',
        message,
      }),
    );
  }
  test('a feature without values', () => {
    const rows = good.map(({ kind }) => ({ motion: [[1, null]], kind }));
    assert.throws(() => prepareClassifier(tableOf(rows), COLUMNS), {
      message:
        'motions.jsonl: feature 2 of column "motion" has no values in the training rows. Remove the feature.',
    });
  });
  test('two input columns, no input column, and options for other kinds of inputs', () => {
    const table = tableOf(good);
    const prepare = (options: object) => () => prepareClassifier(table, { label: 'kind', ...options });
    assert.throws(prepare({}), {
      message:
        /^Pass the name of the column with the inputs in one of the options text, .* and frames, got none of them\.$/,
    });
    assert.throws(prepare({ text: 'a', sequence: 'b' }), { message: /got two of them\.$/ });
    assert.throws(prepare({ sequence: 'motion', lowercase: true }), {
      message: 'lowercase is an option for texts, but the inputs are sequences.',
    });
    assert.throws(prepare({ text: 'kind', label: 'motion', filters: 8 }), {
      message: 'filters is an option for sequences, but the inputs are texts.',
    });
    assert.throws(prepare({ sequence: 'kind' }), { message: /^sequence and label must be different/ });
  });
});

test('a run that is stopped and resumed ends with the same files', async () => {
  const table = tableOf(motions(60));
  const options = { ...SMALL, epochs: 4 };
  const whole = await trainClassifier(table, options);
  const stored = new Map<string, Uint8Array>();
  const store: RunStore = {
    read: async (name) => stored.get(name) ?? null,
    write: async (name, bytes) => void stored.set(name, bytes),
  };
  const controller = new AbortController();
  const onEvent = (event: RunEvent) => {
    const due = event.event === 'step' && event.training === 2 && event.epoch === 3;
    if (due) controller.abort(new Error('stopped'));
  };
  const run = trainClassifier(table, { ...options, store, signal: controller.signal, onEvent });
  await assert.rejects(run, { message: 'stopped' });
  const resumed = await trainClassifier(table, { ...options, store });
  assert.deepEqual(await resumed.model.toFiles(), await whole.model.toFiles());
});
