/** Intervals follow the size of recent changes, and of no later ones. */
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
/** Changes by `size(t)` at each row, up and down. */
const zigzag = (rows: number, size: (t: number) => number): Float64Array =>
  Float64Array.from({ length: rows }, (_, t) => (t % 2 === 0 ? 0 : size(t)));

test('by hand: the last 60 changes and the mean of the training rows, which counts as 12', () => {
  const values = zigzag(140, (t) => (t < 81 ? 1 : 3));
  const { units, recentUnit } = scaleOf(values);
  // 119 changes in 120 training rows: 80 of size 1 (rows 1 to 80), 39 of size 3.
  const mean = (80 + 3 * 39) / 119;
  assert.ok(Math.abs(units[0]! - mean) < 1e-12, `${units[0]}`);
  const expected = [
    { origin: 41, sum: 40, count: 40 },
    { origin: 81, sum: 60, count: 60 },
    { origin: 100, sum: 41 + 3 * 19, count: 60 },
    { origin: 140, sum: 1 + 3 * 59, count: 60 },
  ];
  for (const { origin, sum, count } of expected) {
    const want = (sum + 12 * mean) / (count + 12);
    assert.ok(
      Math.abs(recentUnit!(0, origin) - want) < 1e-12,
      `${origin}: ${recentUnit!(0, origin)}, ${want}`,
    );
  }
});

test('later values, gaps and level shifts are no changes', () => {
  const values = zigzag(140, () => 1);
  const plain = scaleOf(values).recentUnit!(0, 120);
  const later = values.map((value, t) => (t >= 120 ? 50 * value : value));
  assert.equal(scaleOf(later).recentUnit!(0, 120), plain);
  const gaps = values.map((value, t) => (t === 100 || t === 101 ? Number.NaN : value));
  assert.ok(Math.abs(scaleOf(gaps).recentUnit!(0, 120) - plain) < 1e-12);
  const noise = new RandomStream(1, 'shift').normal(140);
  const shifted = (size: number) => scaleOf(noise.map((value, t) => value + (t >= 90 ? size : 0)));
  const [unit, usual] = [100, 0].map((size) => shifted(size).recentUnit!(0, 130));
  assert.ok(Math.abs(unit! / usual! - 1) < 0.05, `${unit}, ${usual}`);
  assert.equal(shifted(100).log, false, 'positive only after the shift');
});

test('a series that has become four times as restless has its coverage', async () => {
  const noise = new RandomStream(7, 'restless').normal(600);
  const values = noise.map((value, t) => (t < 360 ? value : 4 * value));
  const { leaderboard } = await forecast(tableOf(values), {
    ...{ target: 'y', season: 1, horizon: 6, windows: 20, window: 12, units: 4, epochs: 2, levels: [0.8] },
  });
  for (const { model, coverage } of leaderboard) {
    if (model === 'drift') continue;
    assert.ok(coverage[80]! > 0.72 && coverage[80]! < 0.9, `${model} ${coverage[80]}`);
  }
});
