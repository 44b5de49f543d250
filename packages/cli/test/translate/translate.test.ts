// The commands for translation: train on a table or on parallel files, evaluate, predict, and the messages for invalid input.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
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

const WORDS = [
  ['zwei two', 'drei three', 'vier four'],
  ['rote red', 'alte old', 'blaue blue'],
  ['Hunde dogs', 'Katzen cats', 'Bäume trees'],
  ['schlafen sleep', 'warten wait', 'fallen fall'],
].map((list) => list.map((pair) => pair.split(' ')));

/** Returns the n-th phrase, with the verb first, and its translation, with the verb last. */
function pairOf(n: number): [german: string, english: string] {
  const chosen = WORDS.map((list, i) => list[Math.floor(n / 3 ** i) % 3]);
  const [number, adjective, noun, verb] = chosen;
  return [
    [verb, number, adjective, noun].map(([german]) => german).join(' '),
    [number, adjective, noun, verb].map(([, english]) => english).join(' '),
  ];
}
const PAIRS = Array.from({ length: 320 }, (_, i) => pairOf((i * 37) % 81));
const rows = (pairs: readonly (readonly string[])[]) => pairs.map((pair) => `${pair.join('\t')}\n`).join('');
const lines = (pairs: readonly (readonly string[])[], side: number) =>
  pairs.map((pair) => `${pair[side]}\n`).join('');
const HEADER = 'de\ten\n';
const QUICK = '--units 24 --embedding 24 --learning-rate 0.015 --dropout 0.05 --epochs 9'.split(' ');
const COLUMNS = ['--source', 'de', '--target', 'en'];
const TRAIN = ['train', 'translate', '--data', 'train.tsv', ...COLUMNS, ...QUICK];
const FILES = ['--source-file', 'train.de', '--target-file', 'train.en'];

before(async () => {
  write('train.tsv', HEADER + rows(PAIRS));
  write('test.tsv', HEADER + rows(PAIRS.slice(0, 30)));
  for (const [side, name] of ['de', 'en'].entries()) {
    write(`train.${name}`, lines(PAIRS, side));
    write(`test.${name}`, lines(PAIRS.slice(0, 30), side).replaceAll('\n', '\r\n'));
  }
  const { code, stderr } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
});

describe('train translate', () => {
  test('prints the plan, the scores and the written files', async () => {
    const { stdout } = await unroll([...TRAIN, '--epochs', '1', '--out', 'printed']);
    assert.match(stdout, /^data {5}320 pairs in "de" and "en"$/m);
    assert.match(stdout, /^ {9}Validation: 32 of the pairs\.$/m);
    assert.match(
      stdout,
      /^ {9}Length in subwords: source 4 \(median\), 4 \(99th percentile\), 4 \(longest\); target 4 /m,
    );
    assert.match(stdout, /^\[1\/1\] lstm: training, loss [\d.]+, \d+ sequences\/s$/m);
    assert.match(stdout, /^model +BLEU +chrF +ROUGE-1 +ROUGE-2 +ROUGE-L +perplexity +pairs$/m);
    assert.match(stdout, /^Signatures: BLEU nrefs:1/m);
    assert.match(stdout, /^written {2}printed: the model and report\.html$/m);
    const files = ['config.json', 'model.safetensors', 'pipeline.json', 'report.html', 'training.json'];
    assert.deepEqual(readdirSync(inFolder('printed')).sort(), files);
  });
  test('reads parallel files, also for validation, and ends with the result as JSON', async () => {
    const valid = ['--valid-source', 'test.de', '--valid-target', 'test.en'];
    const args = ['train', 'translate', ...FILES, ...valid, ...QUICK, '--cell', 'gru', '--lowercase'];
    const { code, stdout } = await unroll([...args, '--json', '--quiet', '--out', 'files']);
    assert.equal(code, 0);
    const { metrics, model, ...result } = events(stdout).at(-1);
    assert.ok(metrics.bleu > 90, JSON.stringify(metrics));
    assert.deepEqual([model.cell, result.task, result.out], ['gru', 'translate', 'files']);
    const predicted = await unroll(['predict', 'files', '--data', 'test.de']);
    const [head, ...translations] = predicted.stdout.trimEnd().split('\n');
    assert.deepEqual([head, translations.length], ['text,translation', 30]);
    const scored = await unroll([
      'evaluate',
      'files',
      '--source-file',
      'test.de',
      '--target-file',
      'test.en',
    ]);
    assert.match(scored.stdout, /BLEU nrefs:1\|case:lc/);
  });
  test('prints the plan without training with --dry-run', async () => {
    const { code, stdout } = await unroll([...TRAIN, '--level', 'words', '--dry-run', '--json']);
    assert.equal(code, 0);
    const [plan, ...rest] = events(stdout);
    assert.deepEqual([plan.event, plan.training, plan.validation, rest.length], ['plan', 288, 32, 0]);
    assert.deepEqual([plan.level, plan.vocabulary], ['words', { source: 16, target: 16 }]);
  });
  test('help lists the task and its options', async () => {
    const { stdout } = await unroll(['train', '--help']);
    assert.match(stdout, /^ {2}translate {3}translate or summarise texts$/m);
    const help = (await unroll(['train', 'translate', '--help'])).stdout;
    assert.match(help, /^ {2}--target-file <file> {2}target texts: line n/m);
  });
});

