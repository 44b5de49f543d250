/**
 * Compares the samples of WAV files with soundfile, and mu-law and A-law with audioop (packages/testkit/goldens/audio, written by
 * tools/goldens/audio.py). Other tests write and read files of every encoding, and read damaged files and mutated files, which
 * must give samples or a typed error.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, UnrollError } from '@unroll/core';
import { mono, readWav, type WavEncoding, WavStream, writeWav } from '@unroll/data';
import { readGoldens } from '@unroll/testkit/node';
import { arrayOf, differenceOf, type GoldenTensor, noise } from './sounds.js';

interface Goldens {
  files: {
    name: string;
    sampleRate: number;
    encoding: WavEncoding;
    bytes: string;
    channels: GoldenTensor[];
  }[];
  samples: number[];
  mulaw: number[];
  alaw: number[];
  mulawDecoded: number[];
  alawDecoded: number[];
}

const goldens = readGoldens('audio/wav.json') as Goldens;
const ENCODINGS: WavEncoding[] = [
  ...(['pcm8', 'pcm16', 'pcm24', 'pcm32', 'float32', 'float64', 'mulaw', 'alaw'] as const),
];

describe('readWav', () => {
  for (const { name, sampleRate, encoding, bytes, channels } of goldens.files) {
    test(`reads the same samples as soundfile: ${name}`, () => {
      const found = readWav(Buffer.from(bytes, 'base64'));
      assert.deepEqual([found.sampleRate, found.encoding], [sampleRate, encoding]);
      assert.deepEqual(found.channels, channels.map(arrayOf));
    });
  }

  test('mu-law and A-law are encoded and decoded as in audioop', () => {
    const channels = [Float32Array.from(goldens.samples, (sample) => sample / 2 ** 15)];
    for (const encoding of ['mulaw', 'alaw'] as const) {
      const file = writeWav({ channels, sampleRate: 8000 }, { encoding });
      assert.deepEqual([...file.subarray(58, 58 + goldens.samples.length)], goldens[encoding]);
      const codes = Float32Array.from({ length: 256 }, () => 0);
      const allCodes = writeWav({ channels: [codes], sampleRate: 8000 }, { encoding });
      for (let code = 0; code < 256; code++) allCodes[58 + code] = code;
      const decoded = Array.from(readWav(allCodes).channels[0], (sample) => sample * 2 ** 15);
      assert.deepEqual(decoded, goldens[`${encoding}Decoded`]);
    }
  });
});

describe('writeWav', () => {
  /** Largest error of each encoding for samples in [-1, 1). */
  const ERRORS: Record<WavEncoding, number> = {
    ...{ pcm8: 1 / 128, pcm16: 2 ** -15, pcm24: 2 ** -23, pcm32: 2 ** -24 },
    ...{ float32: 0, float64: 0, mulaw: 0.035, alaw: 0.035 },
  };
  for (const encoding of ENCODINGS) {
    test(`${encoding}: readWav gives the samples that were written, up to rounding`, () => {
      const channels = [0, 1, 2].map((c) => Float32Array.from(noise(51), (x) => x / (1 + c)));
      for (const count of [1, 2, 3]) {
        const bytes = writeWav({ channels: channels.slice(0, count), sampleRate: 22_050 }, { encoding });
        const found = readWav(bytes);
        assert.equal(bytes.length % 2, 0);
        assert.deepEqual([found.sampleRate, found.encoding], [22_050, encoding]);
        for (const [c, channel] of found.channels.entries())
          assert.ok(differenceOf(channel, channels[c]) <= ERRORS[encoding]);
        assert.deepEqual(writeWav(found, { encoding }), bytes);
      }
    });
  }

  test('clips samples, and rejects wrong input', () => {
    const loud = { channels: [Float32Array.of(1.5, -1.5)], sampleRate: 8000 };
    assert.deepEqual(readWav(writeWav(loud)).channels, [Float32Array.of(32767 / 32768, -1)]);
    assert.deepEqual(readWav(writeWav(loud, { encoding: 'float32' })).channels, loud.channels);
    const fails = (sound: Parameters<typeof writeWav>[0], code: string, message: RegExp): void => {
      assert.throws(() => writeWav(sound), { code, message });
    };
    fails({ channels: [], sampleRate: 8000 }, 'data', /at least one, got none/);
    fails({ channels: [new Float32Array(2), new Float32Array(3)], sampleRate: 8000 }, 'data', /got 2, 3/);
    fails({ channels: [new Float32Array(2)], sampleRate: -1 }, 'value', /sample rate must be above 0/);
    assert.throws(() => writeWav(loud, { encoding: 'mp3' as 'pcm8' }), {
      code: 'value',
      message: /encoding must be/,
    });
  });

  test('mono is the mean of the channels', () => {
    const channels = [Float32Array.of(1, 0, -1), Float32Array.of(0, 0.5, -1)];
    assert.deepEqual(mono({ channels, sampleRate: 1 }), Float32Array.of(0.5, 0.25, -1));
    assert.throws(() => mono({ channels: [], sampleRate: 1 }), { code: 'data', message: /no channels/ });
    const uneven = [new Float32Array(2), new Float32Array(3)];
    assert.throws(() => mono({ channels: uneven, sampleRate: 1 }), { code: 'data', message: /got 2 and 3/ });
  });
});

