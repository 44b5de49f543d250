/** The width of intervals follows the size of errors at each position in the season, also for a table that starts at another row. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import { ForecastModel, forecast, panelFromTable } from '@unroll/tasks';
import { seasonalSpread, spreadAt } from '@unroll/tasks/internal';

const SEASON = 6;
const isLoud = (t: number): boolean => t % SEASON >= 3;
const noise = new RandomStream(5, 'spread').normal(1200);
/** A season of 6 rows; the noise is ten times larger in its second half. */
const values = Float64Array.from(
  noise.subarray(0, 600),
  (value, t) => 100 + 10 * Math.sin((2 * Math.PI * t) / SEASON) + (isLoud(t) ? 10 : 1) * value,
);
const tableOf = (from: number, to: number): Table =>
  makeTable({
    source: 's',
    names: ['t', 'y'],
    cells: [Array.from({ length: to - from }, (_, i) => from + i), Array.from(values.subarray(from, to))],
  });
const options = {
  target: 'y',
  time: 't',
  horizon: SEASON,
  season: SEASON,
  window: 12,
  units: 4,
  epochs: 2,
  levels: [0.8],
};

test('by hand: the mean change at each position, shrunk towards the mean of the season', () => {
  const panel = panelFromTable(tableOf(0, 120), { target: 'y', time: 't' });
  const changes = Float64Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 3 : 1));
  const spread = seasonalSpread(panel, 2, [changes], [2])!;
  // 20 changes of 3 and 20 of 1: 1.5 and 0.5 relative to their mean. The mean, 1, counts as 20 changes: (20·1.5 + 20·1)/40 = 1.25.
  assert.deepEqual(spread.byPosition, [1.25, 0.75]);
  assert.deepEqual(
    [4, 5, 7].map((index) => spreadAt(spread, panel)({ series: 0, origin: index - 1 }, 1)),
    [1.25, 0.75, 0.75],
  );
  const later = panelFromTable(tableOf(5, 100), { target: 'y', time: 't' });
  assert.deepEqual(
    [0, 1].map((origin) => spreadAt(spread, later)({ series: 0, origin }, 0)),
    [0.75, 1.25],
    'row 5 is at position 1',
  );
  assert.equal(seasonalSpread(panel, 2, [changes.subarray(0, 39)], [2]), null, 'fewer than 20 seasons');
  const halves = [changes.subarray(0, 20), changes.subarray(20)];
  assert.deepEqual(
    seasonalSpread(panel, 2, halves, [2, 2])!.byPosition,
    [1.25, 0.75],
    'the seasons of all series are counted together',
  );
  assert.equal(seasonalSpread(panel, 1, [changes], [1]), null, 'no season');
  assert.equal(seasonalSpread(panel, 2, [new Float64Array(40)], [2]), null, 'no change');
});

/**
 * Two series whose noise is ten times larger in opposite halves of the season; long, because estimates from few errors are close to the
 * same size at all positions.
 */
const opposite = makeTable({
  source: 's',
  names: ['t', 'id', 'y'],
  cells: [
    Array.from({ length: 2400 }, (_, i) => i % 1200),
    Array.from({ length: 2400 }, (_, i) => (i < 1200 ? 'late' : 'early')),
    Array.from({ length: 2400 }, (_, i) => {
      const [t, isLate] = [i % 1200, i < 1200];
      return 100 + (isLoud(t) === isLate ? 10 : 1) * (isLate ? noise[t]! : noise[1199 - t]!);
    }),
  ],
});

test('a series without a spread of its own has that of all series, whatever its name', () => {
  const cells = [
    [0, 1, 0, 1],
    ['a', 'a', 'constructor', 'constructor'],
    [1, 2, 3, 4],
  ];
  const table = makeTable({ source: 's', names: ['t', 'id', 'y'], cells });
  const panel = panelFromTable(table, { target: 'y', time: 't', series: 'id' });
  const spreadOf = spreadAt(
    { season: 2, start: panel.start, byPosition: [1, 2], bySeries: { a: [3, 4] } },
    panel,
  );
  const [first, second] = [0, 1].map((series) => [0, 3].map((k) => spreadOf({ series, origin: 0 }, k)));
  assert.deepEqual(
    [first, second],
    [
      [3, 4],
      [1, 2],
    ],
  );
});

