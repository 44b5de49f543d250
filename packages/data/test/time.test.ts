// Times: parsing, formatting in the format of the file, and frequencies with and without gaps.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addPeriods,
  containsTimes,
  describeFrequency,
  formatTime,
  inferFrequency,
  makeTable,
  parseCsv,
  parseFrequency,
  periodsBetween,
  type TimeColumn,
  times,
} from '@unroll/data';

const read = (cells: string[]): TimeColumn =>
  times(makeTable({ source: 'f.csv', names: ['t'], cells: [cells], lines: cells.map((_, i) => i + 2) }), 't');
/** Returns the frequency of a time column, and the next `count` times in its format. */
const next = (cells: string[], count: number): { name: string; times: string[] } => {
  const column = read(cells);
  const frequency = inferFrequency(column.values, column.format);
  const last = column.values.at(-1)!;
  return {
    name: describeFrequency(frequency),
    times: Array.from({ length: count }, (_, k) =>
      formatTime(addPeriods(last, k + 1, frequency), column.format),
    ),
  };
};

describe('the next times are written in the format of the file', () => {
  const series: Record<string, { rows: string[]; frequency: string; next: string[] }> = {
    months: { rows: ['1960-10', '1960-11', '1960-12'], frequency: 'monthly', next: ['1961-01', '1961-02'] },
    'month starts': {
      rows: ['2023-11-01', '2023-12-01', '2024-01-01'],
      frequency: 'monthly',
      next: ['2024-02-01', '2024-03-01'],
    },
    'month ends over a leap day': {
      rows: ['2023-11-30', '2023-12-31', '2024-01-31'],
      frequency: 'monthly',
      next: ['2024-02-29', '2024-03-31'],
    },
    quarters: {
      rows: ['2023-Q2', '2023-Q3', '2023-Q4'],
      frequency: 'quarterly',
      next: ['2024-Q1', '2024-Q2'],
    },
    'years as dates': {
      rows: ['2021-01-01', '2022-01-01', '2023-01-01'],
      frequency: 'yearly',
      next: ['2024-01-01', '2025-01-01'],
    },
    'years as numbers': {
      rows: ['2021', '2022', '2023'],
      frequency: 'one step per row',
      next: ['2024', '2025'],
    },
    days: {
      rows: ['2024-02-26', '2024-02-27', '2024-02-28'],
      frequency: 'daily',
      next: ['2024-02-29', '2024-03-01'],
    },
    'days with slashes': {
      rows: ['2024/2/27', '2024/2/28'],
      frequency: 'daily',
      next: ['2024/02/29', '2024/03/01'],
    },
    weeks: {
      rows: ['2024-01-01', '2024-01-08', '2024-01-15'],
      frequency: 'weekly',
      next: ['2024-01-22', '2024-01-29'],
    },
    'business days': {
      rows: [
        '2024-01-04',
        '2024-01-05',
        '2024-01-08',
        '2024-01-09',
        '2024-01-10',
        '2024-01-11',
        '2024-01-12',
      ],
      frequency: 'on business days',
      next: ['2024-01-15', '2024-01-16'],
    },
    hours: {
      rows: ['2024-01-01 22:00', '2024-01-01 23:00'],
      frequency: 'hourly',
      next: ['2024-01-02 00:00', '2024-01-02 01:00'],
    },
    'quarters of an hour with a zone': {
      rows: ['2024-01-01T23:30:00+02:00', '2024-01-01T23:45:00+02:00'],
      frequency: 'every 15 minutes',
      next: ['2024-01-02T00:00:00+02:00', '2024-01-02T00:15:00+02:00'],
    },
    'quarter ends, although all rows are on the 30th': {
      rows: ['2023-06-30', '2023-09-30'],
      frequency: 'quarterly',
      next: ['2023-12-31', '2024-03-31'],
    },
    'the 30th, or the last day of shorter months': {
      rows: ['2023-12-30', '2024-01-30', '2024-02-29', '2024-03-30'],
      frequency: 'monthly',
      next: ['2024-04-30', '2024-05-30'],
    },
    'last business days of months': {
      rows: ['2024-01-31', '2024-02-29', '2024-03-28', '2024-04-30', '2024-05-31', '2024-06-28'],
      frequency: 'monthly',
      next: ['2024-07-31', '2024-08-31'],
    },
    'first business days of months': {
      rows: ['2024-01-02', '2024-02-01', '2024-04-01', '2024-05-02', '2024-06-03'],
      frequency: 'monthly',
      next: ['2024-07-01', '2024-08-01'],
    },
    'month ends in a time zone ahead of UTC': {
      rows: ['2023-12-31T00:00+09:00', '2024-01-31T00:00+09:00', '2024-02-29T00:00+09:00'],
      frequency: 'monthly',
      next: ['2024-03-31T00:00+09:00', '2024-04-30T00:00+09:00'],
    },
    'business days in a time zone ahead of UTC': {
      rows: ['04', '05', '08', '09', '10', '11', '12'].map((day) => `2024-01-${day}T00:00+09:00`),
      frequency: 'on business days',
      next: ['2024-01-15T00:00+09:00', '2024-01-16T00:00+09:00'],
    },
    'weeks from Sunday': {
      rows: ['2024-01-07', '2024-01-14'],
      frequency: 'weekly',
      next: ['2024-01-21', '2024-01-28'],
    },
    steps: { rows: ['0.1', '0.2', '0.3'], frequency: 'steps of 0.1', next: ['0.4', '0.5'] },
  };
  for (const [name, expected] of Object.entries(series)) {
    test(name, () => {
      assert.deepEqual(next(expected.rows, 2), { name: expected.frequency, times: expected.next });
    });
  }
});

