// Calendar features: positions computed by hand, which features are selected, and how much they help.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import {
  type CalendarName,
  type CalendarOption,
  ForecastModel,
  type ForecastOptions,
  forecast,
  panelFromTable,
  prepareForecast,
} from '@unroll/tasks';
import { PanelEncoder } from '@unroll/tasks/internal';

const DAY = 86_400_000;
const plan = {
  scaler: 'changes' as const,
  log: false,
  season: 1,
  lag: 1,
  window: 2,
  horizon: 1,
  hasUnsubtractedChannel: false,
};
const tableOf = (times: readonly string[], values: readonly number[] = times.map((_, i) => i * i)): Table =>
  makeTable({ source: 'made-up.csv', names: ['t', 'y'], cells: [[...times], [...values]] });
const days = (count: number, from = '2024-01-01'): string[] =>
  Array.from({ length: count }, (_, i) => new Date(Date.parse(from) + i * DAY).toISOString().slice(0, 10));

/** Returns the encoded position in the cycle at each time except the first, from 0 to 1. */
function positions(times: readonly string[], name: CalendarName): number[] {
  const panel = panelFromTable(tableOf(times), { target: 'y' });
  const encoder = PanelEncoder.fit(panel, { ...plan, calendar: [name] }, times.length);
  assert.equal(encoder.inputWidth, 3);
  const origins = times.slice(2).map((_, i) => ({ series: 0, origin: i + 3 }));
  const { inputs } = encoder.encode([{ series: 0, origin: 2 }, ...origins]);
  return Array.from({ length: times.length - 1 }, (_, i) => {
    // The last row of the window: its change, then a sine and a cosine.
    const [sine, cosine] = inputs.subarray(6 * i + 4, 6 * i + 6) as unknown as [number, number];
    assert.ok(Math.abs(Math.hypot(sine, cosine) - 1) < 1e-12);
    return (Math.atan2(sine, cosine) / (2 * Math.PI) + 1) % 1;
  });
}
function assertPositions(got: readonly number[], expected: readonly number[]): void {
  assert.equal(got.length, expected.length);
  for (const [i, position] of expected.entries()) {
    const distance = Math.abs(got[i]! - position);
    assert.ok(Math.min(distance, 1 - distance) < 1e-9, `${got} is not ${expected}`);
  }
}

describe('positions computed by hand', () => {
  test('days of a leap year and of another year', () => {
    // 31 days of January and 28 days of February precede 29 February, which is day 60 of 366.
    assertPositions(positions(['2024-02-28', '2024-02-29', '2024-03-01'], 'month'), [59 / 366, 60 / 366]);
    assertPositions(positions(['2023-02-27', '2023-02-28', '2023-03-01'], 'month'), [58 / 365, 59 / 365]);
    assertPositions(positions(['2024-12-30', '2024-12-31', '2025-01-01'], 'month'), [365 / 366, 0]);
  });
  test('days of the week from Monday', () => {
    // 29 February 2024 was a Thursday.
    const week = ['2024-02-28', '2024-02-29', '2024-03-01', '2024-03-02', '2024-03-03', '2024-03-04'];
    assertPositions(positions(week, 'weekday'), [3 / 7, 4 / 7, 5 / 7, 6 / 7, 0]);
  });
  test('business days skip the weekend', () => {
    // Friday 23 February, Monday 26 February, ... Friday 1 March, Monday 4 March.
    const all = days(13, '2024-02-21').filter((day) => ![0, 6].includes(new Date(day).getUTCDay()));
    assertPositions(
      positions(all, 'weekday'),
      [3, 4, 0, 1, 2, 3, 4, 0].map((day) => day / 7),
    );
  });
  test('hours of the day and of the week', () => {
    const hours = Array.from({ length: 8 }, (_, i) => `2024-02-29T${String(3 * i).padStart(2, '0')}:00`);
    assertPositions(
      positions(hours, 'hour'),
      [1, 2, 3, 4, 5, 6, 7].map((i) => i / 8),
    );
    assertPositions(
      positions(hours, 'weekday'),
      [1, 2, 3, 4, 5, 6, 7].map((i) => (3 + i / 8) / 7),
    );
  });
  test('months and quarters', () => {
    assertPositions(positions(['2024-01', '2024-02', '2024-03', '2024-04'], 'month'), [
      31 / 366,
      60 / 366,
      91 / 366,
    ]);
    assertPositions(positions(['2022-10', '2023-01', '2023-04', '2023-07'], 'month'), [
      0,
      90 / 365,
      181 / 365,
    ]);
  });
});

