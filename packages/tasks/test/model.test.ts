// A model saved and loaded: the same forecasts to the last digit, from the stored rows and from a table.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeTable, type Table } from '@unroll/data';
import { type ForecastOptions, ForecastModel, forecast } from '@unroll/tasks';

const options: ForecastOptions = {
  target: 'y',
  series: 's',
  time: 't',
  season: 4,
  horizon: 3,
  past: ['sun'],
  future: ['day'],
  static: ['kind'],
  head: 'quantile',
  units: 8,
  epochs: 8,
};

interface Row {
  s: string;
  t: number;
  y: number | null;
  sun: number | null;
  day: string | number;
  kind: string;
}
const days = ['mon', 'tue', 'wed'];
const rowsOf = (s: string, kind: string, length = 40): Row[] =>
  Array.from({ length: length + 3 }, (_, t) => {
    const ahead = t >= length;
    const y = ahead ? null : 20 + t + 6 * (t % 3 === 0 ? 1 : 0) + (kind === 'big' ? 30 : 0) + Math.sin(t * 7);
    return { s, t, y, sun: ahead ? null : Math.cos(t), day: days[t % 3]!, kind };
  });
function tableOf(rows: readonly Row[]): Table {
  const names = ['s', 't', 'y', 'sun', 'day', 'kind'] as const;
  return makeTable({ source: 'made', names, cells: names.map((name) => rows.map((row) => row[name])) });
}
const rows = [...rowsOf('A', 'small'), ...rowsOf('B', 'big')];
const made = forecast(tableOf(rows), options);

describe('saved and loaded', () => {
  test('forecasts the same from the rows it holds, and from the table', async () => {
    const { winner, model, forecasts } = await made;
    assert.equal(winner, 'lstm');
    const files = model.toFiles({ seed: 0 });
    assert.deepEqual([...files.keys()].sort(), [
      'config.json',
      'model.safetensors',
      'pipeline.json',
      'training.json',
    ]);
    const loaded = ForecastModel.fromFiles(files);
    assert.deepEqual((await loaded.forecast()).forecasts, forecasts);
    assert.deepEqual((await loaded.forecast(tableOf(rows))).forecasts, forecasts);
    assert.deepEqual((await loaded.forecast(tableOf(rows.toReversed()))).forecasts.toReversed(), forecasts);
  });

  test('a table with fewer categories than in training means the same by them', async () => {
    const { model, forecasts } = await made;
    const { forecasts: one } = await model.forecast(tableOf(rowsOf('B', 'big')));
    assert.deepEqual(one, [forecasts[1]]);
  });
});

test('covariates to come that are missing are asked for', async () => {
  const { model } = await made;
  await assert.rejects(model.forecast(tableOf(rows.filter(({ y }) => y !== null))), {
    message: /^"day" must be known for the 3 rows to forecast, and is missing for A 40 to 42, B 40 to 42\./,
  });
});

test('a column of another kind than in training is told', async () => {
  const { model } = await made;
  const numbered = rows.map((row) => ({ ...row, day: row.t % 3 }));
  await assert.rejects(model.forecast(tableOf(numbered)), {
    message: 'made, column "day" held text in training and holds numbers now.',
  });
});

test('forecasts are cut to fewer rows, never stretched', async () => {
  const { forecasts } = await made;
  const [first] = ForecastModel.cut(forecasts, 2);
  assert.deepEqual(first!.time, ['40', '41']);
  assert.deepEqual(first!.upper[1], forecasts[0]!.upper[1]!.slice(0, 2));
  assert.throws(() => ForecastModel.cut(forecasts, 4), /forecasts 1 to 3 rows ahead, and 4 are asked for/);
});

describe('files that are no model', () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  test('are refused with what is missing', async () => {
    const { pipeline } = (await made).model;
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /pipeline\.json is missing/],
      [{ 'pipeline.json': '{' }, /pipeline\.json is damaged: it is not JSON/],
      [{ 'pipeline.json': '{"format":"other"}' }, /not a model made by a forecast/],
      [
        { 'pipeline.json': '{"format":"unroll-forecast-1","model":"naive"}' },
        /damaged: fallback, target, .* missing/,
      ],
      [{ 'pipeline.json': JSON.stringify(pipeline) }, /no network here: config\.json is missing/],
    ];
    for (const [files, message] of cases) {
      const bytes = new Map(Object.entries(files).map(([name, text]) => [name, encode(text)]));
      assert.throws(() => ForecastModel.fromFiles(bytes), { message, code: 'format' });
    }
  });
});