const SAMPLES = { channels: [Float32Array.of(0.5, -0.25, 0.125)], sampleRate: 8000 };

/** Returns a mono file of 3 samples, changed by `change`. */
function changed(encoding: WavEncoding, change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = writeWav(SAMPLES, { encoding });
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

/** Returns a RIFF file of chunks. `statedLength` is the length in the header of a chunk, by default the actual length. */
function riff(...chunks: [name: string, content: Uint8Array, statedLength?: number][]): Uint8Array {
  const parts = chunks.map(([name, content, statedLength = content.length]) => {
    const bytes = new Uint8Array(8 + content.length);
    bytes.set(Buffer.from(name, 'latin1'));
    new DataView(bytes.buffer).setUint32(4, statedLength, true);
    bytes.set(content, 8);
    return bytes;
  });
  return Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), ...parts]);
}

/** Returns the content of a fmt chunk. */
function fmt(tag: number, channels: number, bits: number, frameBytes: number, rate = 8000): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  for (const [offset, value] of [
    [0, tag],
    [2, channels],
    [12, frameBytes],
    [14, bits],
  ])
    view.setUint16(offset, value, true);
  view.setUint32(4, rate, true);
  return new Uint8Array(view.buffer);
}

describe('WavStream', () => {
  test('chunks of any size give the samples of the file', () => {
    for (const { name, bytes } of goldens.files) {
      const file = new Uint8Array(Buffer.from(bytes, 'base64'));
      if (name.startsWith('RF64')) {
        assert.throws(() => new WavStream().push(file), { code: 'format', message: /RF64/ });
        continue;
      }
      const expected = mono(readWav(file));
      for (const size of [1, 5, 50, 100_000]) {
        const stream = new WavStream();
        const found: number[] = [];
        for (let start = 0; start < file.length; start += size)
          found.push(...stream.push(file.subarray(start, start + size)));
        stream.end();
        assert.deepEqual(Float32Array.from(found), expected, `${name}, chunks of ${size}`);
        assert.equal(stream.sampleRate, 11_025);
      }
    }
  });

  test('damaged files raise an error that names the source', () => {
    const file = writeWav({ channels: [new Float32Array(9)], sampleRate: 8000 });
    const fails = (bytes: Uint8Array, message: RegExp): void => {
      const stream = new WavStream({ source: 'stdin' });
      assert.throws(
        () => {
          stream.push(bytes);
          stream.end();
        },
        { name: 'UnrollError', message },
      );
    };
    fails(file.subarray(0, -2), /^stdin: .* samples are missing at its end/);
    fails(file.subarray(0, 30), /^stdin: .* must have a data chunk/);
    fails(file.subarray(0, 44), /^stdin: .* samples are missing/);
    fails(new Uint8Array(2 ** 20 + 1).fill(65), /^stdin: a WAV file must start with/);
    fails(riff(['LIST', new Uint8Array(2 ** 20)]), /^stdin: the first 1048576 bytes have no data chunk/);
    fails(riff(['fmt ', fmt(1, 1, 16, 2)], ['data', new Uint8Array(0)]), /^stdin: the file has no samples/);
  });
});

