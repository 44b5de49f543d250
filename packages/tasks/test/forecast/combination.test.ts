// Combined models: weights computed by hand, no use of values after an origin, and the same forecast from the saved model.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, parseCsv, type Table } from '@unroll/data';
import { ForecastModel, type ForecastOptions, forecast, panelFromTable } from '@unroll/tasks';
import { combine, ensembleWeights, HeldOutErrors } from '@unroll/tasks/internal';

const file = new URL('../../../cli/data/air-passengers.csv', import.meta.url);
const passengers = parseCsv(readFileSync(file, 'utf8'));
const tableOf = (values: ArrayLike<number>): Table =>
  makeTable({ source: 's', names: ['y'], cells: [Array.from(values)] });
const options: ForecastOptions = { target: 'y', horizon: 4, season: 4, window: 4, units: 4, epochs: 3 };
const noisy = Float64Array.from(
  new RandomStream(11, 'combined').normal(72),
  (noise, t) => 60 + t + 8 * [0, 1, -1, 0][t % 4]! + 2 * noise,
);
const point = (...values: number[]) => ({ median: Float64Array.from(values), lower: [], upper: [] });

describe('the weights of an ensemble', () => {
  const panel = panelFromTable(tableOf([0, 0, 0, 0, 10, 10]), { target: 'y' });
  const origins = [3, 4].map((origin) => ({ series: 0, origin }));
  const errorsOf = (first: number[], second: number[]) =>
    new HeldOutErrors(panel, [2], origins, [point(...first), point(...second)]);
  const errors = new Map([
    ['naive', errorsOf([4, 10], [10, 30])],
    ['theta', errorsOf([2, 10], [10, 10])],
    ['ets', errorsOf([2, 10], [10, 12])],
    ['lstm', errorsOf([1, 10], [10, 10])],
  ]);
  test('use only errors at earlier rows, divided by the error scale of the series', () => {
    const naive = errors.get('naive')!;
    // The errors are 4 at row 3, 0 at row 4 (twice) and 20 at row 5; the error scale is 2.
    assert.deepEqual([naive.mean(3), naive.mean(4), naive.mean(5)], [Number.NaN, 2, 2 / 3]);
    assert.equal(naive.mean(Number.POSITIVE_INFINITY), (4 + 0 + 0 + 20) / 2 / 4);
  });
  test('are proportional to the inverse squared errors of the network and two baselines', () => {
    // The errors at row 3 are 2 (theta), 2 (ets) and 1 (lstm), so the weights are proportional to 1/4, 1/4 and 1.
    const weights = ensembleWeights(errors, 'lstm', 4);
    assert.deepEqual([...weights.keys()], ['lstm', 'theta', 'ets']);
    for (const [i, weight] of [...weights.values()].entries())
      assert.ok(Math.abs(weight - [4 / 6, 1 / 6, 1 / 6][i]!) < 1e-12, `${weight}`);
  });
  test('are equal for the network and the simplest baselines if no errors are known', () => {
    const weights = [...ensembleWeights(errors, 'lstm', 3)];
    assert.deepEqual(
      weights,
      ['lstm', 'naive', 'theta'].map((name) => [name, 1 / 3]),
    );
  });
  test('are applied to medians, bounds and means', () => {
    const bounds = (value: number) => [Float64Array.of(value)];
    const forecasts = {
      a: { median: Float64Array.of(4), lower: bounds(0), upper: bounds(8), mean: Float64Array.of(6) },
      b: { median: Float64Array.of(8), lower: bounds(8), upper: bounds(8) },
    };
    const weights = new Map([
      ['a', 0.75],
      ['b', 0.25],
    ]);
    assert.deepEqual(
      combine(weights, (name) => forecasts[name as 'a' | 'b']),
      { median: Float64Array.of(5), lower: bounds(2), upper: bounds(8), mean: Float64Array.of(6.5) },
    );
  });
});

