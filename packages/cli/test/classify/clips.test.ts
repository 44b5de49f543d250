// The commands for the classification of clips: a table of folders, GIF files and arrays, single clips, and the messages for bad
// input.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { boxFrames, gif, npz, png, writeClips } from '../shared/clips.js';
import { useTempFolder } from '../shared/helpers.js';
import { testInterruptedRuns } from '../shared/interrupted.js';

const temp = useTempFolder();
const { unroll } = temp;
const inFolder = (name: string) => join(temp.folder, name);
const QUICK = ['--units', '8', '--epochs', '8', '--learning-rate', '0.005', '--dropout', '0.1'];
const TRAIN = ['train', 'classify', '--data', 'train.tsv', '--frames', 'clip', '--label', 'way', ...QUICK];

before(async () => {
  writeClips(temp.folder, 60);
  const { code, stderr, stdout } = await unroll([...TRAIN, '--out', 'model']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^data {5}60 clips in "clip", 2 labels in "way": left, right$/m);
  assert.match(stdout, /^clip {5}all frames, 12 × 16 pixels, grey, standardised; augmented in training$/m);
});

describe('clips', () => {
  test('are predicted from a folder, a GIF, an array, and a table', async () => {
    for (const [name, way] of [['clip0', 'left'], ['clip1', 'right'], ['clip2.gif', 'left'], ['clip3.npz', 'right']]) {
      const { stdout, stderr } = await unroll(['predict', 'model', '--frames', name]);
      assert.match(stdout, new RegExp(`^clip,label,score\n${name.replace('.', '\\.')},${way},0?\\.?\\d+`), stderr);
    } // biome-ignore format: one line
    const rows = await unroll(['predict', 'model', '--data', 'train.tsv']);
    assert.match(rows.stdout, /^clip,label,score\nclip0,left,/);
    const { stdout } = await unroll(['evaluate', 'model', '--data', 'train.tsv', '--json']);
    assert.ok(JSON.parse(stdout.trimEnd().split('\n').at(-1)!).metrics.accuracy > 0.9);
    assert.match(readFileSync(inFolder('model/report.html'), 'utf8'), /<h2>Key frames<\/h2>/);
  });

  test('have their frames in the order of the numbers in the file names', async () => {
    const { stdout } = await unroll(['predict', 'model', '--frames', 'clip0', '--json']);
    const { label } = JSON.parse(stdout);
    assert.equal(label, 'left'); // frame8, frame9, frame10, frame11: alphabetical order would begin with frame10
  });

  test('are read with the options for frames', async () => {
    const options = ['--frame-size', '8x10', '--grey', '--optical-difference', '--frames-per-clip', '4'];
    const { stdout, stderr } = await unroll([...TRAIN, ...options, '--no-augment', '--dry-run']);
    assert.match(
      stdout,
      /^clip {5}at most 4 frames per clip, 8 × 10 pixels, grey, standardised, and the difference from the previous frame$/m,
      stderr,
    );
    const colour = await unroll([...TRAIN, '--colour', '--dry-run']);
    assert.match(colour.stdout, /in colour, standardised; augmented in training$/m);
  });
});

