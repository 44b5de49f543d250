// The commands for language models: train, generate, evaluate, predict, and the messages for invalid input.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { useTempFolder } from '../shared/helpers.js';
import { testInterruptedRuns } from '../shared/interrupted.js';

const temp = useTempFolder();
const { unroll } = temp;
const inFolder = (name: string) => join(temp.folder, name);
const write = (name: string, text: string | Uint8Array) => writeFileSync(inFolder(name), text);
const events = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Returns lines such as `the cat sees the lake.` */
const linesOf = (count: number): string => {
  const words = [
    ['cat', 'dog', 'bird'],
    ['sees', 'hears'],
    ['tree', 'lake'],
  ];
  const pick = (n: number, k: number) => words[k][(n * (7 + 4 * k) + (n >> 2)) % words[k].length];
  return Array.from({ length: count }, (_, n) => `the ${pick(n, 0)} ${pick(n, 1)} the ${pick(n, 2)}.\n`).join(
    '',
  );
};
const QUICK = [
  '--units',
  '16',
  '--embedding',
  '8',
  '--epochs',
  '6',
  '--learning-rate',
  '0.02',
  '--dropout',
  '0',
];
const TRAIN = [
  'train',
  'generate',
  '--data',
  'train.txt',
  ...QUICK,
  '--weight-drop',
  '0',
  '--batch',
  '8',
  '--steps',
  '32',
];

before(async () => {
  write('train.txt', linesOf(600));
  write('test.txt', linesOf(40));
  const { code, stderr } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
});

describe('train generate', () => {
  test('prints the plan, the scores and the written files', async () => {
    const { stdout } = await unroll([...TRAIN, '--epochs', '1', '--out', 'printed']);
    assert.match(stdout, /^data {5}\d+ characters$/m);
    assert.match(stdout, /^ {9}Validation: the last \d+ characters\.$/m);
    assert.match(stdout, /^text {5}vocabulary of \d+ characters$/m);
    assert.match(stdout, /^network {2}embedding of 8, lstm of 16 units, dropout 0, weight drop 0$/m);
    assert.match(stdout, /^training 8 streams, batches of 32 steps, learning rate 0\.02, up to 1 epochs?$/m);
    assert.match(stdout, /^model +perplexity +nats\/character +bits\/character +tokens +characters$/m);
    const files = ['config.json', 'model.safetensors', 'pipeline.json', 'report.html', 'training.json'];
    assert.deepEqual(readdirSync(inFolder('printed')).sort(), files);
  });
  test('trains on the words of a gzip file, and with --json ends with the result as JSON', async () => {
    write('train.txt.gz', gzipSync(linesOf(600)));
    const args = [
      'train',
      'generate',
      '--data',
      'train.txt.gz',
      '--level',
      'word',
      ...QUICK,
      '--valid',
      'test.txt',
    ];
    const { code, stdout } = await unroll([...args, '--json', '--quiet', '--out', 'words']);
    assert.equal(code, 0);
    const { metrics, level, event, task } = events(stdout).at(-1);
    assert.deepEqual([event, task, level], ['result', 'generate', 'word']);
    assert.ok(metrics.nats_per_char < 0.3, JSON.stringify(metrics));
    assert.deepEqual(Object.keys(metrics), [
      'perplexity',
      'nats_per_char',
      'bits_per_char',
      'nats_per_token',
    ]);
  });
  test('prints the plan without training with --dry-run', async () => {
    const { code, stdout } = await unroll([
      ...TRAIN,
      '--level',
      'subword',
      '--subwords',
      '300',
      '--dry-run',
      '--json',
    ]);
    assert.equal(code, 0);
    const [plan, ...rest] = events(stdout);
    assert.deepEqual([plan.event, plan.level, plan.tied, rest.length], ['plan', 'subword', true, 0]);
    assert.equal(plan.vocabulary <= 301, true);
  });
});

