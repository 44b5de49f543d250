// unroll compare: the table, the files, and the messages for invalid input.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { failureMessage } from '@unroll/cli/internal';
import { useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll } = temp;
const TASK = [
  ...[
    'compare',
    'classify',
    '--data',
    'train.tsv',
    '--text',
    'review',
    '--label',
    'liked',
    '--networks',
    '1',
  ],
  ...['--units', '4', '--embedding', '4', '--epochs', '2'],
];

before(() => {
  const rows = Array.from(
    { length: 60 },
    (_, i) => `take ${i % 7} was ${['bad', 'good'][i % 2]}\t${['no', 'yes'][i % 2]}`,
  );
  writeFileSync(join(temp.folder, 'train.tsv'), `review\tliked\n${rows.join('\n')}\n`);
});

describe('unroll compare', () => {
  test('prints a table with a row for each recurrent cell and writes a report', async () => {
    const { code, stdout, stderr } = await unroll([
      ...TASK,
      '--cells',
      'min-gru,rnn',
      '--seeds',
      '2',
      '--out',
      'compared',
    ]);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^\[1\/4\] minGRU, seed 0: accuracy [\d.]+ %, 2 epochs$/m);
    assert.match(stdout, /^cell +parameters +s\/epoch +s to best +accuracy +± +MB +ms\/example$/m);
    assert.match(stdout, /^(minGRU|rnn) +\d+ +[\d.]+ +[\d.]+ +[\d.]+ % +[\d.]+ % +\d+ +[\d.]+$/m);
    assert.match(stdout, /^(Best cell|No winner)/m);
    assert.match(stdout, /^ {2}minGRU: its gates depend on the inputs only/m);
    assert.deepEqual(readdirSync(join(temp.folder, 'compared')).sort(), ['comparison.json', 'report.html']);
    const { compared, runs } = JSON.parse(
      readFileSync(join(temp.folder, 'compared/comparison.json'), 'utf8'),
    );
    assert.deepEqual([compared, runs.length], ['classify', 4]);
    // A run gives the same model as unroll train with its cell and seed and --no-ngrams. compare trains no n-gram model, because
    // that model is the same for all cells.
    const alone = await unroll([
      'train',
      ...TASK.slice(1),
      '--cell',
      'rnn',
      '--no-ngrams',
      '--seed',
      '1',
      '--json',
      '--out',
      'alone',
    ]);
    const { metrics, model } = JSON.parse(alone.stdout.trimEnd().split('\n').pop() ?? '');
    const run = runs.find(({ cell, seed }: { cell: string; seed: number }) => cell === 'rnn' && seed === 1);
    assert.deepEqual([run.quality, run.parameters], [metrics.accuracy, model.parameters]);
  });
  test('ends each run after --budget', async () => {
    const args = [
      ...TASK,
      '--epochs',
      '1000',
      '--cells',
      'rnn',
      '--seeds',
      '1',
      '--budget',
      '0.5s',
      '--json',
    ];
    const { code, stdout } = await unroll(args);
    assert.equal(code, 0);
    const { runs } = JSON.parse(stdout.trimEnd().split('\n').pop() ?? '');
    assert.ok(runs[0].epochs < 1000);
  });

  test('reports the whole message of a failed run', () => {
    const failed = 'The run failed: out of memory\nSet UNROLL_DEBUG=1 for a stack trace.';
    assert.equal(failureMessage(`unroll: ${failed}\n`, 1), failed);
    assert.equal(failureMessage(`(node:7) Warning: slow\nunroll: ${failed}\n`, 1), failed);
    assert.equal(failureMessage('FATAL ERROR: heap out of memory\n', 134), 'FATAL ERROR: heap out of memory');
    assert.equal(failureMessage('', 7), 'The training ended with the exit code 7.');
    assert.equal(failureMessage('', 'SIGKILL'), 'The training was ended by the signal SIGKILL.');
  });

  const refused: [string, string[], RegExp][] = [
    ['no task', ['compare'], /A task is required: unroll compare classify\|/],
    ['an unknown task', ['compare', 'clasify'], /Unknown task "clasify"\. Did you mean "classify"\?/],
    [
      'an unknown cell',
      [...TASK, '--cells', 'lstm,elman'],
      /--cells must be any of rnn, lstm, gru.*got "elman"/,
    ],
    ['--cell', [...TASK, '--cell', 'gru'], /--cell cannot be used in a comparison\. Set --cells\./],
    ['an option that the task does not have', [...TASK, '--windows', '3'], /Unknown option --windows/],
    [
      'a wrong budget',
      [...TASK, '--budget', 'soon'],
      /--budget must be a time such as 90s, 5m or 1h, got "soon"/,
    ],
    [
      'a missing file',
      ['compare', 'classify', '--data', 'none.tsv', '--text', 'a', '--label', 'b'],
      /none\.tsv/,
    ],
  ];
  for (const [name, args, message] of refused) {
    test(`refuses ${name}`, async () => {
      const { code, stdout, stderr } = await unroll(args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    });
  }
});