describe('bad input prints a short error and exits with code 2', () => {
  const table = (name: string, clip: string) =>
    writeFileSync(inFolder(name), `clip\tway\nclip0\tleft\n${clip}\tright\nclip1\tright\nclip2.gif\tleft\n`);
  const folder = (name: string, files: Record<string, Uint8Array>) => {
    mkdirSync(inFolder(name));
    for (const [file, bytes] of Object.entries(files)) writeFileSync(inFolder(`${name}/${file}`), bytes);
  };
  const [frame] = boxFrames(0);
  const forged = png(frame); // The header, a chunk at byte 8, says 70,000 × 70,000.
  forged.writeUInt32BE(70_000, 16);
  forged.writeUInt32BE(70_000, 20);
  forged.writeUInt32BE(crc32(forged.subarray(12, 29)), 29);
  const BAD: Record<string, [make: () => void, message: RegExp]> = {
    corrupt: [() => folder('corrupt', { '1.png': png(frame), '2.png': png(frame).fill(7, 45, 60) }), /corrupt\/2\.png: the PNG file is damaged/],
    truncated: [() => folder('truncated', { '1.png': png(frame).subarray(0, 60) }), /truncated\/1\.png: the PNG file is truncated/],
    empty: [() => folder('empty', { 'notes.txt': png(frame) }), /empty: the folder has no PNG or JPEG files/],
    mixed: [() => folder('mixed', { '1.png': png(frame), '2.png': png(new Uint8Array(25), [5, 5]) }), /frame 1 has 12 × 16 pixels, frame 2 has 5 × 5 \(height × width\)/],
    tiny: [() => folder('tiny', { '1.png': png(new Uint8Array(1), [1, 1]) }), /frames must have at least 4 × 4 pixels \(height × width\), got 1 × 1 \(frame 1\)/],
    forged: [() => folder('forged', { '1.png': forged }), /forged\/1\.png: the image must have at most 33\.6 million pixels, got 70000 × 70000/],
    'none.gif': [() => writeFileSync(inFolder('none.gif'), gif([])), /none\.gif: the GIF file has no frames/],
    'large.gif': [() => writeFileSync(inFolder('large.gif'), gif([], 65_535, 65_535)), /large\.gif: the image must have at most 33\.6 million pixels/],
    'flat.npz': [() => writeFileSync(inFolder('flat.npz'), npz([]).slice(0, 90)), /flat\.npz/],
    'text.png': [() => writeFileSync(inFolder('text.png'), 'hello'), /text\.png: a clip must be a folder of PNG or JPEG files, a GIF, or an array/],
    missing: [() => {}, /missing: file not found/],
  }; // biome-ignore format: a table
  for (const [name, [make, message]] of Object.entries(BAD)) {
    test(name, async () => {
      make();
      table('bad.tsv', name);
      for (const args of [['train', 'classify', '--data', 'bad.tsv', '--frames', 'clip', '--label', 'way', '--out', 'bad'], ['predict', 'model', '--data', 'bad.tsv']]) {
        const { code, stderr, stdout } = await unroll(args);
        assert.deepEqual([code, stdout], [2, ''], stderr);
        assert.match(stderr, message);
        assert.match(stderr, /bad\.tsv, line 3, column 1 \("clip"\): /);
        assert.ok(stderr.trimEnd().split('\n').length <= 3, stderr);
      } // biome-ignore format: one line
      const one = await unroll(['predict', 'model', '--frames', name]);
      assert.deepEqual([one.code, one.stdout], [2, ''], one.stderr);
      assert.match(one.stderr, message);
    });
  }

  const train = (...args: string[]) => [...TRAIN.slice(0, 4), ...args, '--out', 'bad'];
  const columns = ['--frames', 'clip', '--label', 'way'];
  const CASES: Record<string, [string[], RegExp]> = {
    'no column': [train('--frames', 'path', '--label', 'way'), /no column "path"/],
    'no label': [train('--frames', 'clip'), /--label <column> is required/],
    'a wrong size': [train(...columns, '--frame-size', '64'), /--frame-size must be height and width, such as 48x64, got "64"/],
    'a small size': [train(...columns, '--frame-size', '2x2'), /frameSize must be \[height, width\], two integers from 4 to 1024/],
    'two colours': [train(...columns, '--grey', '--colour'), /--colour and --grey cannot be combined/],
    'options of sounds': [train(...columns, '--mels', '8'), /mels is an option for sounds, but the inputs are clips/],
    'two inputs': [train(...columns, '--text', 'way'), /--text and --frames cannot be combined/],
    'a text': [['predict', 'model', '--text', 'up'], /got a text/],
  }; // biome-ignore format: a table
  for (const [name, [args, message]] of Object.entries(CASES)) {
    test(name, async () => {
      const { code, stderr, stdout } = await unroll(args);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, message);
    });
  }
});

testInterruptedRuns(temp, { train: [...TRAIN, '--json'], changedOption: ['--units', '5'], message: /units/ });
