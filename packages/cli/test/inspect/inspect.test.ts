/**
 * `unroll inspect --data --report` on a model of each task: the page has the example, the unrolled network, gates, memory,
 * saturation and weights, and escapes texts of the user. The title of the example shows that the task reads the requested row.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { memoryText } from '@unroll/cli/internal';
import { AIR, passengers, QUICK, useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const ODD = ['one', 'three', 'five'];
const NUMBERS = ['one', 'two', 'three', 'four', 'five', 'six'];
const WORDS = Array.from({ length: 60 }, (_, i) => [NUMBERS[i % 6]!, NUMBERS[(i * 2 + 1) % 6]!, 'x<b>y']);
const QUICK_TEXT = ['--epochs', '1', '--units', '4'];

const FILES: Record<string, string> = {
  'classes.csv': [
    'text,label',
    ...WORDS.map((words) => `${words.join(' ')},${ODD.includes(words[0]!) ? 'odd' : 'even'}`),
  ].join('\n'),
  'tags.conll': WORDS.map((words) =>
    words.map((word) => `${word} ${ODD.includes(word) ? 'B-ODD' : 'O'}`).join('\n'),
  ).join('\n\n'),
  'text.txt': WORDS.map((words) => words.join(' ')).join('\n'),
  'pairs.csv': [
    'source,target',
    ...WORDS.map((words) => `${words.join(' ')},${words.toReversed().join(' ')}`),
  ].join('\n'),
};

interface Case {
  train: string[];
  data: string;
  /** Part of the title of the example on the page. The example is row 2 of the data; for forecast, the last rows. */
  title: string;
}

const CASES: Record<string, Case> = {
  forecast: {
    train: ['forecast', ...AIR, '--out', 'forecast', ...QUICK],
    data: passengers,
    title: 'up to 1960-12',
  },
  classify: {
    train: [
      'train',
      'classify',
      '--data',
      'classes.csv',
      '--text',
      'text',
      '--label',
      'label',
      '--out',
      'classify',
      ...QUICK_TEXT,
    ],
    ...{ data: 'classes.csv', title: 'two four x&lt;b&gt;y' },
  },
  tag: {
    train: ['train', 'tag', '--data', 'tags.conll', '--out', 'tag', ...QUICK_TEXT],
    data: 'tags.conll',
    title: 'two four x&lt;b&gt;y',
  },
  generate: {
    train: ['train', 'generate', '--data', 'text.txt', '--out', 'generate', ...QUICK_TEXT],
    ...{ data: 'text.txt', title: 'two four x&lt;b&gt;y' },
  },
  translate: {
    train: [
      'train',
      'translate',
      '--data',
      'pairs.csv',
      '--source',
      'source',
      '--target',
      'target',
      '--out',
      'translate',
      ...QUICK_TEXT,
    ],
    ...{ data: 'pairs.csv', title: 'two four x&lt;b&gt;y → ' },
  },
};

describe('unroll inspect --data', () => {
  before(() => {
    for (const name in FILES) writeFileSync(join(temp.folder, name), FILES[name]!);
  });

  for (const [task, { train, data, title }] of Object.entries(CASES)) {
    test(`writes a page about a model of the task ${task}`, async () => {
      const trained = await temp.unroll(train);
      assert.equal(trained.code, 0, trained.stderr);
      const model = task === 'forecast' ? 'forecast/model' : task;
      const row = task === 'forecast' ? [] : ['--row', '2'];
      const found = await temp.unroll(['inspect', model, '--data', data, ...row, '--report', `${task}.html`]);
      assert.equal(found.code, 0, found.stderr);
      assert.match(found.stdout, /The output depends on inputs up to \d+ steps? back/);
      assert.match(found.stdout, /layer +gate +low +high +dead units/);
      const page = readFileSync(join(temp.folder, `${task}.html`), 'utf8');
      assert.ok(page.includes(title), 'the title of the example');
      for (const name of [
        'Unrolled network',
        'Memory',
        'Gradients by lag',
        'Saturation',
        'Gates of ',
        'Weights',
      ])
        assert.ok(page.includes(`<h2>${name}`), name);
      assert.match(page, /default-src &#39;none&#39;|default-src 'none'/);
      assert.doesNotMatch(page, /<b>y|<script|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
    });
  }

  test('one step of memory is in the singular', () => {
    const memory = (length: number) => ({
      lengths: Int32Array.of(length),
      influence: { shape: [1, 3], values: new Float32Array(3) },
    });
    assert.match(memoryText(memory(1)), /inputs up to 1 step back \(of 3 steps\)/);
    assert.match(memoryText(memory(2)), /inputs up to 2 steps back \(of 3 steps\)/);
  });

  test('without data, the page has the weights; errors name the option', async () => {
    const weights = await temp.unroll(['inspect', 'tag', '--report', 'out/weights.html']);
    assert.equal(weights.code, 0, weights.stderr);
    const page = readFileSync(join(temp.folder, 'out/weights.html'), 'utf8');
    assert.match(page, /<h2>Weights<\/h2>.*recurrent_kernel/s);
    assert.doesNotMatch(page, /Unrolled/);
    const fails = async (args: string[], message: RegExp): Promise<void> => {
      const { code, stderr } = await temp.unroll(['inspect', 'tag', ...args]);
      assert.notEqual(code, 0);
      assert.match(stderr, message);
    };
    await fails(
      ['--data', 'tags.conll', '--row', '61'],
      /The row must be from 1 to 60 \(the number of sentences\), got 61/,
    );
    await fails(['--data', 'tags.conll', '--row', '0'], /row/);
    await fails(['--sql', 'select * from data'], /--sql needs --data <file>/);
    await fails(['--no-header', '--report', 'page.html'], /--no-header needs --data <file>/);
    await fails(['--row', '1'], /--row needs --data or --text/);
    await fails(['--report', 'page.txt'], /--report must be the name of an HTML file.* got page\.txt/);
    await fails(['--report', 'page.html', '--json'], /--json describes the model only/);
  });
});