describe('other time formats', () => {
  const ways: Record<string, { rows: string[]; frequency: string; next: string }> = {
    'day first': { rows: ['29.12.2023', '30.12.2023', '31.12.2023'], frequency: 'daily', next: '01.01.2024' },
    'month first': { rows: ['12/29/2023', '12/30/2023'], frequency: 'daily', next: '12/31/2023' },
    'month first, inferred from the regular step': {
      rows: ['01/05/2024', '01/06/2024', '01/08/2024', '02/01/2024'],
      frequency: 'daily',
      next: '02/02/2024',
    },
    'month names': { rows: ['Nov 1959', 'Dec 1959'], frequency: 'monthly', next: 'Jan 1960' },
    'full month names': {
      rows: ['31 March 2024', '30 April 2024'],
      frequency: 'monthly',
      next: '31 May 2024',
    },
    'American dates': { rows: ['Dec 30, 2023', 'Dec 31, 2023'], frequency: 'daily', next: 'Jan 01, 2024' },
    '12-hour clock': {
      rows: ['2024-01-01 10:00 AM', '2024-01-01 11:00 AM', '2024-01-01 12:00 PM'],
      frequency: 'hourly',
      next: '2024-01-01 01:00 PM',
    },
    'ISO weeks': { rows: ['2020-W52', '2020-W53'], frequency: 'weekly', next: '2021-W01' },
    'months as six digits': { rows: ['195911', '195912'], frequency: 'monthly', next: '196001' },
    'days as eight digits': { rows: ['20240227', '20240228'], frequency: 'daily', next: '20240229' },
    'seconds since 1970': { rows: ['1704067200', '1704070800'], frequency: 'hourly', next: '1704074400' },
    'milliseconds since 1970': {
      rows: ['1704067200000', '1704070800000'],
      frequency: 'hourly',
      next: '1704074400000',
    },
    'the end of the day as 24:00': {
      rows: ['2024-02-29 23:00', '2024-02-29 24:00'],
      frequency: 'hourly',
      next: '2024-03-01 01:00',
    },
    'offsets of whole hours': {
      rows: ['2024-01-01 22:00:00-05', '2024-01-01 23:00:00-05'],
      frequency: 'hourly',
      next: '2024-01-02 00:00:00-05',
    },
    'UTC by name': {
      rows: ['2024-01-01 23:30:00 UTC', '2024-01-01 23:45:00 UTC'],
      frequency: 'every 15 minutes',
      next: '2024-01-02 00:00:00 UTC',
    },
    seconds: {
      rows: ['2024-01-01T00:00:58', '2024-01-01T00:00:59'],
      frequency: 'every second',
      next: '2024-01-01T00:01:00',
    },
  };
  for (const [name, expected] of Object.entries(ways)) {
    test(name, () => {
      assert.deepEqual(next(expected.rows, 1), { name: expected.frequency, times: [expected.next] });
    });
  }
});

