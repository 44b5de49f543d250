/**
 * Compares the audio front end with librosa, torchaudio and NumPy (packages/testkit/goldens/audio, written by
 * tools/goldens/audio.py). Detects a wrong window, padding, mel filter, scale, logarithm, transform or resampling filter. Other
 * tests check that the features of a sound in chunks are bit-identical to those of the whole sound, and check the errors for
 * wrong inputs.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type AudioFeatureOptions,
  analysisWindow,
  audioFeatures,
  type GriffinLimOptions,
  griffinLim,
  hzToMel,
  melToHz,
  RealFft,
  type ResampleOptions,
  Resampler,
  resample,
  type TrimOptions,
  trimSilence,
  type WindowName,
} from '@unroll/data';
import { readGoldens } from '@unroll/testkit/node';
import { arrayOf, differenceOf, type GoldenTensor, noise, type SoundName, sound } from './sounds.js';

const TOLERANCE = 1e-4;

interface FeatureGoldens {
  cases: {
    name: string;
    library: string;
    sound: SoundName;
    options: AudioFeatureOptions;
    values: GoldenTensor;
  }[];
}

interface SignalGoldens {
  windows: [WindowName, number, number[]][];
  mels: [hz: number, slaney: number, htk: number][];
  resampling: { from: number; to: number; options: Partial<ResampleOptions>; values: GoldenTensor }[];
  trimming: { sound: SoundName; options: TrimOptions; start: number; end: number }[];
  spectra: { size: number; re: number[]; im: number[] }[];
  griffinLim: { options: GriffinLimOptions; samples: GoldenTensor }[];
  convergence: number;
}

const { cases } = readGoldens('audio/features.json') as FeatureGoldens;
const signals = readGoldens('audio/signals.json') as SignalGoldens;

describe('audioFeatures', () => {
  for (const { name, library, options, sound: soundName, values } of cases) {
    test(`equals ${library}: ${name}`, () => {
      const { values: actual, width, length } = audioFeatures(options).frames(sound(soundName));
      assert.deepEqual([length, width], values.shape);
      const difference = differenceOf(actual, arrayOf(values));
      assert.ok(difference <= TOLERANCE, `differs by ${difference}`);
    });
  }

  test('the features of a sound in chunks of any size are bit-identical to those of the whole sound', () => {
    const streamable = cases.filter(({ options }) => (options.range ?? null) === null);
    assert.ok(streamable.length > 10);
    for (const [n, { name, options, sound: soundName }] of streamable.entries()) {
      const features = audioFeatures({ ...options, deltas: (n % 3) as 0 | 1 | 2 });
      const samples = sound(soundName);
      for (const rate of [8000, 16_000, 11_025]) {
        const whole = features.frames(samples, rate).values;
        for (const size of [1, 7, 333, 100_000]) {
          const stream = features.stream(rate);
          const found: number[] = [];
          for (let start = 0; start < samples.length; start += size)
            found.push(...stream.push(samples.subarray(start, start + size)));
          found.push(...stream.end());
          assert.deepEqual(Float32Array.from(found), whole, `${name}, chunks of ${size} at ${rate} Hz`);
        }
      }
    }
  });

  test('a stream returns each frame as soon as the samples of the frame have arrived', () => {
    const stream = audioFeatures({ sampleRate: 8000, fftSize: 256, hopLength: 80, mels: 20 }).stream();
    assert.equal(stream.push(new Float32Array(127)).length, 0);
    assert.equal(stream.push(new Float32Array(1)).length, 20);
    assert.equal(stream.push(new Float32Array(80)).length, 20);
    assert.equal(stream.push(new Float32Array(160)).length, 40);
  });

  test('rejects wrong inputs', () => {
    const base = { sampleRate: 8000 };
    const features = audioFeatures(base);
    const fails = (options: object, message: RegExp): void => {
      assert.throws(() => audioFeatures({ ...base, ...options }), { code: 'value', message });
    };
    assert.throws(() => features.frames(new Float32Array(0)), { code: 'data', message: /no samples/ });
    assert.throws(() => features.frames(new Float32Array(300), 0), {
      code: 'value',
      message: /^frames: the sample rate must be above 0/,
    });
    assert.throws(() => features.stream(0), {
      code: 'value',
      message: /^stream: the sample rate must be above 0/,
    });
    assert.throws(() => features.stream().end(), { code: 'data', message: /no samples/ });
    const single = audioFeatures({ ...base, kind: 'spectrogram', windowLength: 1, fftSize: 1 });
    assert.throws(() => single.stream().end(), { code: 'data', message: /no samples/ });
    const reflecting = audioFeatures({ ...base, padding: 'reflect' });
    assert.throws(() => reflecting.frames(new Float32Array(128)), { code: 'data', message: /more than 128/ });
    const plain = audioFeatures({ ...base, center: false });
    assert.throws(() => plain.frames(new Float32Array(255)), {
      code: 'data',
      message: /at least fftSize = 256/,
    });
    const limited = audioFeatures({ ...base, range: 80 });
    assert.throws(() => limited.stream(), { code: 'value', message: /range needs the whole sound/ });
    const stream = features.stream();
    stream.push(new Float32Array(300));
    stream.end();
    assert.throws(() => stream.push(new Float32Array(1)), { code: 'state', message: /has ended/ });
    fails({ sampleRate: 0 }, /sample rate must be above 0/);
    fails({ mels: 200 }, /Mel filter \d+ of 200 .* contains no bin of an FFT of size 256/);
    fails({ windowLength: 300, fftSize: 256 }, /fftSize must be at least windowLength \(300\), got 256/);
    fails({ maxFrequency: 5000 }, /maxFrequency must be at most half the sample rate \(4000\), got 5000/);
    fails({ minFrequency: 4000 }, /maxFrequency must be above minFrequency/);
    fails({ kind: 'mfcc', coefficients: 41 }, /coefficients must be at most mels \(40\), got 41/);
    fails({ deltas: 3 }, /deltas must be 0, 1 or 2, got 3/);
    fails({ floor: 0 }, /floor must be above 0/);
    fails({ kind: 'mel', range: 80 }, /range must be null for mel/);
    fails({ nMels: 40 }, /there is no option "nMels"/);
  });
});

describe('parts of the audio front end', () => {
  test('windows equal those of scipy', () => {
    for (const [name, length, expected] of signals.windows)
      assert.ok(differenceOf(analysisWindow(name, length), expected) < 1e-12, `${name} ${length}`);
  });

  test('mel scales equal those of librosa', () => {
    for (const [hz, slaney, htk] of signals.mels) {
      assert.ok(Math.abs(hzToMel(hz) - slaney) < 1e-9);
      assert.ok(Math.abs(hzToMel(hz, 'htk') - htk) < 1e-9);
      assert.ok(Math.abs(melToHz(slaney) - hz) < 1e-6);
      assert.ok(Math.abs(melToHz(htk, 'htk') - hz) < 1e-6);
    }
  });

  test('spectra equal those of NumPy, and can be inverted', () => {
    for (const { size, re, im } of signals.spectra) {
      const fft = new RealFft(size);
      const x = noise(size);
      const [a, b] = [new Float64Array(fft.bins), new Float64Array(fft.bins)];
      fft.forward(x, a, b);
      assert.ok(differenceOf(a, re) < 1e-12 && differenceOf(b, im) < 1e-12, `size ${size}`);
      const back = new Float64Array(size);
      fft.inverse(a, b, back);
      assert.ok(differenceOf(back, x) < 1e-12, `inverse of size ${size}`);
    }
    assert.throws(() => new RealFft(0), { code: 'value', message: /size of an FFT must be an integer/ });
  });

  test('resampled sounds equal those of torchaudio, also in chunks', () => {
    const samples = sound('short');
    for (const { from, to, options, values } of signals.resampling) {
      const whole = resample(samples, { from, to, ...options });
      assert.ok(differenceOf(whole, arrayOf(values)) < 1e-5, `${from} to ${to}`);
      const resampler = new Resampler({ from, to, ...options });
      const chunks = Array.from({ length: 100 }, (_, i) =>
        resampler.push(samples.subarray(7 * i, 7 * i + 7)),
      );
      const all = [...chunks, resampler.end()].flatMap((chunk) => [...chunk]);
      assert.deepEqual(Float32Array.from(all), whole);
    }
    assert.deepEqual(resample(samples, { from: 8000, to: 8000 }), samples);
    const fails = (options: ResampleOptions, message: RegExp): void => {
      assert.throws(() => resample(samples, options), { code: 'value', message });
    };
    fails({ from: 8000, to: 0 }, /sample rate must be above 0/);
    fails({ from: 8000.5, to: 8000 }, /sample rates must be integers/);
    fails({ from: 999_983, to: 999_979 }, /needs too large a filter/);
    fails({ from: 8000, to: 16_000, rolloff: 2 }, /rolloff must be above 0 and at most 1/);
  });

  /** Returns the magnitude spectrogram of a sound. */
  const magnitudesOf = (samples: Float32Array, options: GriffinLimOptions): Float32Array => {
    const { fftSize, hopLength = fftSize / 4, windowLength = fftSize } = options;
    const kind = 'spectrogram';
    const features = audioFeatures({ sampleRate: 8000, kind, fftSize, hopLength, windowLength });
    return features.frames(samples).values.map(Math.sqrt);
  };

  test('griffinLim gives the same samples as librosa', () => {
    for (const { options, samples } of signals.griffinLim) {
      const found = griffinLim(magnitudesOf(sound('short'), options), options);
      const difference = differenceOf(found, arrayOf(samples));
      assert.ok(difference < TOLERANCE, `${JSON.stringify(options)}: ${difference}`);
    }
    const options = { fftSize: 256, hopLength: 64 };
    const magnitudes = magnitudesOf(sound('chirp'), options);
    const rebuilt = magnitudesOf(griffinLim(magnitudes, options), options);
    const norm = (values: Float32Array): number => Math.hypot(...values);
    const convergence = norm(rebuilt.map((value, i) => value - magnitudes[i])) / norm(magnitudes);
    assert.ok(convergence < 1.3 * signals.convergence, `${convergence}, librosa ${signals.convergence}`);
    assert.throws(() => griffinLim(new Float32Array(130), options), {
      code: 'data',
      message: /two frames of 129/,
    });
    assert.throws(() => griffinLim(new Float32Array(258).fill(-1), options), {
      code: 'data',
      message: /got -1/,
    });
    assert.throws(() => griffinLim(magnitudes, { ...options, windowLength: 300 }), {
      message: /at most fftSize/,
    });
  });

  test('trimSilence gives the same limits as librosa', () => {
    for (const { sound: name, options, start, end } of signals.trimming)
      assert.deepEqual(trimSilence(sound(name), options), { start, end });
    assert.deepEqual(trimSilence(new Float32Array(100)), { start: 0, end: 100 });
    assert.throws(() => trimSilence(new Float32Array(0)), { code: 'data', message: /no samples/ });
    assert.throws(() => trimSilence(sound('short'), { threshold: 0 }), {
      code: 'value',
      message: /threshold/,
    });
  });
});
