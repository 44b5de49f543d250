/**
 * The front end of video: sizes, colours, sampling, optical differences, masks and data augmentation, with values computed by
 * hand; and clips that are rejected. The tests fail if the encoder reads a wrong channel or frame, subtracts the wrong frame, or
 * augments the frames of one clip differently.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, ready, UnrollError } from '@unroll/core';
import type { Clip, Frame } from '@unroll/tasks';
import { FrameEncoder, readClip } from '@unroll/tasks/internal';

const grey = (side: number, value: number): Frame => ({
  ...{ width: side, height: side, data: new Uint8Array(side * side).fill(value) },
});
const colour = (r: number, g: number, b: number): Frame => ({
  ...{ width: 4, height: 4, data: Uint8Array.from({ length: 48 }, (_, i) => [r, g, b][i % 3]) },
});
const PLAIN = { frameSize: [4, 4], channels: 1, opticalDifference: false, framesPerClip: null } as const;
const encoderOf = (options: object) =>
  new FrameEncoder({ ...PLAIN, means: [0], deviations: [1], ...options });
const encoded = (encoder: FrameEncoder, clip: Clip) => encoder.encode(readClip(clip));

describe('frames', () => {
  test('are resized by area, and colours become grey', async () => {
    const encoder = encoderOf({ frameSize: [2, 2] });
    const data = Uint8Array.from({ length: 16 }, (_, i) => 10 * i);
    const { values } = encoded(encoder, [{ width: 4, height: 4, data }]);
    assert.deepEqual([...values], [25, 45, 105, 125]);
    assert.equal(encoded(encoderOf({}), [colour(200, 100, 50)]).values[0], Math.round(59.8 + 58.7 + 5.7));
    const translucent = new Uint8ClampedArray(64).fill(128); // as in ImageData: grey 128 with half opacity
    assert.equal(encoded(encoderOf({}), [{ width: 4, height: 4, data: translucent }]).values[0], 64);
  });

  test('of floating-point numbers have alpha values from 0 to 1 or, if an alpha value is above 1, from 0 to 255', () => {
    const greyOf = (value: number, alpha: number): number => {
      const data = Float32Array.from({ length: 64 }, (_, i) => (i % 4 === 3 ? alpha : value));
      return Number(encoded(encoderOf({}), [{ width: 4, height: 4, data }]).values[0].toFixed(4));
    };
    assert.deepEqual([greyOf(0.5, 1), greyOf(0.5, 0.5), greyOf(0.5, 0)], [0.5, 0.25, 0]);
    assert.deepEqual([greyOf(100, 255), greyOf(100, 51)], [100, 20]);
  });

  test('have a size and channels that are chosen from the clips, or set by options', () => {
    const wide = { width: 128, height: 32, data: new Uint8Array(128 * 32) };
    const { config } = FrameEncoder.fit([readClip([wide]), readClip([wide])]).encoder;
    assert.deepEqual([config.frameSize, config.channels, config.framesPerClip], [[16, 64], 1, null]);
    const long = Array.from({ length: 17 }, () => colour(9, 200, 9));
    const found = FrameEncoder.fit([readClip(long)]).encoder;
    assert.deepEqual([found.config.channels, found.config.framesPerClip, found.shape], [3, 16, [4, 4, 3]]);
    // Colours in values from 0 to 1, and colours that occur only after the first 50 clips.
    const floats = (r: number, g: number, b: number) =>
      readClip({
        shape: [1, 4, 4, 3],
        values: Float32Array.from({ length: 48 }, (_, i) => [r, g, b][i % 3]),
      });
    assert.equal(FrameEncoder.fit([floats(0.9, 0.5, 0.1)]).encoder.config.channels, 3);
    assert.equal(FrameEncoder.fit([floats(0.5, 0.5, 0.5)]).encoder.config.channels, 1);
    const late = Array.from({ length: 100 }, (_, n) =>
      readClip([n < 50 ? colour(9, 9, 9) : colour(9, 200, 9)]),
    );
    assert.equal(FrameEncoder.fit(late).encoder.config.channels, 3);
    const given = FrameEncoder.fit([readClip(long)], { colour: false, opticalDifference: true }).encoder;
    assert.deepEqual(given.shape, [4, 4, 2]);
  });

  test('are standardised with the mean and standard deviation of the training clips', async () => {
    await ready();
    const clips = [readClip([grey(4, 10), grey(4, 30)])];
    const { encoder, encoded: all } = FrameEncoder.fit(clips);
    const { means, deviations } = encoder.config;
    assert.deepEqual([means.map(Math.round), deviations.map(Math.round)], [[20], [10]]);
    const { x, mask } = encoder.batch(all, Uint32Array.of(0));
    assert.deepEqual([x.shape, mask], [[1, 2, 4, 4, 1], undefined]);
    assert.deepEqual([...new Set((await x.data()).map(Math.round))], [-1, 1]);
  });

  test('have optical differences, and a mask for shorter clips', async () => {
    await ready();
    const encoder = encoderOf({ opticalDifference: true, means: [0], deviations: [10] });
    const clips = [
      encoded(encoder, [grey(4, 10), grey(4, 30), grey(4, 20)]),
      encoded(encoder, [grey(4, 50)]),
    ];
    const { x, mask } = encoder.batch(clips, Uint32Array.of(0, 1));
    const values = await x.data();
    const valuesOf = (clip: number, t: number): number[] => [
      ...values.subarray((clip * 3 + t) * 32, (clip * 3 + t) * 32 + 2),
    ];
    assert.deepEqual([valuesOf(0, 0), valuesOf(0, 1), valuesOf(0, 2)], [[1, 0], [3, 2], [2, -1]]); // biome-ignore format: one line
    assert.deepEqual([valuesOf(1, 0), valuesOf(1, 1)], [[5, 0], [0, 0]]); // biome-ignore format: one line
    assert.deepEqual([...(await mask!.data())], [1, 1, 1, 1, 0, 0]);
  });

  test('of a long clip are selected: the middle frame of each of its equal parts or, in training, a random one', () => {
    const encoder = encoderOf({ framesPerClip: 3 });
    const clip = encoded(
      encoder,
      Array.from({ length: 100 }, (_, t) => grey(4, t)),
    );
    assert.deepEqual([clip.length, clip.stored], [3, 12]);
    assert.equal(clip.values[0], 4);
    assert.deepEqual([clip.indices[2], clip.values[2 * 16]], [20, 20]);
    assert.deepEqual(encoder.indicesOf(clip), [2, 6, 10]);
    for (let n = 0; n < 20; n++) {
      const drawn = encoder.indicesOf(clip, new RandomStream(n, 'test'));
      assert.deepEqual(drawn.map((index) => Math.floor(index / 4)), [0, 1, 2]); // biome-ignore format: one line
    }
  });

  test('of a clip are augmented in the same way, and only if there is a random stream', async () => {
    await ready();
    const spot = (): Frame => ({ width: 8, height: 8, data: new Uint8Array(64).fill(200, 27, 29) });
    const encoder = encoderOf({ frameSize: [8, 8], deviations: [100] });
    const clips = [encoded(encoder, [spot(), spot()])];
    const rows = Uint32Array.of(0);
    const plain = await encoder.batch(clips, rows).x.data();
    assert.equal(plain[27], 2);
    const changed = await encoder.batch(clips, rows, new RandomStream(1, 'test')).x.data();
    assert.deepEqual(changed.subarray(0, 64), changed.subarray(64));
    assert.notDeepEqual(changed, plain);
    const other = await encoder.batch(clips, rows, new RandomStream(2, 'test')).x.data();
    assert.notDeepEqual(changed, other);
  });
});

describe('damaged settings of a saved model are rejected', () => {
  const CASES: Record<string, [object, RegExp]> = {
    'a large frame': [{ frameSize: [1e5, 1e5] }, /frameSize must be two integers from 1 to 1024, got \[100000, 100000\]/],
    'two channels': [{ channels: 2, means: [0, 0], deviations: [1, 1] }, /channels must be 1 or 3, got 2/],
    'too few means': [{ channels: 3 }, /means and deviations must have 3 values/],
    'no frames': [{ framesPerClip: 0 }, /framesPerClip must be null or a positive integer, got 0/],
    'framesPerClip as a string': [{ framesPerClip: '4' }, /framesPerClip must be null or a positive integer, got "4"/],
    'opticalDifference as a number': [{ opticalDifference: 1 }, /opticalDifference must be true or false, got 1/],
    'a mean of null': [{ means: [null] }, /means and deviations must be finite numbers, the deviations above 0/],
    'a deviation of 0': [{ deviations: [0] }, /means and deviations must be finite numbers, the deviations above 0/],
  }; // biome-ignore format: a table
  for (const [name, [options, message]] of Object.entries(CASES))
    test(name, () => assert.throws(() => encoderOf(options), { code: 'format', message }));
});

describe('rejected clips', () => {
  const file = (count: number, frames: unknown[]) => ({ source: 'clip', count, frames: () => frames });
  const CASES: Record<string, [unknown, RegExp]> = {
    'a text': [
      'a',
      /^clip: a clip must be a list of images \{ width, height, data \}, or an array .*, got "a"\.$/,
    ],
    'no frames': [{ shape: [0, 4, 4], values: new Uint8Array() }, /^clip: the clip has no frames\.$/],
    'a wrong shape': [
      { shape: [4, 4], values: new Uint8Array(16) },
      /must be \[frames, height, width\] or .*, got \[4, 4\]\.$/,
    ],
    'too few values': [
      { shape: [2, 4, 4], values: new Uint8Array(9) },
      /shape \[2, 4, 4\] needs 32 values, got 9\.$/,
    ],
    'two sizes': [
      [grey(4, 0), grey(5, 0)],
      /frame 1 has 4 × 4 pixels, frame 2 has 5 × 5 \(height × width\)\.$/,
    ],
    'one pixel': [
      [grey(1, 0)],
      /frames must have at least 4 × 4 pixels \(height × width\), got 1 × 1 \(frame 1\)\.$/,
    ],
    'wrong data': [
      [{ width: 4, height: 5, data: new Uint8Array(9) }],
      /frame 1 must have height · width values .*, got 9 values for 5 × 4 pixels \(height × width\)\.$/,
    ],
    'pixels as a list': [
      [{ width: 4, height: 4, data: [1] }],
      /the data of frame 1 must be a Uint8Array or a Float32Array, got \[1\]\.$/,
    ],
    'no height': [
      { shape: [1e9, 0, 4], values: new Uint8Array() },
      /^clip: frames must have at least 4 × 4 pixels \(height × width\), got 0 × 4 \(frame 1\)\.$/,
    ],
    'two data types': [
      [grey(4, 0), { width: 4, height: 4, data: new Float32Array(16) }],
      /must have the same data type, but frame 1 has a Uint8Array, frame 2 has a Float32Array\.$/,
    ],
    'a fractional width': [
      [{ width: 4.5, height: 4, data: new Uint8Array(18) }],
      /the height and width of frame 1 must be integers, got 4 × 4\.5\.$/,
    ],
    'a fractional number of frames': [
      file(1.5, []),
      /the number of frames must be a positive integer, got 1\.5\.$/,
    ],
    'fewer frames than declared': [
      file(1, []),
      /^clip: frames\(indices\) must yield one frame for each index \(1\), got 0\.$/,
    ],
    'more frames than declared': [
      file(1, [grey(4, 0), grey(4, 0)]),
      /frames\(indices\) must yield one frame for each index \(1\), got more\.$/,
    ],
    'a frame that is not an image': [
      file(1, [null]),
      /frame 1 must be an image \{ width, height, data \}, got null\.$/,
    ],
    NaN: [
      { shape: [1, 4, 4], values: new Float32Array(16).fill(Number.NaN) },
      /frame 1 must have finite values/,
    ],
  };
  for (const [name, [clip, message]] of Object.entries(CASES)) {
    test(name, () => {
      const read = () => [...readClip(clip).frames([0, 1].slice(0, Array.isArray(clip) ? clip.length : 1))];
      assert.throws(read, (error) => {
        assert.ok(error instanceof UnrollError && error.code === 'value', String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