describe('unusual and damaged WAV files', () => {
  const DATA = Uint8Array.of(0, 64, 0, 224, 0, 16);
  const values = [0.5, -0.25, 0.125];

  test('chunks of odd length, with and without a padding byte, and chunks of unknown length are read', () => {
    const odd = Uint8Array.of(1, 2, 3);
    const files = {
      padded: riff(['LIST', Uint8Array.of(1, 2, 3, 0), 3], ['fmt ', fmt(1, 1, 16, 2)], ['data', DATA]),
      unpadded: riff(['LIST', odd], ['fmt ', fmt(1, 1, 16, 2)], ['data', DATA]),
      unknown: riff(['fmt ', fmt(1, 1, 16, 2)], ['data', DATA, 0xffffffff]),
      sox: riff(['fmt ', fmt(1, 1, 16, 2)], ['data', DATA, 0x7ffff000]),
      followed: riff(['fmt ', fmt(1, 1, 16, 2)], ['data', DATA], ['LIST', odd]),
      container: riff(
        ['fmt ', fmt(1, 1, 24, 4)],
        ['data', Uint8Array.of(9, 0, 0, 64, 9, 0, 0, 224, 9, 0, 0, 16)],
      ),
      bits12: riff(['fmt ', fmt(1, 1, 12, 2)], ['data', DATA]),
    };
    for (const [name, file] of Object.entries(files))
      assert.deepEqual([...readWav(file).channels[0]], values, name);
    const inside = new Uint8Array([7, ...files.padded, 7]).subarray(1, -1);
    assert.deepEqual([...readWav(inside).channels[0]], values);
  });

  test('damaged files raise an error that names the file', () => {
    const good = writeWav(SAMPLES);
    const header = ['fmt ', fmt(1, 1, 16, 2)] as [string, Uint8Array];
    const cases: [Uint8Array, string, RegExp][] = [
      [new Uint8Array(0), 'format', /the file is empty/],
      [good.subarray(0, 11), 'format', /must start with "RIFF" and "WAVE"\.$/],
      [Buffer.from('fLaC\0\0\0\0\0\0\0\0'), 'format', /got a FLAC file\. Convert it to WAV/],
      [Buffer.from('ID3\x04\0\0\0\0\0\0\0\0'), 'format', /got an MP3 file/],
      [Buffer.from('RIFX\0\0\0\0WAVE'), 'format', /big-endian/],
      [good.subarray(0, 40), 'format', /must have a data chunk/],
      [good.subarray(0, 20), 'format', /chunk "fmt " must have 16 bytes, got 0/],
      [good.subarray(0, -1), 'format', /data chunk must have 6 bytes, got 5/],
      [riff(header, ['data', DATA.subarray(0, 5)]), 'format', /multiple of 2 bytes, got 5/],
      [riff(header, ['data', new Uint8Array(0)]), 'data', /no samples/],
      [riff(header, ['data', DATA, 0xfffffff0]), 'format', /must have 4294967280 bytes, got 6/],
      [riff(['LIST', DATA, 4_000_000_000], header), 'format', /"LIST" must have 4000000000 bytes/],
      [riff(header, header), 'format', /two fmt chunks/],
      [riff(['data', DATA], header), 'format', /must follow a fmt chunk/],
      [riff(['fmt ', fmt(1, 0, 16, 2)]), 'format', /channels must be at least 1/],
      [riff(['fmt ', fmt(1, 1, 16, 2, 0)]), 'format', /sample rate must be at least 1/],
      [riff(['fmt ', fmt(2, 1, 4, 256)]), 'format', /got format 2 with 4 bits/],
      [riff(['fmt ', fmt(1, 1, 0, 2)]), 'format', /got format 1 with 0 bits/],
      [riff(['fmt ', fmt(1, 2, 16, 2)]), 'format', /2 channels of 16 bits must have 4 bytes, got 2/],
      [riff(['fmt ', fmt(0xfffe, 1, 16, 2)]), 'format', /must have at least 40 bytes, got 16/],
      [riff(['fmt ', fmt(1, 1, 16, 2).subarray(0, 14)]), 'format', /at least 16 bytes, got 14/],
      [changed('float32', (view) => view.setFloat32(62, Number.NaN, true)), 'data', /sample 2 .* got NaN/],
    ];
    for (const [bytes, code, message] of cases) {
      assert.throws(() => readWav(bytes, { source: 'a.wav' }), { code, message });
      assert.throws(() => readWav(bytes, { source: 'a.wav' }), { message: /^a\.wav: / });
    }
  });

  test('mutated files give finite samples or a typed error', () => {
    const count = Number(process.env.UNROLL_MUTATIONS ?? 500);
    const files = [
      ...goldens.files.map(({ bytes }) => Buffer.from(bytes, 'base64')),
      ...ENCODINGS.map((encoding) => writeWav(SAMPLES, { encoding })),
    ];
    const random = new RandomStream(0, 'wav', 'mutations');
    let [read, rejected] = [0, 0];
    for (let n = 0; n < count; n++) {
      const bytes = mutated(files[n % files.length], random);
      try {
        const { channels, sampleRate } = readWav(bytes);
        assert.ok(
          sampleRate > 0 && channels.every((channel) => channel.length > 0 && channel.every(Number.isFinite)),
        );
        read++;
      } catch (error) {
        if (!(error instanceof UnrollError)) throw error;
        assert.ok(error.code === 'format' || error.code === 'data', error.message);
        rejected++;
      }
    }
    assert.ok(read > count / 10 && rejected > count / 10, `${read} read, ${rejected} rejected`);
  });
});

/** Returns a copy with up to three bytes changed, mostly in the header, and often cut or extended. */
function mutated(file: Uint8Array, random: RandomStream): Uint8Array {
  const bytes = Uint8Array.from(file);
  const [changes, kind, cut] = random.uniform(3);
  for (let i = 0; i < Math.floor(4 * changes); i++) {
    const [region, position, choice, value] = random.uniform(4);
    const index = Math.floor(position * Math.min(bytes.length, region < 0.8 ? 100 : bytes.length));
    const edgeValue = [0, 1, 2, 0x7f, 0x80, 0xff][Math.floor(value * 6)];
    bytes[index] = choice < 0.5 ? edgeValue : Math.floor(value * 256);
  }
  if (kind < 0.2) return bytes.subarray(0, Math.floor(cut * bytes.length));
  return kind < 0.3 ? new Uint8Array([...bytes, ...bytes.subarray(0, Math.floor(cut * 40))]) : bytes;
}
