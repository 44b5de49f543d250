/** Data augmentation of sounds: noise, gain, speed and masks, with the same results for the same seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { addNoise, applyGain, changeSpeed, specAugment } from '@unroll/data';
import { sound } from './sounds.js';

const samples = sound('chirp');
const power = (values: Float32Array): number => values.reduce((sum, x) => sum + x * x, 0) / values.length;
const random = (seed = 0): RandomStream => new RandomStream(seed, 'augment');

test('addNoise adds noise at the given signal-to-noise ratio, and the same noise for the same seed', () => {
  const noisy = addNoise(samples, 10, random());
  const noise = noisy.map((x, i) => x - samples[i]);
  assert.ok(Math.abs(10 * Math.log10(power(samples) / power(noise)) - 10) < 0.3);
  assert.deepEqual(addNoise(samples, 10, random()), noisy);
  assert.notDeepEqual(addNoise(samples, 10, random(1)), noisy);
  assert.deepEqual(addNoise(new Float32Array(5), 10, random()), new Float32Array(5));
  assert.throws(() => addNoise(samples, Number.NaN, random()), {
    code: 'value',
    message: /ratio must be finite|finite number/,
  });
});

test('applyGain changes the power by the given number of decibels', () => {
  assert.ok(Math.abs(10 * Math.log10(power(applyGain(samples, -6)) / power(samples)) + 6) < 1e-4);
  assert.throws(() => applyGain(samples, Number.NaN), {
    code: 'value',
    message: /level must be a finite number/,
  });
});

test('changeSpeed changes length and pitch', () => {
  const tone = Float32Array.from({ length: 4000 }, (_, n) => Math.sin((2 * Math.PI * 400 * n) / 8000));
  const fast = changeSpeed(tone, 1.25);
  assert.equal(fast.length, 3200);
  const expected = (n: number): number => Math.sin((2 * Math.PI * 500 * n) / 8000);
  for (let n = 100; n < 3100; n++) assert.ok(Math.abs(fast[n] - expected(n)) < 0.01, `sample ${n}`);
  assert.throws(() => changeSpeed(tone, 5), {
    code: 'value',
    message: /factor must be from 0.25 to 4, got 5/,
  });
});

test('specAugment masks ranges of features and frames', () => {
  const [frames, width] = [50, 20];
  const all = new Float32Array(frames * width).fill(1);
  const masked = Float32Array.from(all);
  specAugment(masked, width, random(), { featureMasks: 1, timeMasks: 0, featureShare: 0.5 });
  const columns = Array.from({ length: width }, (_, f) => masked[f]);
  for (let t = 0; t < frames; t++)
    assert.deepEqual([...masked.subarray(t * width, (t + 1) * width)], columns);
  const count = columns.filter((x) => x === 0).length;
  assert.ok(count >= 1 && count <= 10);
  assert.equal(columns.lastIndexOf(0) - columns.indexOf(0) + 1, count);
  const repeated = Float32Array.from(all);
  specAugment(repeated, width, random(), { featureMasks: 1, timeMasks: 0, featureShare: 0.5 });
  assert.deepEqual(repeated, masked);
  const timeMasked = Float32Array.from(all);
  specAugment(timeMasked, width, random(3), { featureMasks: 0, timeMasks: 3, timeShare: 0.2, value: -1 });
  const rows = Array.from({ length: frames }, (_, t) => timeMasked[t * width]);
  assert.ok(rows.includes(-1) && rows.filter((x) => x === -1).length <= 30);
});
