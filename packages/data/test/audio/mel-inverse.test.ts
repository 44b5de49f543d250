/** Converting log-mel spectrograms to sound: the spectrogram of the result is close to the given one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AudioFeatureOptions,
  audioFeatures,
  hzToMel,
  melToHz,
  melToSound,
  melToSpectrum,
} from '@unroll/data';
import { readGoldens } from '@unroll/testkit/node';

const RATE = 8000;
const OPTIONS = { sampleRate: RATE, mels: 40, windowLength: 400, hopLength: 100, fftSize: 512, range: 80 };

/** Returns a vowel-like sound: harmonics of a rising tone, with two formants. */
function vowel(): Float32Array {
  return Float32Array.from({ length: RATE }, (_, n) => {
    const t = n / RATE;
    let sum = 0;
    for (let k = 1; k <= 18; k++) {
      const frequency = k * (110 + 15 * t);
      const gain =
        Math.exp(-(((frequency - 600) / 250) ** 2)) + 0.4 * Math.exp(-(((frequency - 1700) / 300) ** 2));
      sum += gain * Math.sin(2 * Math.PI * k * (110 * t + 7.5 * t * t));
    }
    return 0.1 * sum;
  });
}

/** Returns a function that gives the weight of FFT bin k in mel filter m, for Slaney's filters. */
function slaneyFilters(sampleRate: number, mels: number, fftSize: number) {
  const top = hzToMel(sampleRate / 2);
  const edges = Array.from({ length: mels + 2 }, (_, i) => melToHz((top * i) / (mels + 1)));
  return (m: number, k: number): number => {
    const [left, peak, right] = edges.slice(m, m + 3);
    const hz = (k * sampleRate) / fftSize;
    const height = Math.min((hz - left) / (peak - left), (right - hz) / (right - peak));
    return (2 / (right - left)) * Math.max(0, height);
  };
}

test('the spectrum reproduces the mel energies as accurately as that of librosa', () => {
  const golden = readGoldens('audio/mel-inverse.json') as {
    options: AudioFeatureOptions & { mels: number; fftSize: number };
    energies: { shape: [number, number]; data: string };
    residual: number;
  };
  const { sampleRate, mels, fftSize } = golden.options;
  const energies = new Float32Array(Uint8Array.from(Buffer.from(golden.energies.data, 'base64')).buffer);
  const spectra = melToSpectrum(energies, golden.options);
  const bins = fftSize / 2 + 1;
  assert.equal(spectra.length, golden.energies.shape[0] * bins);
  assert.ok(spectra.every((value) => value >= 0));
  const weight = slaneyFilters(sampleRate, mels, fftSize);
  let [error, total] = [0, 0];
  for (const [i, energy] of energies.entries()) {
    const [t, m] = [Math.floor(i / mels), i % mels];
    let sum = 0;
    for (let k = 0; k < bins; k++) sum += weight(m, k) * spectra[t * bins + k];
    error += (sum - energy) ** 2;
    total += energy ** 2;
  }
  const residual = Math.sqrt(error / total);
  assert.ok(residual < golden.residual + 0.01, `${residual}, librosa ${golden.residual}`);
  assert.throws(() => melToSpectrum(energies.subarray(1), golden.options), /multiple of mels \(40\)/);
  assert.throws(
    () =>
      melToSpectrum(
        energies.map((x) => -x),
        golden.options,
      ),
    /not negative, got -/,
  );
});

test('the log-mel spectrogram of the sound is close to the given one', () => {
  const features = audioFeatures(OPTIONS);
  const original = features.frames(vowel());
  const sound = melToSound(original.values, OPTIONS);
  assert.equal(sound.length, 100 * (original.length - 1));
  const found = features.frames(sound);
  assert.equal(found.length, original.length);
  const loudest = Math.max(...original.values);
  let [sum, count] = [0, 0];
  for (let i = 0; i < original.values.length; i++) {
    if (original.values[i] < loudest - 40) continue; // spectral leakage hides quiet parts
    sum += Math.abs(found.values[i] - original.values[i]);
    count++;
  }
  assert.ok(sum / count < 1.5, `mean difference ${sum / count} dB`);
});

test('sharper magnitudes keep the energy; the same seed gives the same samples', () => {
  const { values } = audioFeatures(OPTIONS).frames(vowel());
  const energy = (samples: Float32Array): number => samples.reduce((sum, x) => sum + x * x, 0);
  const [plain, sharp] = [1, 1.2].map((sharpness) =>
    melToSound(values, OPTIONS, { sharpness, iterations: 20 }),
  );
  assert.ok(Math.abs(energy(sharp) / energy(plain) - 1) < 0.3);
  assert.deepEqual(
    melToSound(values, OPTIONS, { iterations: 2, seed: 3 }),
    melToSound(values, OPTIONS, { iterations: 2, seed: 3 }),
  );
});

test('errors name what is wrong', () => {
  const values = new Float32Array(80);
  assert.throws(
    () => melToSound(values, { ...OPTIONS, kind: 'mfcc' }),
    /must have kind "logMel".* got "mfcc", 0 and true/,
  );
  assert.throws(
    () => melToSound(values.subarray(0, 40), OPTIONS),
    /at least two frames of 40 values, got 40/,
  );
  assert.throws(
    () => melToSound(values.fill(Number.NaN, 7, 8), OPTIONS),
    /must be finite, got NaN at index 7/,
  );
  assert.throws(
    () => melToSound(new Float32Array(80), OPTIONS, { sharpness: 0 }),
    /sharpness must be above 0, got 0/,
  );
});