test('each series uses its own times, for every row of the window', () => {
  const rows = [...days(5).map((t) => ['A', t]), ...days(4, '2024-01-03').map((t) => ['B', t])];
  const cells = [rows.map(([s]) => s!), rows.map(([, t]) => t!), rows.map((_, i) => i * i)];
  const table = makeTable({ source: 'made-up.csv', names: ['s', 't', 'y'], cells });
  const panel = panelFromTable(table, { target: 'y', series: 's', time: 't' });
  const encoder = PanelEncoder.fit(panel, { ...plan, calendar: ['weekday'] }, 6);
  const origins = [0, 1].map((series) => ({ series, origin: 4 }));
  const { inputs } = encoder.encode(origins);
  // 1 January 2024 was a Monday: for both series, the two rows before 5 January are Wednesday and Thursday.
  const [wednesday, thursday] = [2, 3].map((day) => [
    Math.sin((2 * Math.PI * day) / 7),
    Math.cos((2 * Math.PI * day) / 7),
  ]);
  for (const n of [0, 1]) {
    const encoded = Array.from(inputs.subarray(6 * n, 6 * n + 6));
    const expected = [...wednesday!, ...thursday!];
    for (const [i, index] of [1, 2, 4, 5].entries())
      assert.ok(Math.abs(encoded[index]! - expected[i]!) < 1e-9);
  }
});

test('later rows do not change earlier features', () => {
  const times = days(30);
  const names: CalendarName[] = ['weekday', 'month'];
  const origins = Array.from({ length: 17 }, (_, i) => ({ series: 0, origin: i + 3 }));
  const inputsOf = (count: number, later: number) => {
    const values = times.map((_, i) => (i < 20 ? Math.sin(i) : later * i)).slice(0, count);
    const panel = panelFromTable(tableOf(times.slice(0, count), values), { target: 'y' });
    return PanelEncoder.fit(panel, { ...plan, calendar: names }, 20).encode(origins).inputs;
  };
  assert.deepEqual(inputsOf(30, 1), inputsOf(20, 0));
  assert.deepEqual(inputsOf(30, -5), inputsOf(20, 0));
});

