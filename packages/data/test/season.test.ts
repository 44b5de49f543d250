// Season lengths: they are detected in seasonal series, and none is detected in noise.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { autocorrelation, inferSeason, inferSeasons, seasonallyAdjustedNaive } from '@unroll/data';

const wave = (n: number, season: number, noise: number, seed: number): Float64Array => {
  const random = new RandomStream(seed, 'season').normal(n);
  return Float64Array.from(
    { length: n },
    (_, t) => 3 * Math.sin((2 * Math.PI * t) / season) + t * 0.1 + noise * random[t]!,
  );
};

describe('inferSeason finds', () => {
  test('twelve months', () =>
    assert.equal(inferSeason(wave(96, 12, 0.5, 1), { unit: 'month', every: 1 }), 12));
  test('24 hours, not the week, which is a multiple', () => {
    assert.equal(inferSeason(wave(600, 24, 0.5, 2), { unit: 'hour', every: 1 }), 24);
  });
  test('96 quarters of an hour', () =>
    assert.equal(inferSeason(wave(400, 96, 0.1, 3), { unit: 'minute', every: 15 }), 96));
  test('seven steps, without the help of a calendar', () => {
    assert.equal(inferSeason(wave(120, 7, 0.3, 4), { unit: 'step', every: 1 }), 7);
  });
});

test('missing values at the start of a series do not hide its season', () => {
  const series = [...new Array(5).fill(Number.NaN), ...wave(96, 12, 0.5, 1)];
  series[50] = Number.NaN;
  assert.equal(inferSeason(series, { unit: 'month', every: 1 }), 12);
  assert.deepEqual(inferSeasons(series, { unit: 'month', every: 1 }), [12]);
  assert.equal(inferSeason(new Array(50).fill(Number.NaN), { unit: 'step', every: 1 }), 1);
});

test('noise and random walks have no season', () => {
  for (let seed = 0; seed < 20; seed++) {
    const noise = wave(96, 1e9, 1, seed);
    const walk = noise.map((_, i) => noise.slice(0, i + 1).reduce((sum, value) => sum + value, 0));
    assert.equal(inferSeason(noise, { unit: 'month', every: 1 }), 1, `noise ${seed}`);
    assert.equal(inferSeason(walk, { unit: 'month', every: 1 }), 1, `walk ${seed}`);
  }
});

test('a series shorter than two seasons has no season', () => {
  assert.equal(inferSeason(wave(20, 12, 0, 5), { unit: 'month', every: 1 }), 1);
});

test('autocorrelation by hand: values -1 1 -1 1 give -3/4 at lag 1 and 2/4 at lag 2', () => {
  assert.equal(autocorrelation([-1, 1, -1, 1], 1), -0.75);
  assert.equal(autocorrelation([-1, 1, -1, 1], 2), 0.5);
  assert.equal(autocorrelation([2, 2, 2], 1), 0);
});

test('the seasonally adjusted naive forecast continues the season from the last value', () => {
  const season = [10, -10, 4, -4];
  const level = (t: number) => 100 + 2 * t;
  const values = Float64Array.from({ length: 40 }, (_, t) => level(t) + season[t % 4]! - 200);
  const forecast = seasonallyAdjustedNaive(values, 4, 4);
  for (const [k, value] of forecast.entries())
    assert.ok(Math.abs(value - (level(39) + season[k]! - 200)) < 1e-9, `${forecast}`);
  assert.deepEqual([...seasonallyAdjustedNaive([1, 2, 3], 2, 1)], [3, 3]);
  assert.throws(() => seasonallyAdjustedNaive([1, 2, 3], 2, 2), /at least 4 past values, got 3/);
});

test('inferSeasons finds days and weeks in hourly rows, and one season in numbered rows', () => {
  const hours = Float64Array.from(
    { length: 2000 },
    (_, t) => Math.sin((2 * Math.PI * t) / 24) * (t % 168 < 120 ? 1 : -0.3),
  );
  assert.deepEqual(inferSeasons(hours, { unit: 'hour', every: 1 }), [24, 168]);
  assert.deepEqual(inferSeasons(wave(120, 7, 0.3, 4), { unit: 'step', every: 1 }), [7]);
});