test('first days of months are monthly, not days of January', () => {
  const months = (write: (month: string, year: number) => string) =>
    Array.from({ length: 24 }, (_, i) =>
      write(String((i % 12) + 1).padStart(2, '0'), 2020 + Math.floor(i / 12)),
    );
  for (const write of [
    (month: string, year: number) => `01/${month}/${year}`,
    (month: string, year: number) => `${month}/01/${year}`,
  ]) {
    assert.equal(next(months(write), 1).name, 'monthly');
  }
});

test('rejects dates in which day and month are ambiguous', () => {
  assert.throws(() => read(['01/02/2020', '01/03/2020', '01/04/2020']), {
    message:
      'f.csv, line 2, column 1 ("t"): "01/02/2020" may be 01 February 2020 or 02 January 2020, and the other rows do ' +
      'not show which. Write the year first: 1960-12-31, or set dates (--dates dmy or --dates mdy).',
  });
});

describe('daylight saving', () => {
  test('hours with offsets are instants', () => {
    const rows = ['2024-03-31T01:00+01:00', '2024-03-31T03:00+02:00', '2024-03-31T04:00+02:00'];
    assert.deepEqual(next(rows, 1), { name: 'hourly', times: ['2024-03-31T03:00Z'] });
  });
  test('days with offsets are local days', () => {
    const rows = [
      '2024-03-29T00:00+01:00',
      '2024-03-30T00:00+01:00',
      '2024-03-31T00:00+01:00',
      '2024-04-01T00:00+02:00',
    ];
    assert.deepEqual(next(rows, 1), { name: 'daily', times: ['2024-04-02T00:00+02:00'] });
    assert.match(read(rows).notes.join(), /offsets of "t" change, so its times are read as local/);
  });
});

test('Date objects are read as times', () => {
  const cells = [new Date(Date.UTC(2024, 0, 1)), new Date(Date.UTC(2024, 0, 2))];
  const column = times(makeTable({ source: 'f', names: ['t'], cells: [cells] }), 't');
  assert.equal(formatTime(column.values[1]!, column.format), '2024-01-02');
  assert.ok(containsTimes(cells));
});

test('a column of words or plain numbers contains no times', () => {
  assert.ok(!containsTimes(['a', 'b']));
  assert.ok(!containsTimes(['1', '2']));
  assert.ok(containsTimes(['2024-01', '2024-02', '']));
  assert.ok(!containsTimes([]));
});

test('a regular series may have many gaps, but rows must be at multiples of its step', () => {
  const day = 86_400_000;
  assert.deepEqual(
    inferFrequency(
      [0, 2, 4, 6, 8, 9].map((d) => d * day),
      { template: 'YYYY-MM-DD' },
    ),
    { unit: 'day', every: 1 },
  );
  assert.throws(() => inferFrequency([0, day, 2 * day + 1000], { template: 'YYYY-MM-DDTHH:mm' }), {
    message:
      'The times follow no regular step: most rows are 1 day apart, but the row at 1970-01-03T00:00:01 is 1 day and 1 second after ' +
      'the row before it. Resample the rows to one frequency first.',
  });
});