test('values after an origin change neither its weights nor its forecasts', async () => {
  const run = (values: Float64Array) => forecast(tableOf(values), { ...options, windows: 3 });
  const one = await run(noisy);
  const [, second, third] = one.plan.origins;
  const other = await run(noisy.map((value, t) => (t < second! ? value : -1000 * value)));
  for (const name of ['theta', 'ets', 'ensemble']) {
    const [a, b] = [one, other].map(
      ({ backtest }) => backtest.find(({ model }) => model === name)!.forecasts,
    );
    assert.deepEqual(a!.slice(0, 2), b!.slice(0, 2), name);
    assert.notDeepEqual(a![2], b![2], `${name} sees rows before ${third}`);
  }
});

test('the saved model makes the same forecast, also for a longer horizon', async () => {
  const air = { target: 'passengers', horizon: 12, units: 16, epochs: 30 };
  const result = await forecast(passengers, air);
  assert.equal(result.winner, 'ensemble');
  const weights = Object.values(result.model.pipeline.combination!.weights);
  assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-12);
  const loaded = ForecastModel.fromFiles(await result.model.toFiles());
  assert.deepEqual((await loaded.forecast()).forecasts, result.forecasts);
  assert.deepEqual((await loaded.forecast(passengers)).forecasts, result.forecasts);
  const long = (await loaded.forecast(undefined, 30)).forecasts[0]!;
  assert.deepEqual([...long.median.slice(0, 12)], [...result.forecasts[0]!.median]);
  assert.ok(long.median.every((value, k) => long.lower[1]![k]! < value && value < long.upper[1]![k]!));
  assert.ok(
    result.notes.some((note) => /^Weights of the ensemble: lstm \d+ %, /.test(note)),
    result.notes.join(),
  );
});

describe('the option select: series', () => {
  // A random walk and a seasonal series.
  const random = new RandomStream(5, 'walk').normal(90);
  let level = 100;
  const walk = random.map((noise) => (level += 3 * noise));
  const seasonal = Float64Array.from({ length: 90 }, (_, t) => 50 + 20 * [0, 1, -1, 0][t % 4]!);
  const twoSeriesTable = (changeFrom = 90): Table => {
    const rows = [...Array.from(walk).entries()]
      .map(([t, y]): [string, number, number] => ['walk', t, t < changeFrom ? y : -1000 * y])
      .concat(Array.from(seasonal).map((y, t) => ['season', t, t < changeFrom ? y : 3 * y + t]));
    return makeTable({
      source: 'made',
      names: ['s', 't', 'y'],
      cells: [rows.map(([s]) => s), rows.map(([, t]) => t), rows.map(([, , y]) => y)],
    });
  };
  const perSeries: ForecastOptions = { ...options, series: 's', time: 't', select: 'series' };
  const trained = forecast(twoSeriesTable(), perSeries);

  test('each series is forecast by its best model; the saved model does the same', async () => {
    const { winner, model, forecasts, notes, leaderboard } = await trained;
    assert.equal(winner, 'per-series');
    assert.ok(leaderboard.some((row) => row.model === 'per-series'));
    const { series } = model.pipeline.combination!;
    assert.deepEqual(Object.keys(series!).sort(), ['season', 'walk']);
    assert.deepEqual(series!.season, { 'seasonal-naive': 1 });
    assert.deepEqual([...forecasts[1]!.median], [...seasonal.slice(-4)]);
    assert.ok(
      notes.some((note) => /^Series forecast by each model: /.test(note)),
      notes.join(),
    );
    const loaded = ForecastModel.fromFiles(await model.toFiles());
    assert.deepEqual((await loaded.forecast()).forecasts, forecasts);
  });
  test('values after an origin do not change the choice', async () => {
    const one = await trained;
    const second = one.plan.origins[1]!;
    const other = await forecast(twoSeriesTable(second), perSeries);
    const known = one.origins.flatMap(({ origin }, n) => (origin <= second ? [n] : []));
    const [a, b] = [one, other].map(
      ({ backtest }) => backtest.find(({ model }) => model === 'per-series')!.forecasts,
    );
    assert.deepEqual(
      known.map((n) => a![n]),
      known.map((n) => b![n]),
    );
  });
  test('rejects an unknown value', () =>
    assert.rejects(
      forecast(twoSeriesTable(), { ...perSeries, select: 'best' as never }),
      /select must be all or series, got "best"/,
    ));
});
