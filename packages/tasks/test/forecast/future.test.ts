// Future covariates: missing values are reported with a template to fill in, known values improve the forecast.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, UnrollError } from '@unroll/core';
import { makeTable, parseCsv } from '@unroll/data';
import { forecast, prepareForecast } from '@unroll/tasks';

describe('missing future covariates', () => {
  const months = (shop: string, rows: number, from = 0) =>
    Array.from({ length: rows }, (_, i) => {
      const month = `2024-${String(((from + i) % 12) + 1).padStart(2, '0')}`;
      return [shop, month.replace('2024', String(2024 + Math.floor((from + i) / 12))), String(i), '1', 'yes'];
    });
  const read = (rows: string[][]) =>
    parseCsv(['shop,month,sold,price,open', ...rows.map((row) => row.join())].join('\n'), {
      source: 'f.csv',
    });
  const options = { target: 'sold', series: 'shop', horizon: 2, future: ['price', 'open'] };
  const futureRow = (shop: string, month: string, price: string, open = 'yes') => [
    shop,
    month,
    '',
    price,
    open,
  ];

  test('are reported by column, series and time; the template contains the known values', () => {
    const rows = [
      ...months('A', 30),
      ...months('B', 30),
      futureRow('A', '2026-07', '3'),
      futureRow('A', '2026-08', ''),
      futureRow('B', '2026-07', '5', ''),
    ];
    let error: UnrollError | undefined;
    assert.throws(
      () => prepareForecast(read(rows), options),
      (thrown) => (error = thrown as UnrollError) instanceof UnrollError,
    );
    assert.equal(
      error!.message,
      '"price" and "open" must be known for the 2 rows to forecast, but are missing for A 2026-08, B 2026-07 to 2026-08. ' +
        'Add these rows to f.csv and leave "sold" empty.',
    );
    assert.deepEqual(error!.data.template, {
      columns: ['shop', 'month', 'sold', 'price', 'open'],
      rows: [
        ['A', '2026-07', '', '3', 'yes'],
        ['A', '2026-08', '', '', 'yes'],
        ['B', '2026-07', '', '5', ''],
        ['B', '2026-08', '', '', ''],
      ],
    });
  });

  test('the completed template is accepted', () => {
    const futureRows = ['A', 'B'].flatMap((shop) => [
      futureRow(shop, '2026-07', '3'),
      futureRow(shop, '2026-08', '3'),
    ]);
    prepareForecast(read([...months('A', 30), ...months('B', 30), ...futureRows]), options);
  });
});

test('a covariate lowers the RMSE of a network by more than 40 % if its future values are known, but not if only past values are', async () => {
  // Without the covariate, the RMSE is at least about 5; with it, about 1.
  const rows = 260;
  const [shock, noise] = ['shock', 'noise'].map((name) => new RandomStream(1, name).normal(rows + 3));
  const values = Array.from({ length: rows }, (_, t) => 50 + 5 * shock![t]! + noise![t]!);
  const table = makeTable({
    source: 'made',
    names: ['t', 'y', 'shock'],
    cells: [Array.from(shock!.keys()), [...values, null, null, null], Array.from(shock!)],
  });
  const options = {
    target: 'y',
    time: 't',
    season: 1,
    horizon: 3,
    units: 16,
    window: 8,
    head: 'point' as const,
  };
  const rmse = async (extra: object) => {
    const { leaderboard } = await forecast(table, { ...options, ...extra });
    return leaderboard.find(({ model }) => model === 'lstm')!.rmse;
  };
  const [without, past, future] = [
    await rmse({}),
    await rmse({ past: ['shock'] }),
    await rmse({ future: ['shock'] }),
  ];
  assert.ok(without > 4.5 && past > 4.5, `without ${without}, past ${past}`);
  assert.ok(future < 2.5, `future ${future}`);
});
