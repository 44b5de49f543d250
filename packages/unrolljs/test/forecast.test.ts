/** Tests what `unrolljs/forecast` adds to @unroll/tasks and @unroll/data; the tests of these packages cover the rest. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { forecast, makeTable, mase, naive, parseCsv, parseParquet } from 'unrolljs/forecast';

test('forecasts a table from the public readers, and saves the model', async () => {
  const rows = Array.from({ length: 60 }, (_, i) => `${2000 + i},${50 + (i % 5)}`);
  const { forecasts, model, leaderboard } = await forecast(parseCsv(['year,units', ...rows].join('\n')), {
    ...{ target: 'units', horizon: 2, window: 4, epochs: 1, units: 2, levels: [] },
  });
  assert.equal(forecasts[0].mean.length, 2);
  assert.deepEqual(forecasts[0].time, ['2060', '2061']);
  assert.ok(leaderboard.some(({ model }) => model === 'naive'));
  assert.ok((await model.toFiles()).has('pipeline.json'));
});

test('loads the Parquet reader on demand', async () => {
  await assert.rejects(parseParquet(new Uint8Array(3), { source: 'small.parquet' }), {
    code: 'format',
    message: /^small\.parquet cannot be read as Parquet/,
  });
  const entry = new URL('../dist/forecast.bundle.js', import.meta.url);
  assert.doesNotMatch(readFileSync(entry, 'utf8'), /^import [^;]*parquet/m);
});

test('tables, baselines and metrics are exported', () => {
  const table = makeTable({ source: 'two rows', names: ['units'], cells: [['1', '2']] });
  assert.equal(table.columns.length, 1);
  assert.deepEqual([...naive([1, 2, 3], 2)], [3, 3]);
  assert.equal(mase([4, 5], [4, 5], [1, 2, 3], 1), 0);
});
