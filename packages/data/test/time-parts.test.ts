// Times in several columns: a year, a month and so on, or a date and a time of day.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findTimeParts, formatTime, makeTable, parseCsv, times, withTimeParts } from '@unroll/data';

const read = (csv: string, name: string): string[] => {
  const { values, format } = times(withTimeParts(parseCsv(csv, { source: 'f.csv' }), name), name);
  return Array.from(values, (value) => formatTime(value, format));
};

describe('combines', () => {
  const cases: Record<string, [string, string, string[]]> = {
    'year to minute': [
      'year,month,day,hour,minute\n2010,1,2,3,4\n2010,1,2,3,45\n',
      'year,month,day,hour,minute',
      ['2010-01-02T03:04', '2010-01-02T03:45'],
    ],
    'year to hour': [
      'year,month,day,hour\n2010,12,31,23\n2011,01,01,00\n',
      'year,month,day,hour',
      ['2010-12-31T23:00', '2011-01-01T00:00'],
    ],
    'other names, in the given order': ['yr,mnth\n2010,1\n2010,2\n', 'yr, mnth', ['2010-01', '2010-02']],
    'the usual names, in any order': ['day,month,year\n31,1,2010\n', 'day,month,year', ['2010-01-31']],
    'months in words': ['year,month\n2010,Apr\n2010,May\n', 'year,month', ['2010-Apr', '2010-May']],
    quarters: ['year,quarter\n2010,4\n2011,1\n', 'year,quarter', ['2010-Q4', '2011-Q1']],
    weeks: ['year,week\n2020,53\n2021,1\n', 'year,week', ['2020-W53', '2021-W01']],
    'a date and an hour': [
      'date,hr\n2011-01-01,9\n2011-01-01,10\n',
      'date,hr',
      ['2011-01-01 09:00', '2011-01-01 10:00'],
    ],
    'a date and a time of day': ['date;time\n31.12.2010;18:30\n', 'date,time', ['31.12.2010 18:30']],
  };
  for (const [name, [csv, columns, expected]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(read(csv, columns), expected));
  }
  test('a date from Parquet and an hour', () => {
    const cells = [[new Date('2011-01-01T00:00Z')], [7]];
    const table = withTimeParts(makeTable({ source: 'f', names: ['d', 'h'], cells }), 'd,h');
    assert.deepEqual(table.columns.at(-1)!.cells, ['2011-01-01 07:00']);
  });
});

test('the table is returned unchanged if it has a column of that name, and for a single name', () => {
  const table = makeTable({ source: 'f', names: ['a,b', 'a', 'b'], cells: [[1], [2], [3]] });
  assert.equal(withTimeParts(table, 'a,b'), table);
  assert.equal(withTimeParts(table, 'a'), table);
});

test('parts are found by their names, up to the first missing unit', () => {
  assert.equal(findTimeParts(['No', 'year', 'month', 'day', 'hour', 'sold']), 'year,month,day,hour');
  assert.equal(findTimeParts(['Month', 'Year', 'sold']), 'Year,Month');
  assert.equal(findTimeParts(['year', 'month', 'hour']), 'year,month');
  assert.equal(findTimeParts(['year', 'day']), undefined);
  assert.equal(findTimeParts(['month', 'day']), undefined);
});

describe('rejects', () => {
  const cases: Record<string, [string, string, RegExp]> = {
    'a missing column': [
      'year,month\n2010,1\n',
      'year,mnth',
      /f\.csv has no column "mnth"\. Did you mean "month"\?/,
    ],
    'a missing part': [
      'year,month\n2010,1\n2010,\n',
      'year,month',
      /f\.csv, line 3, column 1 \("year,month"\): the time is missing/,
    ],
    'month 13': ['year,month\n2010,12\n2010,13\n', 'year,month', /line 3.*"2010-13" is not a time/],
    'an unknown month name': ['year,month\n2010,Nie\n', 'year,month', /"2010-Nie" is not a time/],
  };
  for (const [name, [csv, columns, message]] of Object.entries(cases)) {
    test(name, () => assert.throws(() => read(csv, columns), { message, code: 'data' }));
  }
});
