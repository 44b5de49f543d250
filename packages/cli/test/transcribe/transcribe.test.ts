// The commands for transcription: train, evaluate, predict (also from a stream), and the messages for bad input.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { writeWav } from '@unroll/data';
import { useTempFolder } from '../shared/helpers.js';
import { testInterruptedRuns } from '../shared/interrupted.js';

const temp = useTempFolder();
const { unroll } = temp;
const inFolder = (name: string) => join(temp.folder, name);
const RATE = 4000;

/** Returns a WAV file of low and high tones with pauses, and its transcript: the word `low` or `high` for each tone. */
function melody(i: number): { text: string; bytes: Uint8Array } {
  const words = Array.from({ length: 1 + (i % 3) }, (_, k) => ((i >> k) % 2 === 0 ? 'low' : 'high'));
  const samples = new Float32Array(words.length * 800 + 300);
  for (const [k, word] of words.entries()) {
    const frequency = word === 'low' ? 350 : 1300;
    for (let n = 0; n < 500; n++)
      samples[300 + 800 * k + n] = 0.4 * Math.sin((2 * Math.PI * frequency * n) / RATE);
  }
  return { text: words.join(' '), bytes: writeWav({ channels: [samples], sampleRate: RATE }) };
}

const QUICK = [
  ...['--units', '8', '--layers', '1', '--mels', '12', '--epochs', '15', '--dropout', '0'],
  ...['--learning-rate', '0.02', '--no-augment'],
];
const TRAIN = ['train', 'transcribe', '--data', 'train.tsv', '--audio', 'file', '--text', 'words', ...QUICK];

before(async () => {
  mkdirSync(inFolder('sounds'));
  const rows = Array.from({ length: 60 }, (_, i) => {
    const { text, bytes } = melody(i);
    writeFileSync(inFolder(`sounds/${text.replaceAll(' ', '-')}_${i}.wav`), bytes);
    return `sounds/${text.replaceAll(' ', '-')}_${i}.wav\t${text}`;
  });
  writeFileSync(inFolder('train.tsv'), `file\twords\n${rows.join('\n')}\n`);
  const { code, stderr, stdout } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^data {5}60 sounds in "file", transcripts in "words"$/m);
  assert.match(stdout, /^text {5}2 words$/m);
});

