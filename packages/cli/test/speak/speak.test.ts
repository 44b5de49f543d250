// The commands for speech synthesis: train, evaluate, write WAV files, and the messages for bad input.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { readWav, writeWav } from '@unroll/data';
import { useTempFolder } from '../shared/helpers.js';
import { testInterruptedRuns } from '../shared/interrupted.js';

const temp = useTempFolder();
const { unroll } = temp;
const inFolder = (name: string) => join(temp.folder, name);
const RATE = 4000;
const TONES: Record<string, number> = { a: 300, b: 700, c: 1300 };

/** Returns a WAV file with a tone of 0.1 s for each letter. */
function recordingOf(text: string): Uint8Array {
  const samples = Float32Array.from({ length: 400 * text.length }, (_, n) => {
    const letter = text[Math.floor(n / 400)];
    return 0.3 * Math.sin((2 * Math.PI * TONES[letter] * n) / RATE);
  });
  return writeWav({ channels: [samples], sampleRate: RATE });
}

const QUICK = [
  ...['--units', '12', '--embedding', '8', '--mels', '12', '--epochs', '12', '--batch', '8'],
  ...['--learning-rate', '0.02', '--dropout', '0', '--reduction', '2'],
];
const TRAIN = ['train', 'speak', '--data', 'train.tsv', '--text', 'words', '--audio', 'file', ...QUICK];

before(async () => {
  mkdirSync(inFolder('sounds'));
  const rows = Array.from({ length: 30 }, (_, i) => {
    const text = Array.from({ length: 3 + (i % 3) }, (__, k) => 'abc'[(i * 7 + k * (1 + (i % 4))) % 3]).join(
      '',
    );
    writeFileSync(inFolder(`sounds/${text}_${i}.wav`), recordingOf(text));
    return `sounds/${text}_${i}.wav\t${text}`;
  });
  writeFileSync(inFolder('train.tsv'), `file\twords\n${rows.join('\n')}\n`);
  writeFileSync(inFolder('texts.tsv'), 'words\nabc\ncab\n');
  const { code, stderr, stdout } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^data {5}30 texts in "words", sounds in "file"$/m);
  assert.match(stdout, /^text {5}3 characters$/m);
});

