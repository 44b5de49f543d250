// The commands for the classification of sequences: .ts files of sktime and JSON lines, several labels per row, and
// messages for invalid input.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll } = temp;
const inFolder = (name: string) => join(temp.folder, name);
const write = (name: string, text: string) => writeFileSync(inFolder(name), text);
const lastEvent = (stdout: string) => JSON.parse(stdout.trimEnd().split('\n').at(-1)!);

/** Returns sequences of two features that rise or fall. */
const motion = (i: number): number[][] =>
  Array.from({ length: 4 + (i % 5) }, (_, t) => [(i % 2 === 0 ? t : -t) + (i % 7), (i * t) % 3]);
const kindOf = (i: number): string => (i % 2 === 0 ? 'up' : 'down');
const range = (count: number, start = 0) => Array.from({ length: count }, (_, i) => i + start);
const tsFile = (rows: readonly number[]): string => {
  const lines = rows.map((i) => {
    const dimensions = [0, 1].map((d) =>
      motion(i)
        .map((step) => step[d])
        .join(','),
    );
    return [...dimensions, kindOf(i)].join(':');
  });
  return `@problemName M\n@dimensions 2\n@classLabel true up down\n@data\n${lines.join('\n')}\n`;
};
const jsonLines = (rows: readonly number[]): string =>
  rows.map((i) => `${JSON.stringify({ motion: motion(i), kind: kindOf(i) })}\n`).join('');

const QUICK = [
  '--networks',
  '2',
  '--units',
  '4',
  '--epochs',
  '25',
  '--learning-rate',
  '0.02',
  '--dropout',
  '0',
];
const TRAIN = ['train', 'classify', ...QUICK];

before(async () => {
  write('TRAIN.ts', tsFile(range(80)));
  write('TEST.ts', tsFile(range(30, 81)));
  write('train.jsonl', jsonLines(range(80)));
  write('test.jsonl', jsonLines(range(30, 81)));
  const { code, stderr } = await unroll([...TRAIN, '--data', 'TRAIN.ts', '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
});

describe('a .ts file', () => {
  test('needs no options for its columns', async () => {
    const { code, stdout } = await unroll([...TRAIN, '--data', 'TRAIN.ts', '--dry-run']);
    assert.equal(code, 0);
    assert.match(stdout, /^data {5}80 sequences in "sequence", 2 labels in "label": down, up$/m);
    assert.match(stdout, /^ {9}Validation: 16 of the sequences, the same share of each label\.$/m);
    assert.match(stdout, /^sequence 2 features, standardised, and their changes from step to step$/m);
  });
  test('is evaluated and predicted', async () => {
    const evaluated = await unroll(['evaluate', 'model', '--data', 'TEST.ts', '--json']);
    assert.ok(lastEvent(evaluated.stdout).metrics.accuracy > 0.9, evaluated.stdout);
    const { stdout } = await unroll(['predict', 'model', '--data', 'TEST.ts']);
    const [head, first, ...rest] = stdout.trimEnd().split('\n');
    assert.deepEqual([head, rest.length], ['sequence,label,score', 29]);
    assert.match(first, /^line 5,(up|down),0\.\d+$/);
  });
});

describe('JSON lines', () => {
  test('train an accurate model from the columns of --sequence and --label', async () => {
    const columns = ['--sequence', 'motion', '--label', 'kind'];
    const data = ['--data', 'train.jsonl', '--valid', 'test.jsonl'];
    const { code, stdout } = await unroll([...TRAIN, ...data, ...columns, '--json', '--out', 'json-model']);
    assert.equal(code, 0);
    assert.ok(lastEvent(stdout).metrics.accuracy > 0.9);
    const inspected = await unroll(['inspect', 'json-model']);
    assert.match(inspected.stdout, /^sequence +motion$/m);
  });
  test('are predicted from stdin, one sequence per line', async () => {
    const lines = [JSON.stringify(motion(2)), '[[1,2,3]]', '[1', JSON.stringify(motion(3))];
    const { code, stdout, stderr } = await unroll(['predict', 'model', '-'], (child) =>
      child.stdin!.end(`${lines.join('\n')}\n`),
    );
    assert.equal(code, 2);
    assert.match(stdout, /^up\t[\d.]+\n\n\ndown\t[\d.]+\n$/);
    assert.match(stderr, /^unroll: line 2: Sequence: step 1 must have 2 values, got 3\.$/m);
    assert.match(stderr, /^unroll: line 3: Sequence: a sequence must be a list such as/m);
  });
});

test('a row may have several labels', async () => {
  const rows = range(90).map((i) => {
    const words = [i % 2 === 0 && 'funny', i % 3 === 0 && 'long', `take${i % 5}`].filter((word) => word);
    return `${words.join(' ')}\t${[i % 2 === 0 && 'comedy', i % 3 === 0 && 'epic'].filter((tag) => tag).join('|')}`;
  });
  write('tags.tsv', `text\ttags\n${rows.join('\n')}\n`);
  const args = ['--data', 'tags.tsv', '--text', 'text', '--label', 'tags', '--multi-label', '|'];
  const { code, stdout } = await unroll([...TRAIN, ...args, '--embedding', '8', '--out', 'tags']);
  assert.equal(code, 0);
  assert.match(stdout, /2 labels in "tags" \(several per text, separated by "\|"\): comedy, epic$/m);
  assert.match(stdout, /^model {2}micro F1 {2}macro F1 {2}exact match {2}texts$/m);
  const predicted = await unroll(['predict', 'tags', '--text', 'funny long take1']);
  assert.match(predicted.stdout, /^text,labels,scores\nfunny long take1,(comedy\|epic|epic\|comedy),/);
  const evaluated = await unroll(['evaluate', 'tags', '--data', 'tags.tsv', '--json']);
  assert.ok(lastEvent(evaluated.stdout).metrics.micro_f1 > 0.9);
});

describe('invalid input', () => {
  before(() => {
    write('ragged.jsonl', `${jsonLines(range(4))}{"motion":[[1,2],[3]],"kind":"up"}\n`);
    write('broken.ts', tsFile(range(4)).replace(':up\n', ':left\n'));
  });
  const train = (...args: string[]) => ['train', 'classify', '--out', 'bad', ...args];
  const columns = ['--sequence', 'motion', '--label', 'kind'];
  const cases: Record<string, [string[], RegExp]> = {
    'steps with different numbers of features': [
      train('--data', 'ragged.jsonl', ...columns),
      /ragged\.jsonl, line 5, column 1 \("motion"\): step 2 must have 2 values, got 1\./,
    ],
    'an unknown class': [
      train('--data', 'broken.ts'),
      /broken\.ts, line 5: the class label after the last colon must be one of up, down, got "left"\./,
    ],
    'texts and sequences': [
      train('--data', 'train.jsonl', '--text', 'kind', ...columns),
      /--text and --sequence cannot be combined/,
    ],
    'no inputs': [
      train('--data', 'train.jsonl', '--label', 'kind'),
      /--text <column>, --sequence <column>, --audio <column> or --frames <column> is required/,
    ],
    'no labels': [train('--data', 'train.jsonl', '--sequence', 'motion'), /--label <column> is required/],
    'a different number of features at test time': [
      ['evaluate', 'model', '--data', 'wide.ts'],
      /wide\.ts, line 3, column 1 \("sequence"\): step 1 must have 2 values, got 1\./,
    ],
  };
  before(() => write('wide.ts', '@classLabel true up down\n@data\n1,2:up\n'));
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