test('the position in a longer season, in a part of the horizon, and of the origin are factors', () => {
  const spread = { season: 2, start: 0, byPosition: [1, 2], byLongPosition: [1, 1, 3, 2], byOrigin: [1, 2] };
  const panels = [0, 5].map((start) => panelFromTable(tableOf(start, 20), { target: 'y', time: 't' }));
  assert.deepEqual(
    panels.map(({ start }) => start),
    [0, 5],
  );
  const stepsFrom = (panel: (typeof panels)[number], origin: number) =>
    [0, 1, 2, 3].map((k) => spreadAt(spread, panel)({ series: 0, origin }, k));
  assert.deepEqual(stepsFrom(panels[0]!, 0), [1, 2, 3, 4]);
  assert.deepEqual(stepsFrom(panels[0]!, 3), [8, 2, 4, 6], 'row 3 is at position 1');
  assert.deepEqual(stepsFrom(panels[1]!, 0), [4, 6, 8, 2], 'row 5 is at positions 1 of both seasons');
  const inParts = {
    ...{ season: 2, start: 0, byPosition: [1, 2], byOrigin: [1, 0.5] },
    byPart: {
      horizon: 3,
      factors: [
        [1, 3],
        [5, 7],
        [9, 2],
      ],
    },
  };
  const spreadOf = spreadAt(inParts, panels[0]!);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((k) => spreadOf({ series: 0, origin: 0 }, k)),
    [1, 10, 9, 3, 2.5],
    'at most 10; the steps after the horizon belong to a forecast from row 3',
  );
});

test('each series has wide intervals where its own errors are large, also in a saved model', async () => {
  const { backtest, winner, origins, forecasts, model, panel } = await forecast(opposite, {
    ...options,
    series: 'id',
    windows: 20,
  });
  const { forecasts: tested } = backtest.find(({ model: name }) => name === winner)!;
  const width = { late: [0, 0], early: [0, 0] };
  for (const [n, { series, origin }] of origins.entries())
    for (let k = 0; k < SEASON; k++) {
      const id = panel.series[series]!.id as 'late' | 'early';
      width[id][Number(isLoud(origin + k))]! += tested[n]!.upper[0]![k]! - tested[n]!.lower[0]![k]!;
    }
  assert.ok(
    width.late[1]! > 2 * width.late[0]! && width.early[0]! > 2 * width.early[1]!,
    JSON.stringify(width),
  );

  const loaded = ForecastModel.fromFiles(await model.toFiles());
  const again = await loaded.forecastPanel(
    panelFromTable(opposite, { target: 'y', time: 't', series: 'id' }),
  );
  for (const [s, { median, upper }] of again.forecasts.entries())
    for (const [k, bound] of upper[0]!.entries()) {
      const [margin, expected] = [bound - median[k]!, forecasts[s]!.upper[0]![k]! - forecasts[s]!.median[k]!];
      assert.ok(Math.abs(margin - expected) < 1e-3, `series ${s}, step ${k}: ${margin}, ${expected}`);
    }
});