test('frequencies are parsed from names', () => {
  assert.deepEqual(parseFrequency('monthly'), { unit: 'month', every: 1 });
  assert.deepEqual(parseFrequency('Q'), { unit: 'month', every: 3 });
  assert.deepEqual(parseFrequency('15min'), { unit: 'minute', every: 15 });
  assert.deepEqual(parseFrequency('2 weeks'), { unit: 'week', every: 2 });
  assert.deepEqual(parseFrequency('business days'), { unit: 'business-day', every: 1 });
  assert.deepEqual(parseFrequency('half-hourly'), { unit: 'minute', every: 30 });
  assert.deepEqual(parseFrequency('15-minute'), { unit: 'minute', every: 15 });
  for (const text of ['', 'often', '0 days', '2 business-days', '1.5h']) {
    assert.throws(() => parseFrequency(text), /is not a frequency\. Write monthly/, text);
  }
});

test('frequencies are parsed from pandas aliases', () => {
  const names: Record<string, [string, number]> = {
    ...{ D: ['day', 1], B: ['business-day', 1], h: ['hour', 1], '2H': ['hour', 2], '7D': ['day', 7] },
    ...{
      min: ['minute', 1],
      T: ['minute', 1],
      '15T': ['minute', 15],
      s: ['second', 1],
      ms: ['millisecond', 1],
    },
    ...{ W: ['week', 1], 'W-SUN': ['week', 1], '2W-MON': ['week', 2] },
    ...{ M: ['month', 1], MS: ['month', 1], ME: ['month', 1], '3MS': ['month', 3], BME: ['month', 1] },
    ...{ Q: ['month', 3], QS: ['month', 3], 'QE-DEC': ['month', 3], 'QS-OCT': ['month', 3] },
    ...{ Y: ['month', 12], A: ['month', 12], YS: ['month', 12], 'YE-JUN': ['month', 12] },
  };
  for (const [name, [unit, every]] of Object.entries(names)) {
    assert.deepEqual(parseFrequency(name), { unit, every }, name);
  }
});

test('parseFrequency reads the texts of describeFrequency', () => {
  for (const unit of ['second', 'minute', 'hour', 'day', 'week', 'month'] as const) {
    for (const every of [1, 2, 3, 12, 15]) {
      assert.deepEqual(parseFrequency(describeFrequency({ unit, every })), { unit, every });
    }
  }
  assert.deepEqual(
    parseFrequency(describeFrequency({ unit: 'business-day', every: 1 })).unit,
    'business-day',
  );
});

test('a day of the weekend is half a period after the last business day', () => {
  const [friday, saturday, monday] = [5, 6, 8].map((day) => Date.UTC(2024, 0, day)) as [
    number,
    number,
    number,
  ];
  const frequency = { unit: 'business-day', every: 1 } as const;
  assert.equal(periodsBetween(friday, saturday, frequency), 0.5);
  assert.equal(periodsBetween(friday, monday, frequency), 1);
});

test('business days are detected in several series of different lengths', () => {
  const days = (...list: number[]) => list.map((day) => Date.UTC(2024, 0, day));
  const series = [days(1, 2, 3, 4, 5, 8, 9, 10, 11, 12), days(11, 12), days(3, 4, 5)];
  assert.equal(inferFrequency(series, { template: 'YYYY-MM-DD' }).unit, 'business-day');
});

test('missing rows do not change the frequency, and periodsBetween counts them', () => {
  const { values, format } = read(['1960-01', '1960-02', '1960-05', '1960-06']);
  const frequency = inferFrequency(values, format);
  assert.deepEqual(frequency, { unit: 'month', every: 1, day: 1 });
  assert.equal(periodsBetween(values[0]!, values[3]!, frequency), 5);
});