describe('selection of features', () => {
  const chosen = (table: Table, calendar: CalendarOption | undefined, horizon = 1, windows = 1) =>
    prepareForecast(table, {
      target: 'y',
      horizon,
      windows,
      season: 1,
      ...(calendar === undefined ? {} : { calendar }),
    }).plan.calendar;
  const hours = (count: number) =>
    tableOf(Array.from({ length: count }, (_, i) => new Date(i * 3_600_000).toISOString().slice(0, 16)));
  const months = Array.from(
    { length: 60 },
    (_, i) => `${2000 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, '0')}`,
  );

  test('none by default', () => {
    assert.deepEqual(chosen(tableOf(days(900)), undefined), []);
    assert.deepEqual(chosen(tableOf(days(900)), 'none'), []);
  });
  test('the requested features, in a fixed order, without duplicates', () => {
    assert.deepEqual(chosen(hours(60), ['weekday', 'hour', 'weekday']), ['hour', 'weekday']);
  });
  test('auto: cycles that are longer than the interval between rows', () => {
    assert.deepEqual(chosen(tableOf(days(900)), 'auto'), ['weekday', 'month']);
    assert.deepEqual(chosen(tableOf(months), 'auto'), ['month']);
    assert.deepEqual(chosen(tableOf(Array.from({ length: 40 }, (_, i) => `${1960 + i}-01-01`)), 'auto'), []);
  });
  test('auto: cycles that the training rows cover at least twice', () => {
    assert.deepEqual(chosen(hours(24 * 14 + 1), 'auto'), ['hour', 'weekday']);
    assert.deepEqual(chosen(hours(24 * 14), 'auto'), ['hour'], 'one row is in the backtest');
    assert.deepEqual(chosen(tableOf(days(733)), 'auto', 3), ['weekday', 'month']);
    assert.deepEqual(chosen(tableOf(days(733)), 'auto', 3, 2), ['weekday']);
  });
  test('rejects an unknown name and a constant feature', () => {
    const wrong = ['hour', 'fortnight'] as unknown as CalendarName[];
    assert.throws(
      () => chosen(hours(60), wrong),
      /calendar must be auto, none or a list of hour, weekday, month, got "fortnight"\./,
    );
    assert.throws(
      () => chosen(tableOf(days(60)), ['hour', 'weekday']),
      /"hour" cannot be used for made-up\.csv: its rows are daily, so the interval between them is not shorter than a day\. Remove it from the option calendar\./,
    );
    const numbered = makeTable({
      source: 'made-up.csv',
      names: ['y'],
      cells: [days(60).map((_, i) => i * i)],
    });
    assert.deepEqual(chosen(numbered, 'auto'), []);
    assert.throws(
      () => chosen(numbered, ['month']),
      /"month" cannot be used for made-up\.csv: its times are numbers, not dates\./,
    );
  });
});

// The value is 10 on Wednesdays and otherwise 0, plus noise: most windows of three rows do not show which day it is.
const noise = new RandomStream(1, 'noise').normal(240);
const weekly = days(240).map((_, i) => (i % 7 === 2 ? 10 : 0) + 0.3 * noise[i]!);
const options: ForecastOptions = {
  target: 'y',
  horizon: 3,
  season: 1,
  window: 3,
  units: 12,
  epochs: 30,
  levels: [0.8],
  baselines: [],
};
const table = tableOf(days(240), weekly);
const withDays = forecast(table, { ...options, calendar: 'auto' });

describe('a series with a weekly pattern and a window of three days', () => {
  test('is forecast much better with the calendar than without', async () => {
    const maeOf = async (run: typeof withDays) =>
      (await run).leaderboard.find(({ model }) => model === 'lstm')!.mae;
    const [withCalendar, without] = [await maeOf(withDays), await maeOf(forecast(table, options))];
    assert.deepEqual((await withDays).plan.calendar, ['weekday']);
    assert.ok(withCalendar < 0.5 * without, `${withCalendar} with, ${without} without`);
  });

  test('has the same forecast from the saved model, with and without the table, and from newer rows with and without earlier rows', async () => {
    const { model, forecasts, winner } = await withDays;
    assert.equal(winner, 'lstm');
    const loaded = ForecastModel.fromFiles(await model.toFiles());
    assert.deepEqual(loaded.pipeline.plan.calendar, ['weekday']);
    assert.deepEqual((await loaded.forecast()).forecasts, forecasts);
    assert.deepEqual((await loaded.forecast(table)).forecasts, forecasts);
    const [times, values] = [days(242), [...weekly, 10, 0]];
    const whole = await loaded.forecast(tableOf(times, values));
    const newer = await loaded.forecast(tableOf(times.slice(-2), values.slice(-2)));
    assert.deepEqual(newer.forecasts, whole.forecasts);
  });

  test('keeps its weekly pattern in forecasts longer than the horizon of the network', async () => {
    const { model } = await withDays;
    const { time, median } = (await model.forecast(undefined, 21)).forecasts[0]!;
    const highDays = time.filter((_, k) => median[k]! > 5);
    const wednesdays = time.filter((day) => new Date(day).getUTCDay() === 3);
    assert.deepEqual(highDays, wednesdays);
  });
});