describe('a trained model', () => {
  test('is evaluated on rows and on parallel files', async () => {
    const json = await unroll(['evaluate', 'model', '--data', 'test.tsv', '--json']);
    const [note, scores, result] = events(json.stdout);
    assert.deepEqual([note.event, scores.event, result.event], ['note', 'scores', 'result']);
    assert.ok(result.metrics.bleu > 90, JSON.stringify(result));
    const files = ['--source-file', 'test.de', '--target-file', 'test.en'];
    const parallel = await unroll(['evaluate', 'model', ...files, '--json']);
    assert.deepEqual(events(parallel.stdout).at(-1).metrics, result.metrics);
  });
  test('predicts rows and a text', async () => {
    const { stdout } = await unroll(['predict', 'model', '--data', 'test.tsv']);
    const [head, ...predicted] = stdout.trimEnd().split('\n');
    assert.deepEqual([head, predicted.length], ['text,translation', 30]);
    const args = ['predict', 'model', '--text', PAIRS[5][0], '--beam', '2', '--alignments', '--json'];
    const { translation, tokens, sourceTokens, weights } = JSON.parse((await unroll(args)).stdout);
    assert.equal(translation, PAIRS[5][1]);
    assert.deepEqual([weights.length, weights[0].length], [tokens.length, sourceTokens.length]);
  });
  test('predicts the lines of stdin', async () => {
    const run = await unroll(['predict', 'model', '-'], (child) => {
      child.stdin!.end(`${PAIRS[1][0]}\n\n${PAIRS[2][0]}\n`);
    });
    assert.equal(run.stdout, `${PAIRS[1][1]}\n\n${PAIRS[2][1]}\n`);
  });
  test('is inspected', async () => {
    const { stdout } = await unroll(['inspect', 'model']);
    assert.match(stdout, /^task +translate, format version 1$/m);
    assert.match(stdout, /^target length +\d+$/m);
  });
});