describe('generate', () => {
  test('prints the prompt and its continuation, the same for the same seed', async () => {
    const args = [
      'generate',
      'model',
      '--prompt',
      'the cat',
      '--length',
      '100',
      '--seed',
      '1',
      '--temperature',
      '0.3',
    ];
    const { code, stdout, stderr } = await unroll(args);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^the cat (sees|hears) the (tree|lake)\.\nthe /);
    assert.equal(stdout.trimEnd().length >= 106, true);
    assert.ok(stdout.endsWith('\n'));
    assert.equal((await unroll(args)).stdout, stdout);
    const [{ prompt, text, seed }] = events((await unroll([...args, '--json'])).stdout);
    assert.deepEqual([prompt, seed, text.length], ['the cat', 1, 100]);
    assert.equal(stdout.trimEnd(), (prompt + text).trimEnd());
  });
  test('prints to a pipe while it generates', async () => {
    let pieces = 0;
    const { code, stdout } = await unroll(['generate', 'model', '--length', '3000'], (child) => {
      child.stdout!.on('data', () => pieces++);
    });
    assert.deepEqual([code, stdout.trimEnd().length > 2990], [0, true]);
    assert.ok(pieces > 5, `${pieces} pieces`);
  });
  test('notes unknown characters on stderr', async () => {
    const { stderr } = await unroll(['generate', 'model', '--prompt', 'the 猫', '--length', '5']);
    assert.match(stderr, /^1 of 5 characters of the prompt \(20 %\) are not in the vocabulary\./);
  });
  test('help lists its options and those of the model', async () => {
    assert.match((await unroll(['generate', '--help'])).stdout, /--prompt <text>/);
    const { stdout } = await unroll(['generate', 'model', '--help']);
    assert.match(stdout, /--temperature <x> {4,}at 1, samples from the model/);
    assert.match(
      (await unroll(['--help'])).stdout,
      /^ {2}generate +generate text with a saved language model$/m,
    );
    const training = (await unroll(['train', 'generate', '--help'])).stdout;
    assert.deepEqual(training.match(/^ *--batch.*$/gm), [
      '  --batch <n>           number of parallel streams into which the text is cut',
    ]);
  });
});

describe('a trained language model', () => {
  test('is evaluated', async () => {
    const { stdout } = await unroll(['evaluate', 'model', '--data', 'test.txt', '--threads', '1', '--json']);
    const [scores, result] = events(stdout);
    assert.equal(scores.event, 'scores');
    const { perplexity, nats_per_char, bits_per_char, nats_per_token } = result.metrics;
    assert.ok(nats_per_char > 0 && nats_per_char < 0.4);
    assert.ok(Math.abs(bits_per_char - nats_per_char / Math.LN2) < 1e-12);
    assert.ok(Math.abs(perplexity - Math.exp(nats_per_token)) < 1e-12);
  });
  test('predicts the continuation of a text, of a file and of lines', async () => {
    const options = ['--length', '12', '--temperature', '0', '--json'];
    const [{ text, continuation }] = events(
      (await unroll(['predict', 'model', '--text', 'the cat', ...options])).stdout,
    );
    assert.deepEqual([text, continuation.length], ['the cat', 12]);
    write('prompt.txt', 'the cat');
    const [fromFile] = events(
      (await unroll(['predict', 'model', '--data', 'prompt.txt', ...options])).stdout,
    );
    assert.equal(fromFile.continuation, continuation);
    const { stdout } = await unroll(['predict', 'model', '-', ...options], ({ stdin }) =>
      stdin!.end('the cat\nthe dog\n'),
    );
    assert.deepEqual(events(stdout)[0], { text, continuation });
    assert.equal(events(stdout).length, 2);
  });
  test('is inspected', async () => {
    const { stdout } = await unroll(['inspect', 'model']);
    assert.match(stdout, /^task +generate, format version 1$/m);
    assert.match(stdout, /^level +char$/m);
  });
});

