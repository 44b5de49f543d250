// Level shifts: found at their rows from earlier rows only, not found in ordinary series; and forecasts after a shift.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import { type ForecastOptions, type ForecastPlan, forecast, panelFromTable } from '@unroll/tasks';
import { historyOf, levelledOrigins, ShiftSearch } from '@unroll/tasks/internal';

interface SeriesOptions {
  rows: number;
  season: number;
  /** Size and row of the shift. */
  shift?: number;
  at?: number;
  noise?: number;
  seed?: number;
}

/** Returns a series that starts at 240 and rises slowly, with a season of ±20 and a shift. */
function shiftedSeries({
  rows,
  season,
  shift = 0,
  at = rows,
  noise = 3,
  seed = 1,
}: SeriesOptions): Float64Array {
  const random = new RandomStream(seed, 'shift').normal(rows);
  return Float64Array.from(
    random,
    (value, t) =>
      240 + 0.4 * t + 20 * Math.sin((2 * Math.PI * t) / season) + noise * value + (t >= at ? shift : 0),
  );
}

const shiftRowsOf = (values: Float64Array, season: number): number[] => [
  ...new Set(new ShiftSearch(values, season).shifts.map(({ row }) => row)),
];

/** Returns slow swings of 150 until row 660, then nearly constant rows, and a jump of 60 at row 900. */
function jumpAfterSwings(rows = 960): Float64Array {
  const swings = [300, 360, 430, 500, 580, 650];
  const swing = (t: number): number => Math.max(0, ...swings.map((at) => 150 - 15 * Math.abs(t - at)));
  const quiet = new RandomStream(3, 'quiet').normal(rows, 0, 0.5);
  return Float64Array.from(quiet, (value, t) => value + swing(t) + (t >= 900 ? 60 : 0));
}

describe('the search', () => {
  test('does not report a jump after quiet rows as a shift if the 2,000 rows before had larger swings', () => {
    const values = jumpAfterSwings();
    const jumpIsFound = (from: number): boolean => shiftRowsOf(values.slice(from), 1).includes(900 - from);
    assert.ok(jumpIsFound(740), 'without the swings, the jump is a shift');
    assert.ok(!jumpIsFound(0));
  });

  for (const shift of [300, -120]) {
    for (const since of [3, 4, 7, 30]) {
      test(`finds a shift of ${shift}, ${since} rows before the end`, () => {
        const at = 96 - since;
        const { shifts } = new ShiftSearch(shiftedSeries({ rows: 96, season: 12, shift, at }), 12);
        assert.deepEqual(shifts[0].row, at);
        assert.equal(shifts[0].knownAt, at + 3);
        const total = shifts.reduce((sum, { size }) => sum + size, 0);
        assert.ok(Math.abs(total - shift) < 12, `${total}`);
      });
    }
    for (const since of [1, 2]) {
      test(`reports a shift of ${shift}, ${since} rows before the end, as an open shift`, () => {
        const search = new ShiftSearch(shiftedSeries({ rows: 96, season: 12, shift, at: 96 - since }), 12);
        assert.deepEqual(search.shifts, []);
        assert.equal(search.openShiftAt(96)?.row, 96 - since);
        assert.equal(search.openShiftAt(95 - since), undefined);
      });
    }
  }
  test('finds nothing without a shift: with a season, a trend, a random walk, an outlier, counts', () => {
    for (let seed = 0; seed < 20; seed++) {
      assert.deepEqual(shiftRowsOf(shiftedSeries({ rows: 200, season: 12, seed }), 12), [], `season ${seed}`);
      const noise = new RandomStream(seed, 'walk').normal(200);
      let level = 0;
      const walk = Float64Array.from(noise, (step) => (level += step));
      assert.deepEqual(shiftRowsOf(walk, 1), [], `walk ${seed}`);
      assert.deepEqual(shiftRowsOf(walk, 12), [], `walk with season ${seed}`);
      const outlier = shiftedSeries({ rows: 200, season: 12, seed });
      outlier[150] += 400;
      assert.deepEqual(shiftRowsOf(outlier, 12), [], `outlier ${seed}`);
      const counts = noise.map((value) => Math.max(0, Math.round(value - 0.8)));
      assert.deepEqual(shiftRowsOf(Float64Array.from(counts), 1), [], `counts ${seed}`);
    }
  });
  test('does not report a second shift one season after a shift', () => {
    assert.deepEqual(shiftRowsOf(shiftedSeries({ rows: 96, season: 12, shift: 300, at: 50 }), 12), [50]);
  });
  test('uses only earlier rows', () => {
    const values = shiftedSeries({ rows: 120, season: 12, shift: 300, at: 60 });
    const whole = new ShiftSearch(values, 12);
    for (const end of [61, 62, 63, 70, 100]) {
      const changed = values.map((value, t) => (t < end ? value : (t * 7919) % 1000));
      for (const search of [new ShiftSearch(values.slice(0, end), 12), new ShiftSearch(changed, 12)]) {
        const known = search.shifts.filter(({ knownAt }) => knownAt <= end);
        assert.deepEqual(
          known,
          whole.shifts.filter(({ knownAt }) => knownAt <= end),
        );
        assert.deepEqual(search.openShiftAt(end), whole.openShiftAt(end));
      }
    }
  });
});

