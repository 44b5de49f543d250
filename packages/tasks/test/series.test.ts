// From tables to series: which column is the time, sorting, gaps, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCsv } from '@unroll/data';
import { seriesFromTable } from '@unroll/tasks';
import { filled, futureTimes } from '@unroll/tasks/internal';

const read = (text: string, target = 'y', time?: string) =>
  seriesFromTable(parseCsv(text, { source: 'f.csv' }), { target, ...(time === undefined ? {} : { time }) });

test('the first column of times is the time, wherever it stands', () => {
  const series = read('y,place,when\n1,a,2024-01\n2,b,2024-02\n');
  assert.equal(series.time.name, 'when');
  assert.deepEqual(futureTimes(series, 2), ['2024-03', '2024-04']);
});

test('without one, a column that rises evenly; without that, the row number', () => {
  assert.equal(read('y,other,step\n5,3,10\n6,3,20\n4,1,30\n').time.name, 'step');
  const rows = read('y,other\n5,3\n6,3\n4,1\n');
  assert.equal(rows.time.name, 'row');
  assert.deepEqual(futureTimes(rows, 1), ['4']);
});

test('rows out of order are sorted, and that is said', () => {
  const series = read('t,y\n2024-03,3\n2024-01,1\n2024-02,2\n');
  assert.deepEqual([...series.values], [1, 2, 3]);
  assert.match(series.notes.join(), /not in order of "t" and have been sorted/);
});

test('missing rows and missing values are gaps, and are named', () => {
  const series = read('t,y\n2024-01,1\n2024-02,\n2024-05,5\n2024-06,6\n');
  assert.deepEqual([...series.values], [1, Number.NaN, Number.NaN, Number.NaN, 5, 6]);
  assert.match(series.notes.join(), /3 values are missing \(2024-02, 2024-03, 2024-04\)/);
});

test('rows without a value at either end are left out', () => {
  const series = read('t,y\n2024-01,\n2024-02,2\n2024-03,3\n2024-04,\n');
  assert.deepEqual([...series.values], [2, 3]);
  assert.deepEqual(futureTimes(series, 1), ['2024-04']);
  assert.match(series.notes.join(), /2 rows without a value before the first or after the last/);
});

test('gaps are filled from the past alone: one season before, else the last value', () => {
  const gaps = Float64Array.of(1, Number.NaN, 3, 4, Number.NaN, Number.NaN);
  assert.deepEqual([...filled(gaps, 3)], [1, 1, 3, 4, 1, 3]);
  assert.deepEqual([...filled(gaps, 1)], [1, 1, 3, 4, 4, 4]);
});

const wrong: Record<string, [string, RegExp]> = {
  'the same time twice': [
    't,y\n2024-01,1\n2024-02,2\n2024-02,3\n',
    /^f\.csv, lines 3 and 4: the time 2024-02 stands twice in column "t"/,
  ],
  'a time between the others': [
    't,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n2024-01-03T12:00,3\n',
    /line 5.*written in another way/,
  ],
  'no step': [
    't,y\n2024-01-01T00:00,1\n2024-01-01T01:00,2\n2024-01-01T02:00,3\n2024-01-01T02:17,4\n',
    /^f\.csv, column "t": The times follow no regular step/,
  ],
  'a single value': ['t,y\n2024-01,1\n2024-02,\n', /column "y": 1 values are too few/],
};
for (const [name, [text, message]] of Object.entries(wrong)) {
  test(`${name} is told`, () => assert.throws(() => read(text), { message, code: 'data' }));
}
