// Future rows in a separate table: they are joined to the data by series and time, in any format.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { locationOf, makeTable, parseCsv, parseJsonLines, sourceOf, type Table } from '@unroll/data';
import { addFutureRows, panelFromTable } from '@unroll/tasks';

const csv = (lines: string[], source = 'sales.csv'): Table => parseCsv(lines.join('\n'), { source });
const OPTIONS = {
  target: 'sold',
  series: 'shop',
  future: ['price', 'open'],
  static: ['region'],
  past: ['rain'],
};
const SALES = [
  'shop,day,sold,price,open,region,rain',
  'A,2024-01-30,5,1.5,yes,north,3',
  'A,2024-01-31,6,2.5,no,north,4',
  'A,2024-02-01,,3.5,,north,',
  'B,2024-01-30,7,1.5,yes,south,5',
  'B,2024-01-31,8,2.5,no,south,6',
];
/** Returns the values and covariates of each series as the panel reads them. */
const read = (table: Table) => {
  const { series, covariates } = panelFromTable(table, OPTIONS);
  return series.map(({ id, values, covariates: cells }) => [
    id,
    [...values],
    ...cells.map((column, c) => Array.from(column, (value) => covariates[c]!.categories?.[value] ?? value)),
  ]);
};
/** rain, price, open, region */
const EXPECTED = [
  ['A', [5, 6], [3, 4], [1.5, 2.5, 3.5, 4.5], ['yes', 'no', 'no', 'yes'], Array(4).fill('north')],
  ['B', [7, 8], [5, 6], [1.5, 2.5, 7.5, 8.5], ['yes', 'no', 'yes', 'no'], Array(4).fill('south')],
];

describe('accepts the same rows in different formats', () => {
  const formats: Record<string, string[]> = {
    'as the template': [
      'shop,day,sold,price,open',
      'A,2024-02-01,,3.5,no',
      'A,2024-02-02,,4.5,yes',
      'B,2024-02-01,,7.5,yes',
      'B,2024-02-02,,8.5,no',
    ],
    'another order and date format, decimal commas, and a row that the data already contain': [
      'open;price;day;shop;note',
      'no;8,5;02.02.2024;B;x',
      'yes;7,5;01.02.2024;B;x',
      'no;99,5;31.01.2024;B;x',
      'yes;4,5;02.02.2024;A;x',
      'no;;01.02.2024;A;known values are kept',
    ],
  };
  for (const [name, rows] of Object.entries(formats)) {
    test(name, () => {
      assert.deepEqual(read(addFutureRows(csv(SALES), csv(rows, 'future.csv'), OPTIONS)), EXPECTED);
    });
  }
});

test('Date cells (as in Parquet files) and times in several columns are joined, too', () => {
  const dates = ['2024-01-01', '2024-01-02'].map((day) => new Date(day));
  const data = makeTable({ source: 'f', names: ['d', 'y', 'x'], cells: [dates, [1, 2], [3, 4]] });
  const options = { target: 'y', time: 'd', future: ['x'] };
  const panel = panelFromTable(addFutureRows(data, csv(['d,x', '2024-01-03,5']), options), options);
  assert.deepEqual([...panel.series[0]!.covariates[0]!], [3, 4, 5]);

  const parts = csv(['year,month,y,x', '2024,11,1,3', '2024,12,2,4']);
  for (const more of [
    ['"year,month",x', '2025-01,5'],
    ['x,year,month', '5,2025,1'],
  ]) {
    const joinOptions = { target: 'y', future: ['x'] };
    const joined = panelFromTable(addFutureRows(parts, csv(more), joinOptions), joinOptions);
    assert.deepEqual([...joined.series[0]!.covariates[0]!], [3, 4, 5]);
    assert.equal(joined.time.name, 'year,month');
  }
});

