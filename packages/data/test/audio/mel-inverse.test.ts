/** From log-mel spectrograms back to sound: the spectrogram of the result is the given one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audioFeatures, melToSound } from '@unroll/data';

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

test('the log-mel spectrogram of the sound is close to the given one', () => {
  const features = audioFeatures(OPTIONS);
  const given = features.frames(vowel());
  const sound = melToSound(given.values, OPTIONS);
  assert.equal(sound.length, 100 * (given.length - 1));
  const found = features.frames(sound);
  assert.equal(found.length, given.length);
  const loudest = Math.max(...given.values);
  let [sum, count] = [0, 0];
  for (let i = 0; i < given.values.length; i++) {
    if (given.values[i] < loudest - 40) continue; // quiet parts are hidden by leakage
    sum += Math.abs(found.values[i] - given.values[i]);
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
  assert.throws(() => melToSound(values, { ...OPTIONS, kind: 'mfcc' }), /must be centred logMel features/);
  assert.throws(
    () => melToSound(values.subarray(0, 40), OPTIONS),
    /at least two frames of 40 values, got 40/,
  );
  assert.throws(() => melToSound(values.fill(Number.NaN, 7, 8), OPTIONS), /must be finite, got NaN at 7/);
  assert.throws(
    () => melToSound(new Float32Array(80), OPTIONS, { sharpness: 0 }),
    /sharpness must be above 0, got 0/,
  );
});
