// The commands for tagging: train, evaluate, predict, and the messages for invalid input.
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

/** Returns sentences in which a person follows "met" and a place follows "in". */
const conll = (count: number, shift = 0): string =>
  Array.from({ length: count }, (_, n) => {
    const i = n + shift;
    const person = [`${['Ana', 'Luis', 'Rosa'][i % 3]} B-PER`, ...(i % 2 === 0 ? ['Costa I-PER'] : [])];
    const location = ['in O', `${['Rio', 'Porto'][i % 2]} B-LOC`];
    const parts = [['we O', 'met O', ...person], i % 5 === 0 ? ['then O'] : location, ['. O']];
    return `${parts.flat().join('\n')}\n`;
  }).join('\n');
/** Returns sentences in CoNLL-U format. Every second one ends with a full stop. */
const conllu = (count: number): string =>
  Array.from({ length: count }, (_, i) => {
    const words = [
      ['the', 'DET'],
      [['dog', 'cat', 'man'][i % 3], 'NOUN'],
      [['runs', 'sleeps'][i % 2], 'VERB'],
      ...(i % 2 === 0 ? [['.', 'PUNCT']] : []),
    ];
    const rows = words.map(([word, tag], t) =>
      [t + 1, word, word, tag, tag[0], '_', 0, 'dep', '_', '_'].join('\t'),
    );
    return `# sent_id = ${i + 1}\n${rows.join('\n')}\n`;
  }).join('\n');

const QUICK = '--networks 2 --units 4 --embedding 8 --learning-rate 0.03 --dropout 0.1 --epochs 6'.split(' ');
const TRAIN = ['train', 'tag', '--data', 'train.conll', ...QUICK];

before(async () => {
  write('train.conll', conll(120));
  write('test.conll', conll(40, 3));
  write('test.conll.gz', gzipSync(conll(40, 3)));
  write('pos.conllu', conllu(80));
  const { code, stderr } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
});

describe('train tag', () => {
  test('prints the plan, the scores and the written files', async () => {
    const { stdout } = await unroll([...TRAIN, '--valid', 'test.conll.gz', '--out', 'printed']);
    assert.match(stdout, /^data {5}120 sentences, 756 tokens, 2 types \(BIO\): LOC, PER$/m);
    assert.match(stdout, /^ {9}Validation: 40 sentences of test\.conll\.gz\.$/m);
    assert.match(stdout, /^ {9}Length: 6 tokens \(median\), 7 \(99th percentile\), 7 \(longest\)\.$/m);
    assert.match(stdout, /^\[2\/2\] lstm: training, loss [\d.]+, \d+ sequences\/s$/m);
    assert.match(stdout, /^type +precision +recall +F1 +entities$/m);
    assert.match(stdout, /^written {2}printed: the model and report\.html$/m);
    const files = ['config.json', 'model.safetensors', 'pipeline.json', 'report.html', 'training.json'];
    assert.deepEqual(readdirSync(inFolder('printed')).sort(), files);
  });
  test('with --json, ends with the result as JSON', async () => {
    const { code, stdout } = await unroll([...TRAIN, '--cell', 'gru', '--json', '--quiet', '--out', 'json']);
    assert.equal(code, 0);
    const { metrics, model, ...result } = events(stdout).at(-1);
    assert.deepEqual(Object.keys(metrics), ['precision', 'recall', 'f1', 'accuracy']);
    assert.equal(model.cell, 'gru');
    assert.deepEqual([result.event, result.task, result.out], ['result', 'tag', 'json']);
  });
  test('prints the plan without training with --dry-run', async () => {
    const { code, stdout } = await unroll([...TRAIN, '--dry-run', '--json']);
    assert.equal(code, 0);
    const [plan, ...rest] = events(stdout);
    assert.deepEqual(
      [plan.event, plan.scheme, plan.training, plan.validation, rest.length],
      ['plan', 'bio', 108, 12, 0],
    );
  });
  test('learns a column of a CoNLL-U file, and evaluates the same column', async () => {
    const args = ['train', 'tag', '--data', 'pos.conllu', '--column', 'xpos', ...QUICK, '--out', 'pos'];
    const { code, stdout } = await unroll(args);
    assert.equal(code, 0);
    assert.match(stdout, /4 tags: D, N, P, V$/m);
    const evaluated = await unroll(['evaluate', 'pos', '--data', 'pos.conllu', '--json']);
    assert.ok(events(evaluated.stdout).at(-1).metrics.accuracy > 0.9);
    const { stdout: predicted } = await unroll(['predict', 'pos', '--text', 'the cat sleeps']);
    assert.equal(predicted, 'text,tokens,tags\nthe cat sleeps,the cat sleeps,D N V\n');
  });
  test('help lists the task and its options', async () => {
    const { stdout } = await unroll(['train', '--help']);
    assert.match(stdout, /^ {2}tag +tag each token of a sentence, for example with its part of speech$/m);
    const help = (await unroll(['train', 'tag', '--help'])).stdout;
    assert.match(help, /^ {2}--scheme <name> {7}how tags mark entities/m);
  });
});