describe('messages about added rows name their file, also if its rows are records and those of the data are lines', () => {
  const options = { target: 'y', future: ['x'] };
  const hours = Array.from({ length: 24 }, (_, i) => `2024-01-01 ${String(i).padStart(2, '0')}:00,1,2`);
  const data = csv(['time,y,x', ...hours]);
  const months = Array.from({ length: 12 }, (_, i) => `2023-${String(i + 1).padStart(2, '0')}-01,1,2`);
  const monthly = csv(['time,y,x', ...months]);
  const future = (...times: string[]) =>
    parseJsonLines(JSON.stringify(times.map((time) => ({ time, x: 5 }))), { source: 'future.json' });
  const panelWith = (table: Table, ...times: string[]) =>
    panelFromTable(addFutureRows(table, future(...times), options), options);

  test('a time between those of the data does not change the frequency', () => {
    const panel = panelWith(data, '2024-01-02 00:00', '2024-01-02 01:00');
    assert.deepEqual([...panel.series[0]!.covariates[0]!].slice(-3), [2, 5, 5]);
    assert.throws(() => panelWith(data, '2024-01-02 00:00', '2024-01-02 00:30'), {
      message:
        /^future\.json, record 2, column "time": 2024-01-02 00:30 does not match the frequency \(hourly\)\./,
    });
    assert.throws(() => panelWith(monthly, '2024-01-01', '2024-01-15'), {
      message:
        /^future\.json, records 1 and 2, column "time": 2024-01-01 and 2024-01-15 lie in the same period/,
    });
    assert.throws(() => panelWith(monthly, '2023-12-15', '2024-01-01'), {
      message:
        /^sales\.csv, line 13, and future\.json, record 1, column "time": 2023-12-01 and 2023-12-15 lie in/,
    });
    const gap = csv(['time,y,x', ...hours, '2024-01-02 00:30,,5']);
    assert.throws(() => panelFromTable(gap, options), {
      message:
        /^sales\.csv, line 26, column "time": 2024-01-02 00:30 does not match the frequency \(hourly\)\./,
    });
  });
  test('a time that no frequency explains raises an error, although the known rows have a frequency', () => {
    const days = Array.from({ length: 26 }, (_, i) => new Date(Date.UTC(2024, 0, 1 + i)))
      .filter((day) => day.getUTCDay() % 6 !== 0)
      .map((day) => `${day.toISOString().slice(0, 10)} 00:00,1,2`);
    const business = csv(['time,y,x', ...days]);
    const panel = panelWith(business, '2024-01-29 00:00', '2024-01-30 00:00');
    assert.deepEqual([panel.frequency.unit, ...[...panel.series[0]!.covariates[0]!].slice(-3)], ['business-day', 2, 5, 5]); // biome-ignore format: one line
    assert.throws(
      () => panelWith(business, '2024-01-29 10:00', '2024-01-30 10:00'),
      /follow no regular step/,
    );
    assert.throws(() => panelWith(monthly, '2024-01-15'), /follow no regular step/);
  });
  test('the rows to forecast can show the frequency of few or sparse known rows', () => {
    const known = (...dates: number[]) =>
      csv(['time,y,x', ...dates.map((day) => `2024-01-${String(day).padStart(2, '0')},1,2`)]);
    const daily = panelWith(known(1, 3, 6, 8, 11), '2024-01-12', '2024-01-13');
    assert.deepEqual([daily.frequency.unit, daily.series[0]!.covariates[0]!.length], ['day', 13]);
    const weekdays = panelWith(known(1, 2, 3, 4, 5), '2024-01-08', '2024-01-09', '2024-01-10');
    assert.deepEqual(
      [weekdays.frequency.unit, weekdays.series[0]!.covariates[0]!.length],
      ['business-day', 8],
    );
  });
  test('rows keep the numbers of their source', () => {
    const joined = addFutureRows(data, future('2024-01-02 00:00', '2024-01-02 01:00'), options);
    assert.deepEqual([...joined.lines].slice(-4), [24, 25, 1, 2]);
    assert.deepEqual(
      [locationOf(joined, 0, 1), locationOf(joined, 24, 25), locationOf(joined, 23, 24)],
      [
        'sales.csv, lines 2 and 3',
        'future.json, records 1 and 2',
        'sales.csv, line 25, and future.json, record 1',
      ],
    );
    assert.deepEqual([sourceOf(joined, 23), sourceOf(joined, 24)], ['sales.csv', 'future.json']);
  });
  test('values are checked before they are added', () => {
    const wrong = parseJsonLines('[{"time":"2024-01-02 00:00","x":1e200}]', { source: 'future.json' });
    assert.throws(() => addFutureRows(data, wrong, options), {
      message: /^future\.json, record 1, column "x": numbers must be between/,
    });
  });
});

describe('reports errors with file and line', () => {
  const HEAD = 'shop,day,sold,price,open';
  const cases: Record<string, [string[], RegExp]> = {
    'an unknown series': [
      [HEAD, 'A,2024-02-01,,1,no', 'AA,2024-02-01,,1,no'],
      /^future\.csv, line 3, column "shop": sales\.csv has no series "AA"\. Did you mean "A"\?$/,
    ],
    'a row twice': [
      [HEAD, 'A,2024-02-01,,1,no', 'A,2024-02-01,,2,no'],
      /^future\.csv, lines 2 and 3: duplicate time of series "A"\.$/,
    ],
    'a target': [
      [HEAD, 'A,2024-02-01,9,1,no'],
      /^future\.csv, line 2, column "sold": the target of rows to forecast must be empty\.$/,
    ],
    'text in a number': [
      [HEAD, 'A,2024-02-01,,dear,no'],
      /^future\.csv, line 2, column 4 \("price"\): "dear" is not a number/,
    ],
    'a column that is missing': [['shop,day,price', 'A,2024-02-01,1'], /^future\.csv has no column "open"/],
    'an invalid time': [
      [HEAD, 'A,soon,,1,no'],
      /^future\.csv, line 2, column 2 \("day"\): "soon" is not a time/,
    ],
  };
  for (const [name, [rows, message]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(() => addFutureRows(csv(SALES), csv(rows, 'future.csv'), OPTIONS), {
        message,
        code: 'data',
      }),
    );
  }
  test('data without a time column', () => {
    const data = makeTable({
      source: 'f',
      names: ['y', 'x'],
      cells: [
        [1, 5, 2],
        [3, 9, 4],
      ],
    });
    assert.throws(() => addFutureRows(data, data, { target: 'y', future: ['x'] }), {
      message: 'f has no time column, which is needed to join f. Name it with the option time.',
    });
  });
});