describe('invalid input', () => {
  before(() => {
    write('empty.txt', '');
    write('blank.txt', ' \n \n');
    write('short.txt', 'the cat');
    write('same.txt', 'a'.repeat(500));
    write(
      'binary.txt',
      Uint8Array.from({ length: 300 }, (_, i) => i % 4),
    );
    write(
      'damaged.txt',
      Buffer.concat([Buffer.from('é'.repeat(200)), Buffer.from([0xc3]), Buffer.from('é'.repeat(200))]),
    );
  });
  const train = (...args: string[]) => ['train', 'generate', '--out', 'bad', ...args];
  const cases: Record<string, [string[], RegExp]> = {
    'an empty file': [train('--data', 'empty.txt'), /empty\.txt is empty/],
    'white space only': [train('--data', 'blank.txt'), /blank\.txt contains only white space/],
    'a short text': [
      train('--data', 'short.txt'),
      /short\.txt: the text for training must have at least 100 characters/,
    ],
    'one character only': [train('--data', 'same.txt'), /same\.txt: all characters of the text are equal/],
    'a binary file': [train('--data', 'binary.txt'), /binary\.txt is not a text file/],
    'a damaged file': [train('--data', 'damaged.txt'), /damaged\.txt, line 1: the text is UTF-8 except for/],
    'an empty validation file': [train('--data', 'train.txt', '--valid', 'empty.txt'), /empty\.txt is empty/],
    'no file': [train('--data', 'none.txt'), /none\.txt: file not found/],
    'no data': [train(), /--data <file> is required: the text to train on/],
    'no folder': [['train', 'generate', '--data', 'train.txt'], /--out <folder> is required/],
    'an unknown level': [
      train('--data', 'train.txt', '--level', 'chars'),
      /--level must be one of char, word, subword/,
    ],
    '--subwords at the level of characters': [
      train('--data', 'train.txt', '--subwords', '500'),
      /subwords needs the level "subword"/,
    ],
    'too few subwords': [
      train('--data', 'train.txt', '--subwords', '9'),
      /--subwords must be an integer of at least 257/,
    ],
    'a missing model folder': [['generate', 'none'], /none: folder not found/],
    'no model': [['generate'], /Exactly one model is required: unroll generate <model folder>/],
    'two models': [['generate', 'model', 'model'], /Exactly one model is required/],
    'a negative temperature': [
      ['generate', 'model', '--temperature=-1'],
      /temperature must not be negative, got -1/,
    ],
    'an invalid top-p': [['generate', 'model', '--top-p', '0'], /top-p must be above 0 and at most 1, got 0/],
    'an invalid length': [
      ['generate', 'model', '--length', '0'],
      /--length must be an integer of at least 1/,
    ],
    'an unknown option': [
      ['generate', 'model', '--promt', 'a'],
      /Unknown option --promt\. Did you mean --prompt\?/,
    ],
    'an empty text to evaluate': [['evaluate', 'model', '--data', 'empty.txt'], /empty\.txt is empty/],
    'nothing to predict from': [['predict', 'model'], /There is no text to continue/],
    'a query': [['predict', 'model', '--data', 'test.txt', '--sql', 'select 1'], /--sql needs a table/],
  };
  for (const [name, [args, message]] of Object.entries(cases)) {
    test(name, async () => {
      const { code, stdout, stderr } = await unroll(args);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, message);
      assert.ok(stderr.trimEnd().split('\n').length <= 3, stderr);
      assert.equal(existsSync(inFolder('bad')), false);
    });
  }
  test('trains on a text of one long line', async () => {
    write('line.txt', linesOf(600).replaceAll('\n', ' '));
    const { code } = await unroll([
      ...TRAIN.map((arg) => (arg === 'train.txt' ? 'line.txt' : arg)),
      '--epochs',
      '1',
      '--out',
      'line',
    ]);
    assert.equal(code, 0);
  });
});

testInterruptedRuns(temp, {
  train: [...TRAIN, '--epochs', '12', '--dropout', '0.2', '--weight-drop', '0.2', '--json'],
  changedOption: ['--units', '5'],
  message: /cannot be resumed: --units was 16 and is now 5/,
});
