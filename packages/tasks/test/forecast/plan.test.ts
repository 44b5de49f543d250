// The plan of a run: chosen from the training rows alone, with an error if the series are too short.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, parseCsv } from '@unroll/data';
import { type Panel, panelFromTable } from '@unroll/tasks';
import { growsWithLevel, planForecast } from '@unroll/tasks/internal';

const file = new URL('../../../cli/data/air-passengers.csv', import.meta.url);
const passengers = panelFromTable(parseCsv(readFileSync(file, 'utf8')), { target: 'passengers' });
const panelOf = (values: number[]): Panel =>
  panelFromTable(makeTable({ source: 's', names: ['y'], cells: [values] }), { target: 'y' });

test('air passengers: season 12, logarithm, four origins in the last third', () => {
  assert.deepEqual(planForecast(passengers, { horizon: 12 }), {
    horizon: 12,
    chunk: 12,
    season: 12,
    seasons: [12],
    seasonReason: '',
    period: 12,
    lag: 12,
    window: 12,
    scaler: 'changes',
    log: true,
    calendar: [],
    representations: [
      { lag: 12, reference: 'last', hasUnsubtractedChannel: false },
      { lag: 12, reference: 'last', hasUnsubtractedChannel: true },
    ],
    representationReason: '',
    cut: 96,
    origins: [96, 108, 120, 132],
  });
});

test('uses the given windows, step, season and window', () => {
  const plan = planForecast(passengers, { horizon: 1, windows: 48, step: 1, season: 6, window: 20 });
  assert.equal(plan.cut, 96);
  assert.equal(plan.origins.length, 48);
  assert.equal(plan.origins.at(-1), 143);
  assert.deepEqual([plan.season, plan.window], [6, 20]);
});

test('rows after the first origin do not affect season or log transform', () => {
  const [series] = passengers.series;
  const values = series!.values.map((value, i) => (i < 96 ? value : (i * 7919) % 100));
  const changed = { ...passengers, series: [{ ...series!, values }] };
  assert.deepEqual(planForecast(changed, { horizon: 12 }), planForecast(passengers, { horizon: 12 }));
});

test('uses seasonal differences only if they help: with a noisy level, values relative to the last one are better', () => {
  const random = new RandomStream(1, 'walk').normal(240);
  let level = 50;
  const walk = Array.from(random, (noise, t) => (level += 3 * noise) + 4 * Math.sin((2 * Math.PI * t) / 12));
  const noisy = planForecast(panelOf(walk), { horizon: 1, season: 12, scaler: 'changes' });
  const clean = planForecast(
    panelOf(Array.from(random, (noise, t) => noise / 10 + 4 * Math.sin((2 * Math.PI * t) / 12))),
    { horizon: 1, season: 12, scaler: 'changes' },
  );
  assert.deepEqual([noisy.season, noisy.lag], [12, 1]);
  assert.deepEqual([clean.season, clean.lag], [12, 12]);
});

test('the window is shorter than a very long season', () => {
  const { window } = planForecast(
    panelOf(Array.from({ length: 1500 }, (_, t) => Math.sin((2 * Math.PI * t) / 365))),
    { horizon: 7, season: 365 },
  );
  assert.equal(window, 48);
});

test('the window grows with the history in whole seasons, up to a limit', () => {
  const windowOf = (rows: number, season: number, horizon: number) =>
    planForecast(panelOf(Array.from({ length: rows }, (_, t) => Math.sin((2 * Math.PI * t) / 24))), {
      horizon,
      season,
      windows: 1,
    }).window;
  // The length of the window is 1/20 of the training rows. With a season, it is rounded down to whole seasons, here 24 to 96
  // rows. Without a season, it is at least 8 rows and at least two horizons, but at most 48 rows.
  assert.deepEqual(
    [300, 900, 1100, 9000].map((rows) => windowOf(rows, 24, 12)),
    [24, 24, 48, 96],
  );
  assert.deepEqual(
    [100, 300, 9000].map((rows) => windowOf(rows, 1, 1)),
    [8, 14, 48],
  );
  assert.equal(windowOf(300, 1, 20), 40);
});

test('rejects a horizon that is too long and names the longest possible one', () => {
  let longest = 0;
  assert.throws(
    () => planForecast(passengers, { horizon: 100 }),
    (error: Error & { data: { longest: number } }) => {
      longest = error.data.longest;
      return /144 rows, too few to train and backtest a forecast of horizon 100\. The longest possible horizon is \d+/.test(
        error.message,
      );
    },
  );
  planForecast(passengers, { horizon: longest });
  assert.throws(() => planForecast(passengers, { horizon: longest + 1 }), /too few/);
});

test('rejects series whose gaps leave too few consecutive values, and names the longest possible horizon', () => {
  const weekdays = Array.from({ length: 250 }, (_, t) => (t % 7 < 5 ? t : Number.NaN));
  assert.throws(() => planForecast(panelOf(weekdays), { horizon: 7 }), {
    message:
      /250 rows, and too few consecutive values of "y" to train and backtest a forecast of horizon 7\. .* is 5\. Fill the gaps, or remove/,
  });
  planForecast(panelOf(weekdays), { horizon: 5 });
});

test('rejects a handful of rows', () => {
  assert.throws(
    () => planForecast(panelOf([1, 2, 3, 4, 5]), { horizon: 1 }),
    /5 rows, too few.*Provide more rows/,
  );
});

test('rejects options that are not positive integers', () => {
  assert.throws(() => planForecast(passengers, { horizon: 0 }), /horizon must be a positive integer, got 0/);
  assert.throws(() => planForecast(passengers, { horizon: 1, windows: 1.5 }), /windows must be .* got 1.5/);
});

describe('the logarithm', () => {
  const grow = (t: number, size: number) => size * (1 + 0.2 * Math.sin(t));
  test('is used if the variation grows with the level', () => {
    assert.ok(
      growsWithLevel(
        Float64Array.from({ length: 80 }, (_, t) => grow(t, 1.04 ** t)),
        8,
      ),
    );
  });
  test('is not used otherwise', () => {
    assert.ok(
      !growsWithLevel(
        Float64Array.from({ length: 80 }, (_, t) => 100 + t + 5 * Math.sin(t)),
        8,
      ),
    );
  });
  test('is not used if a value is zero', () => {
    assert.ok(
      !growsWithLevel(
        Float64Array.from({ length: 80 }, (_, t) => (t === 40 ? 0 : grow(t, 1.04 ** t))),
        8,
      ),
    );
  });
});
