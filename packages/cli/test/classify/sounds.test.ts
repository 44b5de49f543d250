// The commands for the classification of sounds: a table of WAV files, a folder, single files, stdin, and the messages for bad
// input.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { writeWav } from '@unroll/data';
import { useTempFolder } from '../shared/helpers.js';
import { testInterruptedRuns } from '../shared/interrupted.js';

const temp = useTempFolder();
const { unroll } = temp;
const inFolder = (name: string) => join(temp.folder, name);
const RATE = 4000;

/** Returns a tone that rises or falls. */
function tone(i: number): Uint8Array {
  const samples = Float32Array.from({ length: 700 + 40 * (i % 9) }, (_, n) => {
    const t = n / RATE;
    const up = i % 2 === 0;
    return (
      0.5 * Math.sin(2 * Math.PI * ((up ? 400 : 900) * t + (up ? 1 : -1) * 1000 * t * t + (i % 7) * 20 * t))
    );
  });
  return writeWav({ channels: [samples], sampleRate: RATE });
}

const nameOf = (i: number): string =>
  `${i % 2 === 0 ? 'up' : 'down'}_${['anna', 'ben'][(i >> 1) % 2]}_${i}.wav`;
const QUICK = [
  ...['--networks', '1', '--units', '4', '--mels', '12', '--epochs', '6'],
  ...['--learning-rate', '0.02', '--dropout', '0.1'],
];
const TRAIN = ['train', 'classify', '--data', 'train.tsv', '--audio', 'file', '--label', 'way', ...QUICK];

before(async () => {
  mkdirSync(inFolder('sounds/more'), { recursive: true });
  for (let i = 0; i < 60; i++)
    writeFileSync(inFolder(`sounds/${i < 40 ? '' : 'more/'}${nameOf(i)}`), tone(i));
  const rows = Array.from({ length: 40 }, (_, i) => `sounds/${nameOf(i)}\t${i % 2 === 0 ? 'up' : 'down'}`);
  writeFileSync(inFolder('train.tsv'), `file\tway\n${rows.join('\n')}\n`);
  const { code, stderr, stdout } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^data {5}40 sounds in "file", 2 labels in "way": down, up$/m);
  assert.match(stdout, /^sound {4}12 log-mel features at 4000 Hz/m);
});

