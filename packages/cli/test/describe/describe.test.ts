// The commands for descriptions of clips: train, predict with alignments, evaluate, inspect, the report, and bad input.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { writeClips } from '../shared/clips.js';
import { useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll } = temp;
const inFolder = (name: string) => join(temp.folder, name);
const QUICK = [...['--units', '64', '--embedding', '64', '--epochs', '10'], '--learning-rate', '0.005'];
const TRAIN = ['train', 'describe', '--data', 'train.tsv', '--frames', 'clip', '--text', 'text', ...QUICK];

before(async () => {
  writeClips(temp.folder, 60);
  const { code, stderr, stdout } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^data {5}60 clips in "clip", sentences in "text"$/m);
  assert.match(stdout, /^text {5}9 words$/m);
});

describe('describe', () => {
  test('writes a sentence for a clip, with alignments and scores', async () => {
    const one = await unroll(['predict', 'model', '--frames', 'clip0', '--beam', '2']);
    assert.equal(one.stdout, 'clip,description\nclip0,a box moves left\n', one.stderr);
    const args = ['predict', 'model', '--frames', 'clip3.npz', '--alignments', '--scores', '--json'];
    const { clip, description, score, weights, frames } = JSON.parse((await unroll(args)).stdout);
    assert.deepEqual([clip, description], ['clip3.npz', 'a box moves right']);
    assert.ok(score <= 0 && weights.length === 4 && weights[0].length === frames.length);
  });

  test('evaluate prints scores, training writes a report, and inspect and help describe the model', async () => {
    const { stdout } = await unroll(['evaluate', 'model', '--data', 'train.tsv', '--json']);
    assert.ok(JSON.parse(stdout.trimEnd().split('\n').at(-1)!).metrics.exact_match > 0.9);
    assert.ok(
      readFileSync(inFolder('model/report.html'), 'utf8').includes('<h2>Key frames and attention</h2>'),
    );
    const inspected = await unroll(['inspect', 'model']);
    assert.match(inspected.stdout, /^task +describe, format version 1$/m);
    assert.match(inspected.stdout, /^frame size +12 × 16$/m);
    const help = await unroll(['predict', 'model', '--help']);
    assert.match(help.stdout, /Describes the clip of --frames/);
  });

  test('bad input prints a short error and exits with code 2', async () => {
    writeFileSync(inFolder('missing.tsv'), 'clip\ttext\nclip0\ta box\nnone\ta box\n');
    writeFileSync(inFolder('blank.tsv'), 'clip\ttext\nclip0\ta box\nclip1\t\n');
    const train = (data: string, ...args: string[]) => [
      ...['train', 'describe', '--data', data, '--frames', 'clip', '--out', 'bad', ...args],
    ];
    const cases: [string[], RegExp][] = [
      [
        train('missing.tsv', '--text', 'text'),
        /missing\.tsv, line 3, column 1 \("clip"\): .*none: file not found/,
      ],
      [train('blank.tsv', '--text', 'text'), /blank\.tsv, line 3, column 2 \("text"\): the text is empty/],
      [train('train.tsv'), /--text <column> is required/],
      [
        train('train.tsv', '--text', 'text', '--level', 'letters'),
        /--level must be one of words, subwords, characters/,
      ],
      [
        ['predict', 'model', '--text', 'a'],
        /predicts from rows or clips, got texts\. Pass rows \(command line: --data\) or clips \(--frames\)/,
      ],
      [['predict', 'model', '--frames', 'clip0', '--beam', '0'], /--beam must be an integer of at least 1/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr, stdout } = await unroll(args);
      assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
    }
  });
});