describe('transcribe', () => {
  test('predicts from a file, with times, and from a table; evaluates', async () => {
    const one = await unroll(['predict', 'model', '--audio', 'sounds/high_3.wav', '--timestamps', '--json']);
    const { sound, text, words } = JSON.parse(one.stdout);
    assert.deepEqual([sound, text, words.length], ['sounds/high_3.wav', 'high', 1]);
    assert.ok(words[0].start < 0.3 && words[0].end > words[0].start);
    const all = await unroll(['predict', 'model', '--data', 'train.tsv', '--beam', '1']);
    assert.match(all.stdout, /^sound,text\nsounds\/low_0\.wav,low\n/);
    const { stdout } = await unroll(['evaluate', 'model', '--data', 'train.tsv', '--json']);
    assert.ok(JSON.parse(stdout.trimEnd().split('\n').at(-1)!).metrics.wer < 0.2);
  });

  test('trains an attention decoder, and rejects --streaming and --known-words with it', async () => {
    const trained = await unroll([...TRAIN, '--decoder', 'attention', '--out', 'attention']);
    assert.equal(trained.code, 0, trained.stderr);
    assert.match(trained.stdout, /lstm of 8 units, decoder of lstm of 16 units with attention, dropout 0/);
    const predicted = await unroll(['predict', 'attention', '--audio', 'sounds/high_3.wav', '--timestamps']);
    assert.match(predicted.stdout, /^sound,text,words\nsounds\/high_3\.wav,[a-z ]+,/);
    for (const [options, message] of [
      [
        ['--decoder', 'attention', '--streaming'],
        /decoder must be "ctc" for streaming.*\(command line: --decoder, --streaming\)/,
      ],
      [
        ['--normalize', 'level', '--streaming'],
        /normalize must be "none" for streaming.*\(command line: --normalize\)/,
      ],
      [['--decoder', 'rnnt'], /--decoder must be one of ctc, attention, got "rnnt"/],
    ] as const) {
      const { code, stderr } = await unroll([...TRAIN, ...options, '--out', 'refused']);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
    const knownWords = await unroll([
      'predict',
      'attention',
      '--audio',
      'sounds/high_3.wav',
      '--known-words',
    ]);
    assert.equal(knownWords.code, 2);
    assert.match(knownWords.stderr, /knownWords is an option for CTC.*\(command line: --known-words\)/);
  });

  test('transcribes sound while it arrives', async () => {
    const trained = await unroll([...TRAIN, '--streaming', '--out', 'streaming']);
    assert.equal(trained.code, 0, trained.stderr);
    const { text, bytes } = melody(5);
    writeFileSync(inFolder('five.wav'), bytes);
    const fromFile = await unroll(['predict', 'streaming', '--audio', 'five.wav', '--json']);
    const { stdout } = await unroll(
      ['predict', 'streaming', '--audio', '-', '--stream', '--json'],
      (child) => {
        for (let start = 0; start < bytes.length; start += 700)
          child.stdin!.write(bytes.subarray(start, start + 700));
        child.stdin!.end();
      },
    );
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(lines.at(-1), { seconds: 0.68, text: JSON.parse(fromFile.stdout).text, final: true });
    assert.equal(lines.at(-1).text, text);
    assert.ok(lines.length > 2 && lines[0].seconds < 0.6 && text.startsWith(lines[0].text), stdout);
    const refused = await unroll(['predict', 'model', '--audio', 'five.wav', '--stream']);
    assert.deepEqual([refused.code, refused.stdout], [2, '']);
    assert.match(refused.stderr, /needs the whole sound\. Train it with streaming/);
    for (const option of ['--data', '--sql', '--text', '--frames', '--pattern', '--out', '--encoding']) {
      const unused = await unroll(['predict', 'streaming', '--audio', 'five.wav', '--stream', option, 'x']);
      assert.deepEqual([unused.code, unused.stdout], [2, '']);
      assert.equal(unused.stderr, `unroll: ${option} cannot be combined with --stream.\n`);
    }
    const truncated = await unroll(['predict', 'streaming', '--audio', '-', '--stream'], (child) =>
      child.stdin!.end(bytes.subarray(0, 900)),
    );
    assert.equal(truncated.code, 2);
    assert.match(truncated.stderr, /stdin: the file is truncated/);
  });

  test('plans the training on a folder of sounds', async () => {
    const folder = ['train', 'transcribe', '--data', 'sounds', '--pattern', '{words}_{take}.wav', ...QUICK];
    const { stdout } = await unroll([...folder, '--text', 'words', '--dry-run']);
    assert.match(stdout, /^data {5}60 sounds in "audio", transcripts in "words"$/m);
  });

  test('bad input prints a short error and exits with code 2', async () => {
    writeFileSync(
      inFolder('long.tsv'),
      `file\twords\nsounds/low_0.wav\t${'low '.repeat(99)}\nsounds/high_3.wav\thigh\n`,
    );
    writeFileSync(inFolder('empty.tsv'), 'file\twords\nsounds/low_0.wav\t\n');
    const train = (...args: string[]) => ['train', 'transcribe', ...args, '--out', 'bad'];
    const columns = ['--audio', 'file', '--text', 'words'];
    const cases: [string[], RegExp][] = [
      [
        train('--data', 'long.tsv', '--valid', 'train.tsv', ...columns),
        /long\.tsv, line 2, .* needs at least \d+ steps/,
      ],
      [train('--data', 'empty.tsv', ...columns), /empty\.tsv, line 2, .* the transcript is empty/],
      [train('--data', 'train.tsv', '--audio', 'file'), /--text <column> is required/],
      [train('--data', 'train.tsv', '--text', 'words'), /--audio <column> is required/],
      [train('--data', 'sounds', '--text', 'words'), /--pattern is required for a folder/],
      [
        train('--data', 'train.tsv', ...columns, '--embedding', '9'),
        /--embedding is not an option of unroll train transcribe/,
      ],
      [
        train('--data', 'train.tsv', ...columns, '--level', 'letters'),
        /--level must be one of characters, words/,
      ],
      [['predict', 'model', '--text', 'low'], /predicts from rows or sounds, got texts/],
      [['predict', 'model', '--audio', 'train.tsv'], /must start with "RIFF"/],
      [['predict', 'model'], /pass rows or sounds/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr, stdout } = await unroll(args);
      assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
      assert.ok(stderr.trimEnd().split('\n').length <= 3, stderr);
    }
  });
});

testInterruptedRuns(temp, { train: [...TRAIN, '--json'], changedOption: ['--units', '9'], message: /units/ });
