// The commands for text classification: train, evaluate, predict, and the messages for invalid input.
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

/** Returns rows, each with a text and a label that one word of the text determines. */
const rowsOf = (count: number, shift = 0): string[] =>
  Array.from({ length: count }, (_, n) => {
    const i = n + shift;
    const words = [
      'the',
      'film',
      ['was', 'is'][i % 2],
      'a',
      ['story', 'tale', 'play'][i % 3],
      `take${i % 7}`,
    ];
    words.splice(i % 5, 0, i % 2 === 0 ? ['bad', 'dull'][(i >> 1) % 2] : ['good', 'great'][(i >> 1) % 2]);
    return `${words.join(' ')}\t${i % 2 === 0 ? 'no' : 'yes'}`;
  });
const HEADER = 'review\tliked\n';
const QUICK = [
  ...['--networks', '2'],
  '--units',
  '4',
  '--embedding',
  '8',
  '--learning-rate',
  '0.02',
  '--dropout',
  '0.1',
  '--epochs',
  '6',
];
const COLUMNS = ['--text', 'review', '--label', 'liked'];
const TRAIN = ['train', 'classify', '--data', 'train.tsv', ...COLUMNS, ...QUICK];

before(async () => {
  write('train.tsv', `${HEADER}${rowsOf(160).join('\n')}\n`);
  write('test.tsv', `${HEADER}${rowsOf(40, 3).join('\n')}\n`);
  write('headless.tsv', `${rowsOf(80).join('\n')}\n`);
  const { code, stderr } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
});

describe('train classify', () => {
  test('prints the plan, the scores and the written files', async () => {
    const { stdout } = await unroll([...TRAIN, '--out', 'printed']);
    assert.match(stdout, /^data {5}160 texts in "review", 2 labels in "liked": no, yes$/m);
    assert.match(stdout, /^ {9}Validation: 16 of the texts, the same share of each label\.$/m);
    assert.match(stdout, /^ {9}Length: 7 words \(median\), 7 \(99th percentile\), 7 \(longest\)\.$/m);
    assert.match(
      stdout,
      /^ {9}and n-grams of 1 to 2 tokens and of 2 to 5 characters, in a table of \d+ rows$/m,
    );
    assert.match(stdout, /^\[2\/3\] lstm: training, loss [\d.]+, \d+ sequences\/s$/m);
    assert.match(stdout, /^\[3\/3\] n-grams: training, loss [\d.]+, \d+ sequences\/s$/m);
    assert.match(stdout, /^label \\ predicted +no +yes$/m);
    assert.match(stdout, /^written {2}printed: the model and report\.html$/m);
    const files = ['config.json', 'model.safetensors', 'pipeline.json', 'report.html', 'training.json'];
    assert.deepEqual(readdirSync(inFolder('printed')).sort(), files);
  });
  test('with --json, ends with the result as JSON', async () => {
    const { code, stdout } = await unroll([...TRAIN, '--cell', 'gru', '--json', '--quiet', '--out', 'json']);
    assert.equal(code, 0);
    const { seconds, metrics, model, ...result } = events(stdout).at(-1);
    assert.ok(seconds > 0 && metrics.accuracy > 0.9 && metrics.macro_f1 > 0.9);
    assert.deepEqual(Object.keys(model), ['cell', 'layers', 'units', 'parameters']);
    assert.equal(model.cell, 'gru');
    assert.deepEqual([result.event, result.task, result.out], ['result', 'classify', 'json']);
  });
  test('prints the plan without training with --dry-run', async () => {
    const { code, stdout } = await unroll([...TRAIN, '--dry-run', '--json']);
    assert.equal(code, 0);
    const [plan, ...rest] = events(stdout);
    assert.deepEqual([plan.event, plan.training, plan.validation, rest.length], ['plan', 144, 16, 0]);
  });
  test('reads files without a header, and validation rows from a file', async () => {
    const args = [
      'train',
      'classify',
      '--data',
      'headless.tsv',
      '--no-header',
      '--text',
      '1',
      '--label',
      '2',
    ];
    const { code, stdout } = await unroll([
      ...args,
      '--valid',
      'headless.tsv',
      ...QUICK,
      '--out',
      'headless',
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /^ {9}Validation: 80 texts of headless\.tsv\.$/m);
    const evaluated = await unroll(['evaluate', 'headless', '--data', 'headless.tsv', '--json']);
    assert.ok(events(evaluated.stdout).at(-1).metrics.accuracy > 0.9);
  });
  test('help lists the task and its options', async () => {
    const { stdout } = await unroll(['train', '--help']);
    assert.match(
      stdout,
      /^ {2}classify {4}predict the label of a text, a numeric sequence, a sound or a video clip$/m,
    );
    const help = (await unroll(['train', 'classify', '--help'])).stdout;
    assert.match(help, /^ {2}--label <column> {6}column with the labels \(not needed for \.ts files\)$/m);
    assert.match(help, /^ {2}--batch <n> {11}examples per training step$/m);
  });
});

describe('--vectors', () => {
  const PLAN = [...TRAIN.filter((arg) => arg !== '--embedding' && arg !== '8'), '--vectors', 'vectors.txt'];
  before(() => write('vectors.txt', 'good 1 0\nbad -1 0\ngreat 1 1\ndull -1 1\n'));

  test('sets the width of the embedding, and the plan reports the coverage', async () => {
    const { code, stdout, stderr } = await unroll([...PLAN, '--dry-run']);
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^vectors {2}width 2, for [\d.]+ % of the vocabulary and [\d.]+ % of the training tokens$/m,
    );
    assert.match(stdout, /embedding of 2, /);
  });
  for (const [name, args, message] of [
    [
      'an --embedding that differs from the width of the vectors',
      ['--embedding', '5'],
      /vectors\.txt.*(must|have|has) .*width|width.*5/,
    ],
    ['a missing file', ['--vectors', 'none.txt'], /none\.txt: file not found/],
    ['a file without vectors', ['--vectors', 'train.tsv'], /train\.tsv/],
  ] as const) {
    test(`rejects ${name}`, async () => {
      const { code, stdout, stderr } = await unroll([...PLAN, ...args, '--out', 'bad']);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, message);
      assert.equal(existsSync(inFolder('bad')), false);
    });
  }
});