const panelOf = (values: Float64Array) =>
  panelFromTable(makeTable({ source: 's', names: ['y'], cells: [Array.from(values)] }), { target: 'y' });

test('forecasts use the original rows until a shift is known; then, earlier rows are moved to the new level', () => {
  const values = shiftedSeries({ rows: 96, season: 12, shift: 300, at: 60, noise: 0 });
  const panel = panelOf(values);
  const origins = [59, 62, 63].map((origin) => ({ series: 0, origin }));
  const plan = { season: 12, log: false };
  const { asShifts, asOutliers } = levelledOrigins(panel, origins, plan);
  const { series: levelled } = asShifts.panel;
  const [before, open, after] = asShifts.origins.map(({ series }) => levelled[series].values);
  assert.deepEqual(before, panel.series[0].values);
  assert.equal(asOutliers.length, 1);
  const [outlier] = asOutliers[0].panel.series;
  for (const t of [0, 30, 59]) {
    for (const moved of [open, after]) assert.ok(Math.abs(moved[t] - values[t] - 300) < 5, `row ${t}`);
    assert.equal(outlier.values[t], values[t]);
  }
  assert.ok(Math.abs(outlier.values[60] - (values[60] - 300)) < 5);
});

test('the stored rows have the same shifts as all rows', () => {
  const plan = { season: 1, log: false, lag: 1, window: 24 } as ForecastPlan;
  const shiftsOf = (values: Float64Array): number[] => {
    const search = new ShiftSearch(values, 1);
    return [...search.shifts.map(({ row }) => row), search.openShiftAt(values.length)?.row ?? 0].map(
      (row) => row - values.length,
    );
  };
  for (const rows of [902, 903, 910]) {
    const values = jumpAfterSwings(rows);
    const [{ values: stored }] = historyOf(panelOf(values), ['naive'], plan);
    assert.deepEqual(shiftsOf(Float64Array.from(stored as number[])), shiftsOf(values), `${rows} rows`);
  }
  // Without a jump, the rows with the swings are not stored.
  assert.ok(historyOf(panelOf(jumpAfterSwings(890)), ['naive'], plan)[0].values.length < 200);
});

const options: ForecastOptions = { target: 'y', horizon: 6, season: 12, window: 12, units: 4, epochs: 3 };
const tableOf = (series: Record<string, Float64Array>) => {
  const cells: (string | number)[][] = [[], [], []];
  for (const [id, values] of Object.entries(series)) {
    for (const [t, value] of values.entries()) {
      cells[0].push(id);
      cells[1].push(`${2010 + Math.floor(t / 12)}-${String(1 + (t % 12)).padStart(2, '0')}`);
      cells[2].push(value);
    }
  }
  return makeTable({ source: 's', names: ['id', 'month', 'y'], cells });
};

describe('forecasts of a panel in which one series has a shift', () => {
  for (const [shift, since] of [
    [300, 3],
    [-120, 10],
    [300, 30],
  ]) {
    test(`of ${shift}, ${since} rows before the end: within 10 % of the new level`, async () => {
      const at = 96 - since;
      const truth = shiftedSeries({ rows: 102, season: 12, shift, at, noise: 0 }).slice(96);
      const series = {
        a: shiftedSeries({ rows: 96, season: 12, shift, at }),
        b: shiftedSeries({ rows: 96, season: 12, seed: 2 }),
      };
      const { forecasts, notes } = await forecast(tableOf(series), { ...options, series: 'id' });
      assert.equal(
        notes.some((note) => /^Level shift at \d{4}-\d{2} of series "a"; earlier/.test(note)),
        since <= 12,
      );
      for (const [k, value] of forecasts[0].median.entries())
        assert.ok(Math.abs(value - truth[k]) < 0.1 * truth[k], `step ${k + 1}: ${value}, not ${truth[k]}`);
    });
  }
  for (const since of [1, 2]) {
    test(`${since} rows before the end: the interval covers both a new level and an outlier`, async () => {
      const at = 96 - since;
      const [level, outlier] = [300, 0].map((shift) =>
        shiftedSeries({ rows: 102, season: 12, shift, at, noise: 0 }),
      );
      const values = shiftedSeries({ rows: 96, season: 12, shift: 300, at });
      const { forecasts, notes } = await forecast(tableOf({ a: values }), { ...options, series: 'id' });
      assert.ok(
        notes.includes('The last rows of a may be outliers or a new level; the intervals cover both cases.'),
      );
      const [{ lower, upper }] = forecasts;
      for (const truth of [level.slice(96), outlier.slice(96)]) {
        for (const [k, value] of truth.entries())
          assert.ok(lower[1][k] <= value && value <= upper[1][k], `step ${k + 1}: ${value}`);
      }
    });
  }
});

test('the backtest does not change if rows after its last origin are changed', async () => {
  const values = shiftedSeries({ rows: 96, season: 12, shift: 300, at: 70 });
  const changed = values.map((value, t) => (t < 90 ? value : value + 500));
  const [a, b] = await Promise.all(
    [values, changed].map((series) => forecast(tableOf({ a: series }), { ...options, series: 'id' })),
  );
  assert.deepEqual(a.plan, b.plan);
  for (const [m, { model, forecasts }] of a.backtest.entries())
    assert.deepEqual(b.backtest[m].forecasts, forecasts, model);
});