test('periodsBetween is the inverse of addPeriods, for every unit', () => {
  const from = Date.UTC(2024, 0, 5);
  const units = ['second', 'minute', 'hour', 'day', 'business-day', 'week', 'month', 'step'] as const;
  for (const unit of units) {
    for (const count of [1, 4, 5, 6, 23, 260]) {
      const frequency = { unit, every: unit === 'business-day' ? 1 : 3, day: 5 };
      assert.equal(
        periodsBetween(from, addPeriods(from, count, frequency), frequency),
        count,
        `${count} ${unit}s`,
      );
    }
  }
});

test('a UTC offset is applied', () => {
  assert.equal(read(['2024-01-01T02:00+02:00']).values[0], Date.UTC(2024, 0, 1));
  assert.equal(read(['2024-01-01T02:00:30.5Z']).values[0], Date.UTC(2024, 0, 1, 2, 0, 30, 500));
});

test('rejects times without a regular step', () => {
  const { values, format } = read(['2024-01-01', '2024-01-02', '2024-01-03']);
  assert.throws(() => inferFrequency([...values, values[2]! + 1000], format), /follow no regular step/);
});

const wrong: Record<string, [string[], RegExp]> = {
  'a nonexistent day': [['2024-02-28', '2024-02-30'], /line 3, column 1 \("t"\): "2024-02-30" is not a time/],
  'month 13': [['2024-13'], /"2024-13" is not a time\. Write 1960-12,/],
  'a missing time': [['2024-01', ''], /line 3, column 1 \("t"\): the time is missing/],
  words: [['yesterday'], /"yesterday" is not a time/],
  'mixed formats': [
    ['2024-01', '2024-02-01'],
    /line 3.*"2024-02-01" is written differently from "2024-01" above/,
  ],
  'a UTC offset on some times only': [
    ['2024-01-01T00:00Z', '2024-01-01T01:00'],
    /line 3.*"2024-01-01T01:00" is written differently/,
  ],
};
for (const [name, [cells, message]] of Object.entries(wrong)) {
  test(`rejects ${name}`, () => assert.throws(() => read(cells), { message, code: 'data' }));
}

test('a time column of a CSV table is read', () => {
  assert.equal(times(parseCsv('when,y\n2024-01-01,1\n'), 'when').format.template, 'YYYY-MM-DD');
});

describe('unusual times', () => {
  test('a zone may directly follow AM or PM', () => {
    assert.deepEqual(Array.from(read(['2020-01-02 01:00 PMZ', '2020-01-02 02:00 PMZ']).values), [
      Date.UTC(2020, 0, 2, 13),
      Date.UTC(2020, 0, 2, 14),
    ]);
    assert.throws(() => read(['2020-01-02 01:00 AZ']), /"2020-01-02 01:00 AZ" is not a time/);
  });
  test('rejects years below 100, invalid offsets and invalid dates', () => {
    assert.throws(() => read(['0020-01-02', '0020-01-03']), /"0020-01-02" is not a time/);
    assert.throws(() => read(['2020-01-02T00:00:00+25:99']), /is not a time/);
    const cells = [new Date(Number.NaN), new Date(1), new Date(2)];
    const table = makeTable({ source: 'f', names: ['t'], cells: [cells] });
    assert.throws(() => times(table, 't'), /the time is missing/);
  });
  test('a given timezone takes precedence over the inferred one, and must exist', () => {
    const instants = makeTable({
      ...{ source: 'f.csv', names: ['t'] },
      cells: [['01.11.2023 22:00Z', '02.11.2023 22:00Z', '03.11.2023 22:00Z', '04.11.2023 22:00Z']],
    });
    const found = times(instants, 't', { timezone: 'Europe/Athens' });
    assert.deepEqual([found.format.timezone, found.values[0]], ['Europe/Athens', Date.UTC(2023, 10, 2)]);
    const days = makeTable({ source: 'f.csv', names: ['t'], cells: [['2020-01-02', '2020-01-03']] });
    assert.throws(() => times(days, 't', { timezone: 'Nonsense' }), { code: 'value' });
  });
});