describe('a trained model', () => {
  test('is evaluated', async () => {
    const { code, stdout } = await unroll(['evaluate', 'model', '--data', 'test.tsv']);
    assert.equal(code, 0);
    assert.match(stdout, /^model {2}accuracy {2}macro F1 {2}texts$/m);
    const json = await unroll(['evaluate', 'model', '--data', 'test.tsv', '--json']);
    const [scores, classes, confusion, result] = events(json.stdout);
    assert.deepEqual([scores.event, classes.name, confusion.name], ['scores', 'classes', 'confusion']);
    assert.equal(result.event, 'result');
    assert.ok(result.metrics.accuracy > 0.9, JSON.stringify(result));
  });
  test('predicts rows and a text', async () => {
    const { stdout } = await unroll(['predict', 'model', '--data', 'test.tsv']);
    const [head, ...rows] = stdout.trimEnd().split('\n');
    assert.deepEqual([head, rows.length], ['text,label,score', 40]);
    const text = await unroll(['predict', 'model', '--text', 'a great film', '--probabilities', '--json']);
    const { label, score, ...rest } = JSON.parse(text.stdout);
    assert.equal(label, 'yes');
    assert.equal(score, rest['p(yes)']);
  });
  test('is inspected', async () => {
    const { stdout } = await unroll(['inspect', 'model']);
    assert.match(stdout, /^task +classify, format version 1$/m);
    assert.match(stdout, /^labels +no, yes$/m);
  });
});