test('intervals are wide where errors are large, and have their nominal coverage in both halves of the season', async () => {
  const { backtest, winner, origins, forecasts, model } = await forecast(tableOf(0, 600), {
    ...options,
    windows: 20,
  });
  const { forecasts: tested } = backtest.find(({ model: name }) => name === winner)!;
  const coverage = { quiet: 0, loud: 0 };
  const width = { quiet: 0, loud: 0 };
  for (const [n, { origin }] of origins.entries()) {
    for (let k = 0; k < SEASON; k++) {
      const [low, high] = [tested[n]!.lower[0]![k]!, tested[n]!.upper[0]![k]!];
      const half = isLoud(origin + k) ? 'loud' : 'quiet';
      width[half] += (high - low) / 60;
      coverage[half] += Number(values[origin + k]! >= low && values[origin + k]! <= high) / 60;
    }
  }
  assert.ok(width.loud > 3 * width.quiet, `${width.loud} ${width.quiet}`);
  assert.ok(
    coverage.quiet > 0.7 && coverage.loud > 0.65 && coverage.loud < 0.95,
    `${coverage.quiet} ${coverage.loud}`,
  );

  const loaded = ForecastModel.fromFiles(await model.toFiles());
  const stored = forecasts[0]!;
  for (const from of [0, 4]) {
    const { forecasts: again } = await loaded.forecastPanel(
      panelFromTable(tableOf(from, 600), { target: 'y', time: 't' }),
    );
    for (const [k, bound] of again[0]!.upper[0]!.entries()) {
      const [margin, expected] = [bound - again[0]!.median[k]!, stored.upper[0]![k]! - stored.median[k]!];
      assert.ok(Math.abs(margin - expected) < 1e-3, `from row ${from}, step ${k}: ${margin}, ${expected}`);
    }
  }
});

test('intervals have their nominal coverage if the errors of a model do not have the seasonal spread of the changes', async () => {
  const { leaderboard } = await forecast(tableOf(0, 600), { ...options, windows: 20, season: 6 });
  const coverage = leaderboard.find(({ model }) => model === 'naive')!.coverage[80]!;
  assert.ok(coverage > 0.7 && coverage < 0.9, `naive ${coverage}`);
});

test('a saved model has the sizes of errors at each hour of the week, whatever the hour at which its table starts', async () => {
  const rows = 1600;
  const noise = new RandomStream(7, 'week').normal(rows);
  /** Hourly, with a daily season, other values on the last two days of the week, and noise that is ten times larger on the second day. */
  const hours = Float64Array.from(noise, (value, t) => {
    const day = Math.floor(t / 24) % 7;
    const season =
      10 * Math.sin((2 * Math.PI * t) / 24) + (day >= 5 ? 6 * Math.cos((2 * Math.PI * t) / 12) : 0);
    return 100 + season + (day === 1 ? 5 : 0.5) * value;
  });
  const hourly = (from: number): Table =>
    makeTable({
      source: 's',
      names: ['t', 'y'],
      cells: [
        Array.from({ length: rows - from }, (_, i) => new Date(Date.UTC(2024, 0, 1, from + i)).toISOString()),
        Array.from(hours.subarray(from)),
      ],
    });
  const { forecasts, model, plan } = await forecast(hourly(0), {
    ...{ target: 'y', time: 't', horizon: 24, window: 24, units: 2, epochs: 1, levels: [0.8], windows: 20 },
  });
  assert.deepEqual(plan.seasons, [24, 168]);
  const { spread } = model.pipeline;
  assert.equal(spread!.byLongPosition!.length, 168);
  assert.deepEqual(
    [spread!.byPart!.horizon, spread!.byPart!.factors.map(({ length }) => length)],
    [24, [24, 24, 24]],
  );
  const meanOf = (from: number, to: number) =>
    spread!.byLongPosition!.slice(from, to).reduce((sum, size) => sum + size, 0) / (to - from);
  const [second, later] = [meanOf(24, 48), meanOf(72, 120)];
  assert.ok(second > 1.5 * later, `factors of the second day: ${second}; of the fourth and fifth: ${later}`);
  const loaded = ForecastModel.fromFiles(await model.toFiles());
  assert.deepEqual(JSON.parse(JSON.stringify(loaded.pipeline.spread)), spread);
  const stored = forecasts[0]!;
  for (const from of [0, 31]) {
    const again = await loaded.forecastPanel(panelFromTable(hourly(from), { target: 'y', time: 't' }));
    for (const [k, bound] of again.forecasts[0]!.upper[0]!.entries()) {
      const margin = bound - again.forecasts[0]!.median[k]!;
      const expected = stored.upper[0]![k]! - stored.median[k]!;
      assert.ok(Math.abs(margin - expected) < 1e-3, `from row ${from}, step ${k}: ${margin}, ${expected}`);
    }
  }
});