describe('invalid input', () => {
  const tables: Record<string, string> = {
    'blank.tsv': `${HEADER}ja\tyes\n \tno\n`,
    'ragged.tsv': `${HEADER}ja\tyes\nnein\tno\t1\n`,
    'one.tsv': `${HEADER}ja\tyes\n`,
    'empty.tsv': '',
    'unknown.tsv': `${HEADER}你好\tyes\n`,
    'short.en': 'yes\n',
    'gap.en': lines(PAIRS, 1).replace('two red cats sleep', ''),
  };
  before(() => {
    for (const [name, text] of Object.entries(tables)) write(name, text);
    write('bytes.en', Uint8Array.of(0, 1, 2, 3));
  });
  const train = (...args: string[]) => ['train', 'translate', '--out', 'bad', ...args];
  const parallel = (target: string, ...args: string[]) =>
    train('--source-file', 'train.de', '--target-file', target, ...args);
  const cases: Record<string, [string[], RegExp]> = {
    'an empty text': [train('--data', 'blank.tsv', ...COLUMNS), /blank\.tsv, line 3, column 1 \("de"\): the source text is empty/], // biome-ignore format: one line
    'ragged rows': [
      train('--data', 'ragged.tsv', ...COLUMNS),
      /ragged\.tsv, line 3: 3 fields, more than the header's 2/,
    ],
    'one pair only': [train('--data', 'one.tsv', ...COLUMNS), /one\.tsv: at least 2 pairs are needed/],
    'an empty file': [train('--data', 'empty.tsv', ...COLUMNS), /empty\.tsv is empty/],
    'an unknown column': [train('--data', 'train.tsv', '--source', 'dee', '--target', 'en'), /has no column "dee"\. Did you mean "de"\?/], // biome-ignore format: one line
    'files of different lengths': [parallel('short.en'), /train\.de has 320 lines, but short\.en has 1\./],
    'an empty line': [parallel('gap.en'), /gap\.en, line \d+: the line is empty/],
    'a binary file': [parallel('bytes.en'), /bytes\.en is not a text file/],
    'no file': [parallel('none.en'), /none\.en: file not found/],
    'one file only': [
      train('--source-file', 'train.de'),
      /--target-file <file> is required: the target texts\./,
    ],
    'one validation file only': [parallel('train.en', '--valid-source', 'test.de'), /--valid-source and --valid-target must be given together/], // biome-ignore format: one line
    'a table and files': [train('--data', 'train.tsv', ...FILES), /--data cannot be combined with --source-file and --target-file/], // biome-ignore format: one line
    'validation files for a table': [train('--data', 'train.tsv', ...COLUMNS, '--valid-source', 'test.de'), /--valid-source cannot be combined with --data/], // biome-ignore format: one line
    'no data': [train(), /Training data are required/],
    'no target column': [train('--data', 'train.tsv', '--source', 'de'), /--target <column> is required/],
    'an unknown level': [train('--data', 'train.tsv', ...COLUMNS, '--level', 'word'), /--level must be one of subwords, words, characters, got "word"/], // biome-ignore format: one line
    'a vocabulary that is too small': [train('--data', 'train.tsv', ...COLUMNS, '--vocabulary', '100'), /vocabulary must be at least 257 for subwords, got 100 \(command line: --vocabulary\)/], // biome-ignore format: one line
    'only unknown tokens': [['predict', 'model', '--data', 'unknown.tsv'], /unknown\.tsv cannot be translated: none of its subwords occurs/], // biome-ignore format: one line
    'an empty text to predict': [['predict', 'model', '--text', ' '], /The text is empty/],
    'no text to predict': [['predict', 'model'], /Translation needs texts/],
    'parallel files of different lengths to evaluate': [['evaluate', 'model', '--source-file', 'test.de', '--target-file', 'short.en'], /test\.de has 30 lines, but short\.en has 1/], // biome-ignore format: one line
    'one target file to evaluate': [
      ['evaluate', 'model', '--target-file', 'test.en'],
      /--source-file and --target-file must be given together/,
    ],
    'pairs of sounds and parallel files': [
      ['evaluate', 'model', '--verification', 'train.tsv', '--source-file', 'test.de'],
      /--verification cannot be combined with --source-file/,
    ],
    'a query with parallel files': [['evaluate', 'model', ...FILES, '--sql', 'select * from data'], /--sql is for --data, so it cannot be combined with --source-file/], // biome-ignore format: one line
    'a pattern with a table of pairs of sounds': [['evaluate', 'model', '--verification', 'train.tsv', '--pattern', '{a}'], /--pattern is for --data, so it cannot be combined with --verification/], // biome-ignore format: one line
    'one file to evaluate': [['evaluate', 'model', '--source-file', 'test.de'], /--source-file and --target-file must be given together/], // biome-ignore format: one line
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
  test('a line of a megabyte is cut, with a note', async () => {
    write('long.tsv', `${HEADER}${'Hunde '.repeat(170_000)}\tdogs\n`);
    const { code, stdout, stderr } = await unroll(['predict', 'model', '--data', 'long.tsv', '--json']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /1 of 1 texts are cut to 400 subwords\./);
    assert.equal(typeof JSON.parse(stdout).translation, 'string');
  });
});

testInterruptedRuns(temp, {
  train: [...TRAIN.slice(0, -1), '6', '--json'],
  changedOption: ['--level', 'words'],
  message: /cannot be resumed: --level was not set and is now words/,
});