describe('invalid input', () => {
  const tables: Record<string, string> = {
    'one-label.tsv': `${HEADER}good\tyes\nbad\tyes\n`,
    'single.tsv': `${HEADER}good\tyes\nbad\tno\nfine\tyes\n`,
    'blank.tsv': `${HEADER}good\tyes\n \tno\n`,
    'ragged.tsv': `${HEADER}good\tyes\nbad\tno\t1\n`,
    'empty.tsv': '',
    'header.tsv': HEADER,
    'unknown-label.tsv': `${HEADER}good\tmaybe\n`,
    'unknown-words.tsv': `${HEADER}xyzzy\tyes\n`,
  };
  before(() => {
    for (const [name, text] of Object.entries(tables)) write(name, text);
  });
  const train = (...args: string[]) => ['train', 'classify', ...COLUMNS, '--out', 'bad', ...args];
  const cases: Record<string, [string[], RegExp]> = {
    'one label only': [
      train('--data', 'one-label.tsv'),
      /one-label\.tsv: column "liked" must have at least two labels/,
    ],
    'a label with one text': [
      train('--data', 'single.tsv'),
      /single\.tsv, line 3, column 2 \("liked"\): label "no"/,
    ],
    'an empty text': [
      train('--data', 'blank.tsv'),
      /blank\.tsv, line 3, column 1 \("review"\): the text is empty/,
    ],
    'ragged rows': [train('--data', 'ragged.tsv'), /ragged\.tsv, line 3: 3 fields, more than the header's 2/],
    'an empty file': [train('--data', 'empty.tsv'), /empty\.tsv is empty/],
    'a header only': [train('--data', 'header.tsv'), /header\.tsv has a header but no rows/],
    'no file': [train('--data', 'none.tsv'), /none\.tsv: file not found/],
    'an unknown label in validation rows': [
      train('--data', 'train.tsv', '--valid', 'unknown-label.tsv'),
      /unknown-label\.tsv, line 2, column 2 \("liked"\): label "maybe" does not occur in the training data/,
    ],
    'an unknown column': [
      ['train', 'classify', '--data', 'train.tsv', '--text', 'reviews', '--label', 'liked', '--out', 'bad'],
      /has no column "reviews"\. Did you mean "review"\?/,
    ],
    'no folder': [['train', 'classify', '--data', 'train.tsv', ...COLUMNS], /--out <folder> is required/],
    'a file without --data': [
      ['train', 'classify', 'train.tsv'],
      /Unexpected argument "train\.tsv"\. Pass the training data as --data train\.tsv\.$/m,
    ],
    'an argument besides --data': [train('--data', 'train.tsv', 'x'), /Unexpected argument "x"\.$/m],
    'no data': [train(), /--data <file> is required: the rows to train on\./],
    'an unknown cell': [
      train('--data', 'train.tsv', '--cell', 'ltsm'),
      /--cell must be one of rnn, lstm, gru, minGRU, .*, got "ltsm"/,
    ],
    'an invalid rate': [
      train('--data', 'train.tsv', '--dropout', '1'),
      /--dropout must be a number from 0 to below 1, got "1"/,
    ],
    'an unknown task': [['train', 'clasify'], /Unknown task "clasify"\. Did you mean "classify"\?/],
    'no task': [
      ['train', '--data', 'train.tsv'],
      /The task must come first: unroll train [a-z|]*classify[a-z|]* \[options\]/,
    ],
    'an unknown option': [
      train('--data', 'train.tsv', '--unit', '3'),
      /Unknown option --unit\. Did you mean --units\?/,
    ],
    'an unknown label at test time': [
      ['evaluate', 'model', '--data', 'unknown-label.tsv'],
      /unknown-label\.tsv, line 2, column 2 \("liked"\): label "maybe" does not occur in the training data\. Known labels: no, yes\./,
    ],
    'only unknown words': [
      ['predict', 'model', '--data', 'unknown-words.tsv'],
      /unknown-words\.tsv, line 2, column 1 \("review"\): neither this text nor any other contains a word of the training data/,
    ],
    'an empty text to predict': [['predict', 'model', '--text', ' '], /The text is empty/],
    'sound for a model of texts': [
      ['predict', 'model', '--audio', 'train.tsv'],
      /This model \(unroll-classify-1\) does not read sound/,
    ],
    'a stream of sound': [
      ['predict', 'model', '--audio', 'train.tsv', '--stream'],
      /This model cannot predict from a stream of sound/,
    ],
    '--pattern with a model of texts': [
      ['predict', 'model', '--data', 'train.tsv', '--pattern', '{a}.wav'],
      /--pattern is for folders of WAV files/,
    ],
    'no text to predict': [['predict', 'model'], /Classification needs texts/],
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
});

testInterruptedRuns(temp, {
  train: [...TRAIN.slice(0, -1), '40', '--json'],
  changedOption: ['--units', '5'],
  message: /cannot be resumed: --units was 4 and is now 5/,
});
