/** The scale of calibration scores follows the size of recent changes, and does not depend on changes after the origin. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import { forecast, panelFromTable } from '@unroll/tasks';
import { planForecast, scoreScale } from '@unroll/tasks/internal';

const tableOf = (values: ArrayLike<number>) =>
  makeTable({ source: 's', names: ['y'], cells: [Array.from(values)] });

/** Returns the scale of a series without a season, whose last 20 rows are for the backtest. */
function scaleOf(values: ArrayLike<number>) {
  const panel = panelFromTable(tableOf(values), { target: 'y' });
  return scoreScale(panel, planForecast(panel, { horizon: 10, season: 1, windows: 2 }));
}
/** Returns a series of 0 in even rows and `size(t)` in odd rows. */
const zigzag = (rows: number, size: (t: number) => number): Float64Array =>
  Float64Array.from({ length: rows }, (_, t) => (t % 2 === 0 ? 0 : size(t)));

test('by hand: the mean of the changes before an origin, and a mean with weights that halve every 24 rows, shrunk towards the first mean', () => {
  const values = zigzag(140, (t) => (t < 81 ? 1 : 3));
  const { units, sizesAt } = scaleOf(values);
  // 119 changes in 120 training rows: 80 of size 1 (rows 1 to 80), 39 of size 3.
  assert.ok(Math.abs(units[0]! - (80 + 3 * 39) / 119) < 1e-12, `${units[0]}`);
  for (const origin of [2, 41, 81, 100, 140]) {
    const changes = Array.from({ length: origin - 1 }, (_, i) => (i < 80 ? 1 : 3));
    const weights = changes.map((_, i) => 0.5 ** ((changes.length - 1 - i) / 24));
    const sum = (list: readonly number[]) => list.reduce((total, value) => total + value, 0);
    const mean = sum(changes) / changes.length;
    const recent = (sum(changes.map((change, i) => weights[i]! * change)) + 12 * mean) / (sum(weights) + 12);
    const found = sizesAt!(0, origin);
    assert.ok(Math.abs(found.mean - mean) < 1e-12, `${origin}: ${found.mean}, ${mean}`);
    assert.ok(Math.abs(found.recent - recent) < 1e-12, `${origin}: ${found.recent}, ${recent}`);
  }
  assert.deepEqual(sizesAt!(0, 1), { mean: units[0], recent: units[0] }, 'no change before the origin');
});

test('the longer season is the shortest one that consists of several seasons', () => {
  const panel = panelFromTable(tableOf(zigzag(140, () => 1)), { target: 'y' });
  const plan = planForecast(panel, { horizon: 10, season: 2, windows: 2 });
  for (const [season, seasons, longSeason] of [
    [24, [24, 168], 168],
    [60, [60, 10_080, 1440], 1440],
    [168, [168, 24], 168],
    [7, [7, 30], 7],
    [12, [12], 12],
    [1, [], 1],
  ] as const) {
    const scale = scoreScale(panel, { ...plan, season, seasons });
    assert.deepEqual([scale.season, scale.longSeason], [season, longSeason]);
  }
});

test('both means are at least a tenth of the mean over the training rows', () => {
  const values = zigzag(140, (t) => (t < 81 ? 0.001 : 3));
  const { units, sizesAt } = scaleOf(values);
  const { mean, recent } = sizesAt!(0, 50);
  for (const size of [mean, recent]) assert.ok(Math.abs(size - units[0]! / 10) < 1e-12, `${size}`);
});

test('later values, gaps and level shifts do not count as changes', () => {
  const values = zigzag(140, () => 1);
  const plain = scaleOf(values).sizesAt!(0, 120);
  const later = values.map((value, t) => (t >= 120 ? 50 * value : value));
  assert.deepEqual(scaleOf(later).sizesAt!(0, 120), plain);
  const gaps = values.map((value, t) => (t === 100 || t === 101 ? Number.NaN : value));
  assert.ok(Math.abs(scaleOf(gaps).sizesAt!(0, 120).recent - plain.recent) < 1e-12);
  const noise = new RandomStream(1, 'shift').normal(140);
  const shifted = (size: number) => scaleOf(noise.map((value, t) => value + (t >= 90 ? size : 0)));
  const [withShift, usual] = [100, 0].map((shift) => shifted(shift).sizesAt!(0, 130));
  assert.ok(Math.abs(withShift!.mean / usual!.mean - 1) < 0.05, `${withShift!.mean}, ${usual!.mean}`);
  assert.ok(Math.abs(withShift!.recent / usual!.recent - 1) < 0.05, `${withShift!.recent}, ${usual!.recent}`);
  assert.equal(shifted(100).log, false, 'positive only after the shift');
});

test('bounds are not negative if no training value is negative', () => {
  const { nonNegative } = scaleOf(zigzag(140, () => 1));
  assert.deepEqual(nonNegative, [true]);
  assert.deepEqual(scaleOf(zigzag(140, (t) => (t === 9 ? -1 : 1))).nonNegative, [false]);
  assert.deepEqual(scaleOf(zigzag(140, (t) => (t === 139 ? -1 : 1))).nonNegative, [true], 'a later row');
});

test('intervals have their nominal coverage if the noise has become four times as large', async () => {
  const noise = new RandomStream(7, 'restless').normal(600);
  const values = noise.map((value, t) => (t < 360 ? value : 4 * value));
  const { leaderboard } = await forecast(tableOf(values), {
    ...{ target: 'y', season: 1, horizon: 6, windows: 20, window: 12, units: 4, epochs: 2, levels: [0.8] },
  });
  for (const { model, coverage } of leaderboard) {
    if (model === 'drift') continue;
    assert.ok(coverage[80]! > 0.72 && coverage[80]! < 0.92, `${model} ${coverage[80]}`);
  }
});