describe('speak', () => {
  test('writes one WAV file, several WAV files to a folder, and one to stdout', async () => {
    const one = await unroll(['predict', 'model', '--text', 'abc', '--audio', 'out.wav']);
    assert.equal(one.code, 0, one.stderr);
    assert.match(one.stdout, /^text,seconds\nabc,\d+\.\d+\n$/);
    assert.match(one.stderr, /^written {2}out\.wav$/m);
    const { sampleRate, channels } = readWav(new Uint8Array(readFileSync(inFolder('out.wav'))));
    assert.equal(sampleRate, RATE);
    assert.ok(channels[0].some((sample) => Math.abs(sample) > 0.01));
    const several = await unroll(['predict', 'model', '--data', 'texts.tsv', '--audio', 'spoken', '--json']);
    assert.equal(several.code, 0, several.stderr);
    assert.deepEqual(readdirSync(inFolder('spoken')).sort(), ['1.wav', '2.wav']);
    assert.equal(several.stdout.split('\n').filter((line) => line !== '').length, 2);
    writeFileSync(inFolder('ten.tsv'), `words\n${'abc\n'.repeat(10)}`);
    await unroll(['predict', 'model', '--data', 'ten.tsv', '--audio', 'ten']);
    assert.deepEqual(
      [readdirSync(inFolder('ten')).sort()[0], readdirSync(inFolder('ten')).length],
      ['01.wav', 10],
    );
    const piped = await unroll(['predict', 'model', '--text', 'abc', '--audio', '-']);
    assert.match(piped.stdout, /^RIFF/);
  });

  test('evaluates, writes a report, and plans the training on a folder', async () => {
    const { stdout } = await unroll(['evaluate', 'model', '--data', 'train.tsv', '--json']);
    const { metrics } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
    assert.deepEqual(Object.keys(metrics), ['mcd', 'duration_error', 'stopped']);
    assert.match(readFileSync(inFolder('model/report.html'), 'utf8'), /Alignments/);
    const folder = ['train', 'speak', '--data', 'sounds', '--pattern', '{words}_{take}.wav', ...QUICK];
    const plan = await unroll([...folder, '--text', 'words', '--dry-run']);
    assert.match(plan.stdout, /^data {5}30 texts in "words", sounds in "audio"$/m);
  });

  test('bad input prints a short error, exits with code 2, and writes nothing', async () => {
    writeFileSync(inFolder('empty.tsv'), 'file\twords\nsounds/none.wav\t\n');
    writeFileSync(inFolder('missing.tsv'), 'file\twords\nnone.wav\tabc\n');
    writeFileSync(inFolder('broken.wav'), recordingOf('abc').subarray(0, 100));
    writeFileSync(inFolder('broken.tsv'), 'file\twords\nbroken.wav\tabc\n');
    const samples = new Float32Array(31 * RATE);
    writeFileSync(inFolder('long.wav'), writeWav({ channels: [samples], sampleRate: RATE }));
    writeFileSync(inFolder('long.tsv'), 'file\twords\nlong.wav\tabc\nlong.wav\tabc\n');
    const train = (data: string, ...args: string[]) => [
      'train',
      'speak',
      '--data',
      data,
      ...args,
      '--out',
      'bad',
    ];
    const columns = ['--audio', 'file', '--text', 'words'];
    const predict = (...args: string[]) => ['predict', 'model', ...args];
    const cases: [string[], RegExp][] = [
      [
        train('missing.tsv', ...columns),
        /missing\.tsv, line 2, column 1 \("file"\): none\.wav: file not found/,
      ],
      [train('broken.tsv', ...columns), /broken\.tsv, line 2, .*broken\.wav: the file is truncated/],
      [train('long.tsv', ...columns), /long\.tsv, line 2, .* at most 30 s long, got 31\.0 s/],
      [train('train.tsv', '--audio', 'file'), /--text <column> is required/],
      [train('train.tsv', '--text', 'words'), /--audio <column> is required/],
      [train('sounds', '--text', 'words'), /--pattern is required for a folder/],
      [train('train.tsv', ...columns, '--sampling', '1'), /--sampling must be .*from 0 to below 1/],
      [predict('--text', 'abc'), /Speech synthesis needs --audio <path>: a \.wav file/],
      [predict('--audio', 'no.wav'), /Speech synthesis needs texts/],
      [predict('--text', '', '--audio', 'no.wav'), /^unroll: --text must not be empty\.$/m],
      [
        predict('--text', ' ', '--audio', 'no.wav'),
        /^unroll: The text " " cannot be spoken\. The text is empty\. Pass a text with at least one word\.$/m,
      ],
      [predict('--text', 'xyz', '--audio', 'no.wav'), /None of its characters occurs in the training texts/],
      [predict('--data', 'texts.tsv', '--audio', 'no.wav'), /--audio must be a folder for 2 texts/],
      [predict('--data', 'texts.tsv', '--audio', '-'), /--audio must be a folder for 2 texts, got stdout/],
      [
        predict('--text', 'abc', '--audio', 'train.tsv/x.wav'),
        /--audio train\.tsv: .*train\.tsv is a file, expected a folder/,
      ],
      [
        predict('--text', 'abc', '--audio', 'out.mp3'),
        /--audio must be a WAV file \(\.wav\), .*, got out\.mp3/,
      ],
      [predict('-'), /Speech synthesis cannot read texts from stdin/],
      [predict('-', '--audio', 'no.wav'), /Speech synthesis cannot read texts from stdin/],
      [
        predict('--data', 'texts.tsv', '--audio', 'no', '--pattern', '{words}.wav'),
        /--pattern needs a folder/,
      ],
      [predict('--text', 'abc', '--audio', 'no.wav', '--pattern', '{words}.wav'), /--pattern needs a folder/],
      [predict('--text', 'abc', '--audio', 'no.wav', '--stream'), /cannot predict from a stream/],
      [['evaluate', 'model', '--data', 'texts.tsv'], /no column "file"/],
      [['evaluate', 'model', '--verification', 'train.tsv'], /--verification is for classifiers of sounds/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr, stdout } = await unroll(args);
      assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
      assert.ok(stderr.trimEnd().split('\n').length <= 3, stderr);
    }
    assert.ok(!existsSync(inFolder('no.wav')) && !existsSync(inFolder('bad')));
  });
});

testInterruptedRuns(temp, { train: [...TRAIN, '--json'], changedOption: ['--units', '9'], message: /units/ });