describe('a trained model', () => {
  test('is evaluated', async () => {
    const { code, stdout } = await unroll(['evaluate', 'model', '--data', 'test.conll']);
    assert.equal(code, 0);
    assert.match(stdout, /^model +precision +recall +F1 +accuracy +sentences$/m);
    const json = await unroll(['evaluate', 'model', '--data', 'test.conll', '--json']);
    const [scores, types, result] = events(json.stdout);
    assert.deepEqual([scores.event, types.name, result.task], ['scores', 'types', 'tag']);
    assert.ok(result.metrics.f1 > 0.9, JSON.stringify(result));
  });
  test('predicts a text, lines of stdin, and a file', async () => {
    const text = 'Yesterday we met Ana Costa in Porto.';
    const json = await unroll(['predict', 'model', '--text', text, '--probabilities', '--json']);
    const { entities, tags } = JSON.parse(json.stdout);
    assert.deepEqual(tags, ['O', 'O', 'O', 'B-PER', 'I-PER', 'O', 'B-LOC', 'O']);
    assert.deepEqual(
      entities.map(({ start, end, text: found, type }: Record<string, unknown>) => [start, end, found, type]),
      [
        [17, 26, 'Ana Costa', 'PER'],
        [30, 35, 'Porto', 'LOC'],
      ],
    );
    assert.ok(entities[0].score > 0.3);
    const lines = await unroll(['predict', 'model', '-'], (child) =>
      child.stdin!.end(`${text}\n\nwe met Rosa\n`),
    );
    assert.deepEqual(lines.stdout.split('\n'), [
      'Yesterday we met Ana Costa in Porto .\tO O O B-PER I-PER O B-LOC O\tAna Costa (PER); Porto (LOC)',
      '',
      'we met Rosa\tO O B-PER\tRosa (PER)',
      '',
    ]);
    const file = await unroll(['predict', 'model', '--data', 'test.conll']);
    const [head, ...rows] = file.stdout.trimEnd().split('\n');
    assert.deepEqual([head, rows.length], ['text,tokens,tags,entities', 40]);
  });
  test('is inspected', async () => {
    const { stdout } = await unroll(['inspect', 'model']);
    assert.match(stdout, /^task +tag, format version 1$/m);
    assert.match(stdout, /^scheme +bio$/m);
  });
});

describe('invalid input', () => {
  const contents: Record<string, string | Uint8Array> = {
    'empty.conll': '',
    'broken.conll': 'we O\nmet\n',
    'one-tag.conll': 'we O\n\nmet O\n',
    'untagged.conll': 'we\nmet\n',
    'unknown-tag.conll': 'we O\nmet B-GPE\n',
    'unknown-words.conll': '中 O\n文 O\n',
    'long.conll': `${'word '.repeat(200_000)}\n`,
    'encoding.conll': Uint8Array.from([0x77, 0x65, 0x20, 0x4f, 0x0a, 0xc3, 0x28, 0x00, 0xff, 0x4f, 0x0a]),
  };
  before(() => {
    for (const [name, content] of Object.entries(contents)) write(name, content);
  });
  const train = (...args: string[]) => ['train', 'tag', '--out', 'bad', ...args];
  const cases: Record<string, [string[], RegExp]> = {
    'an empty file': [train('--data', 'empty.conll'), /empty\.conll is empty\. A CoNLL file has one token/],
    'a broken line': [
      train('--data', 'broken.conll'),
      /broken\.conll, line 2: 1 column \(separated by spaces\), but line 1 has 2/,
    ],
    'one tag only': [
      train('--data', 'one-tag.conll'),
      /one-tag\.conll must have at least two different tags, got only "O"/,
    ],
    'no tags': [train('--data', 'untagged.conll'), /untagged\.conll, line 1: the line has one column\./],
    'a line of 1 MB': [train('--data', 'long.conll'), /long\.conll, line 1: the line has 200000 columns\./],
    'a wrong encoding': [train('--data', 'encoding.conll'), /encoding\.conll/],
    'no file': [train('--data', 'none.conll'), /none\.conll: file not found/],
    'no data': [train(), /--data <file> is required: the sentences to train on\./],
    'no folder': [['train', 'tag', '--data', 'train.conll'], /--out <folder> is required/],
    'an unknown tag in validation sentences': [
      train('--data', 'train.conll', '--valid', 'unknown-tag.conll'),
      /unknown-tag\.conll, line 2: tag "B-GPE" does not occur in the training data\. Its tags: O, B-LOC, I-LOC, B-PER, I-PER\./,
    ],
    'tags of another scheme': [
      train('--data', 'train.conll', '--scheme', 'bmes'),
      /train\.conll, line 4: with the scheme bmes, a tag must be O or a tag that begins with B-, M-, E-, S-, got "I-PER"/,
    ],
    'an unknown scheme': [
      train('--data', 'train.conll', '--scheme', 'iob'),
      /--scheme must be one of bio, bioes, bmes, none, got "iob"/,
    ],
    'an unknown column': [
      train('--data', 'train.conll', '--column', 'pos'),
      /--column must be the number of a column, from 1, or one of/,
    ],
    'a column number that is too large': [
      train('--data', 'train.conll', '--column', '3'),
      /train\.conll, line 1: there is no column 3/,
    ],
    'an unknown tag at test time': [
      ['evaluate', 'model', '--data', 'unknown-tag.conll'],
      /unknown-tag\.conll, line 2: tag "B-GPE" does not occur in the training data/,
    ],
    'only unknown words': [
      ['predict', 'model', '--data', 'unknown-words.conll'],
      /unknown-words\.conll: no word occurs in the training data/,
    ],
    'an empty text': [['predict', 'model', '--text', ' '], /The text is empty/],
    'an SQL query on a CoNLL file': [
      ['predict', 'model', '--data', 'test.conll', '--sql', 'select 1'],
      /--sql needs a table/,
    ],
  };
  for (const [name, [args, message]] of Object.entries(cases)) {
    test(name, async () => {
      const { code, stdout, stderr } = await unroll(args);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, message);
      assert.ok(stderr.length < 600 && stderr.trimEnd().split('\n').length <= 3, stderr);
      assert.equal(existsSync(inFolder('bad')), false);
    });
  }
});

testInterruptedRuns(temp, {
  train: [...TRAIN.slice(0, -1), '12', '--json'],
  changedOption: ['--scheme', 'bio'],
  message: /cannot be resumed: --scheme/,
});