describe('sounds', () => {
  test('are predicted from a file, from stdin, and from a table', async () => {
    const one = await unroll(['predict', 'model', '--audio', 'sounds/more/up_anna_40.wav']);
    assert.match(one.stdout, /^sound,label,score\nsounds\/more\/up_anna_40\.wav,up,0\.\d+\n$/);
    const stdin = await unroll(['predict', 'model', '--audio', '-', '--json'], (child) =>
      child.stdin!.end(readFileSync(inFolder('sounds/down_anna_1.wav'))),
    );
    assert.match(stdin.stdout, /^\{"sound":"stdin","label":"down"/);
    const rows = await unroll(['predict', 'model', '--data', 'train.tsv']);
    assert.match(rows.stdout, /^sound,label,score\nsounds\/up_anna_0\.wav,up,/);
    const { stdout } = await unroll(['evaluate', 'model', '--data', 'train.tsv', '--json']);
    assert.ok(JSON.parse(stdout.trimEnd().split('\n').at(-1)!).metrics.accuracy > 0.9);
  });

  test('are read from a folder with a pattern, which the model stores', async () => {
    const folder = ['train', 'classify', '--data', 'sounds', '--pattern', '{way}_{who}_{take}.wav', ...QUICK];
    const trained = await unroll([...folder, '--label', 'way', '--out', 'folder']);
    assert.equal(trained.code, 0, trained.stderr);
    assert.match(trained.stdout, /^data {5}60 sounds in "audio", 2 labels in "way": down, up$/m);
    const { stdout } = await unroll(['evaluate', 'folder', '--data', 'sounds/more', '--json']);
    assert.ok(JSON.parse(stdout.trimEnd().split('\n').at(-1)!).metrics.accuracy > 0.9);
    const who = await unroll([...folder, '--label', 'who', '--dry-run']);
    assert.match(who.stdout, /2 labels in "who": anna, ben/);
  });

  test('are compared in pairs with --verification', async () => {
    const pairs = Array.from({ length: 20 }, (_, i) => {
      const second = (i * 7 + 3) % 40;
      return `sounds/${nameOf(i)}\tsounds/${nameOf(second)}\t${i % 2 === second % 2 ? 'yes' : '0'}`;
    });
    pairs.push(`sounds/${nameOf(0)}\tsounds/${nameOf(2)}\t1`, `sounds/${nameOf(1)}\tsounds/${nameOf(3)}\t1`);
    writeFileSync(inFolder('pairs.tsv'), `a\tb\tsame\n${pairs.join('\n')}\n`);
    const { stdout, code, stderr } = await unroll([
      'evaluate',
      'model',
      '--verification',
      'pairs.tsv',
      '--json',
    ]);
    assert.equal(code, 0, stderr);
    const { metrics } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
    assert.deepEqual(Object.keys(metrics), ['eer', 'threshold']);
    assert.ok(metrics.eer < 0.4, stdout);
    const bad: [string, RegExp][] = [
      ['a\tb\nx.wav\ty.wav\n', /no column "same"/],
      ['a\tsame\nx.wav\t1\n', /must have two columns with paths and the column "same", got 2 columns/],
      ['a\tb\tsame\nnone.wav\tnone.wav\t1\n', /none\.wav: file not found/],
      [
        `a\tb\tsame\nsounds/${nameOf(0)}\t\t1\n`,
        /line 2, column 2 \("b"\): the path of a WAV file is missing/,
      ],
      [`a\tb\tsame\nsounds/${nameOf(0)}\tsounds/${nameOf(1)}\tmaybe\n`, /must be 1 or 0, got "maybe"/],
      [
        `a\tb\tsame\nsounds/${nameOf(0)}\tsounds/${nameOf(2)}\t1\n`,
        /pairs with the same label and pairs with different labels, got 1 and 0/,
      ],
    ];
    for (const [content, message] of bad) {
      writeFileSync(inFolder('bad-pairs.tsv'), content);
      const refused = await unroll(['evaluate', 'model', '--verification', 'bad-pairs.tsv']);
      assert.deepEqual([refused.code, refused.stdout], [2, '']);
      assert.match(refused.stderr, message);
    }
  });

  test('bad input prints a short error and exits with code 2', async () => {
    writeFileSync(inFolder('broken.wav'), tone(0).subarray(0, 90));
    writeFileSync(inFolder('broken.tsv'), 'file\tway\nsounds/up_anna_0.wav\tup\nbroken.wav\tdown\n');
    writeFileSync(inFolder('missing.tsv'), 'file\tway\nsounds/up_anna_0.wav\tup\nnone.wav\tdown\n');
    mkdirSync(inFolder('empty'));
    const train = (...args: string[]) => ['train', 'classify', ...args, '--out', 'bad'];
    const columns = ['--audio', 'file', '--label', 'way'];
    const cases: [string[], RegExp][] = [
      [
        train('--data', 'broken.tsv', ...columns),
        /broken\.tsv, line 3, column 1 \("file"\): broken\.wav: .*truncated/,
      ],
      [
        train('--data', 'missing.tsv', ...columns),
        /missing\.tsv, line 3, column 1 \("file"\): none\.wav: file not found/,
      ],
      [train('--data', 'train.tsv', '--audio', 'path', '--label', 'way'), /no column "path"/],
      [train('--data', 'train.tsv', '--audio', 'file'), /--label <column> is required/],
      [train('--data', 'train.tsv', ...columns, '--text', 'way'), /--text and --audio cannot be combined/],
      [train('--data', 'train.tsv', ...columns, '--pattern', '{a}.wav'), /--pattern needs a folder/],
      [train('--data', 'train.tsv', ...columns, '--embedding', '8'), /embedding is an option for texts/],
      [train('--data', 'sounds', '--label', 'way'), /--pattern is required for a folder/],
      [train('--data', 'sounds', '--label', 'way', '--pattern', '{way}.mp3'), /does not match --pattern/],
      [
        train('--data', 'sounds', '--label', 'way', '--pattern', 'x.wav'),
        /must have fields such as \{label\}/,
      ],
      [
        train('--data', 'empty', '--label', 'way', '--pattern', '{way}.wav'),
        /empty: the folder has no WAV files/,
      ],
      [['predict', 'model', '--audio', 'none.wav'], /none\.wav: file not found/],
      [['predict', 'model', '--audio', 'broken.wav'], /broken\.wav: the file is truncated or damaged/],
      [['predict', 'model', '--audio', 'train.tsv'], /train\.tsv: a WAV file must start with "RIFF"/],
      [['predict', 'model', '--text', 'up'], /got a text/],
      [['evaluate', 'model', '--data', 'sounds'], /no column "way"/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr, stdout } = await unroll(args);
      assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
      assert.ok(stderr.trimEnd().split('\n').length <= 3, stderr);
    }
  });
});

testInterruptedRuns(temp, {
  train: [...TRAIN, '--json'],
  changedOption: ['--units', '5'],
  message: /units/,
});
