// From tables to panels: which column is the time, sorting, gaps, several series, covariates, and what is rejected.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseCsv } from '@unroll/data';
import { type Panel, type PanelOptions, panelFromTable, timeAt } from '@unroll/tasks';
import { fillGaps } from '@unroll/tasks/internal';

const read = (text: string, options: Partial<PanelOptions> = {}): Panel =>
  panelFromTable(parseCsv(text, { source: 'f.csv' }), { target: 'y', ...options });
const valuesOf = (panel: Panel, series = 0) => [...panel.series[series]!.values];
const next = (panel: Panel, series = 0) =>
  timeAt(panel, panel.series[series]!.offset + panel.series[series]!.values.length);

test('uses the first column of times, at any position', () => {
  const series = read('y,place,when\n1,a,2024-01\n2,b,2024-02\n');
  assert.equal(series.time.name, 'when');
  assert.equal(next(series), '2024-03');
});

test('falls back to a counter column, then to the row number', () => {
  assert.equal(read('y,other,step\n5,3,10\n6,3,20\n4,1,30\n').time.name, 'step');
  const rows = read('y,other\n5,3\n6,3\n4,1\n');
  assert.equal(rows.time.name, 'row');
  assert.equal(next(rows), '4');
});

test('a counter may descend, have gaps, and restart with every series', () => {
  const falling = read('year,y\n2023,3\n2022,2\n2021,1\n');
  assert.equal(falling.time.name, 'year');
  assert.deepEqual([valuesOf(falling), next(falling)], [[1, 2, 3], '2024']);
  const years = Array.from({ length: 11 }, (_, i) => 2010 + i).filter((year) => year !== 2015);
  const withGap = read(`year,y\n${years.map((year) => `${year},1`).join('\n')}\n`);
  assert.equal(withGap.time.name, 'year');
  const panel = read('land,year,y\na,2020,1\na,2021,2\nNA,2020,3\nNA,2021,4\n', { series: 'land' });
  assert.equal(panel.time.name, 'year');
  assert.deepEqual(
    panel.series.map(({ id }) => id),
    ['a', 'NA'],
  );
});

test('an increasing total is not a time column; a note reports that rows are numbered', () => {
  const rows = read('total,y\n10,1\n11,2\n15,3\n29,4\n');
  assert.equal(rows.time.name, 'row');
  assert.match(rows.notes.join(), /No time column was found/);
  assert.deepEqual(read('y\n1\n2\n').notes, []);
});

test('reads days near the end of a month as that month, without dropping rows', () => {
  const series = read('t,y\n2000-01-30,1\n2000-02-28,2\n2000-03-30,3\n2000-04-28,4\n');
  assert.deepEqual(valuesOf(series), [1, 2, 3, 4]);
  assert.doesNotMatch(series.notes.join(), /left out/);
});

test('"none" is a word in a text column', () => {
  const text = 't,holiday,y\n2024-01,none,1\n2024-02,easter,2\n2024-03,none,3\n2024-04,,4\n';
  const panel = read(text, { past: ['holiday'] });
  assert.deepEqual(panel.covariates[0]!.categories, ['easter', 'none']);
  assert.deepEqual([...panel.series[0]!.covariates[0]!], [1, 0, 1, Number.NaN]);
});

test('sorts unordered rows, with a note', () => {
  const series = read('t,y\n2024-03,3\n2024-01,1\n2024-02,2\n');
  assert.deepEqual(valuesOf(series), [1, 2, 3]);
  assert.match(series.notes.join(), /were sorted by "t"/);
});

test('reports missing rows and values as gaps', () => {
  const series = read('t,y\n2024-01,1\n2024-02,\n2024-05,5\n2024-06,6\n');
  assert.deepEqual(valuesOf(series), [1, Number.NaN, Number.NaN, Number.NaN, 5, 6]);
  assert.match(series.notes.join(), /3 values are missing \(2024-02, 2024-03, 2024-04\)/);
});

test('drops leading and trailing rows without a value', () => {
  const series = read('t,y\n2024-01,\n2024-02,2\n2024-03,3\n2024-04,\n');
  assert.deepEqual(valuesOf(series), [2, 3]);
  assert.equal(next(series), '2024-04');
  assert.match(series.notes.join(), /2 leading or trailing rows without values were dropped/);
});

test('fills gaps from the past only: with the value one season earlier, otherwise with the previous value', () => {
  const gaps = Float64Array.of(1, Number.NaN, 3, 4, Number.NaN, Number.NaN);
  assert.deepEqual([...fillGaps(gaps, 3)], [1, 1, 3, 4, 1, 3]);
  assert.deepEqual([...fillGaps(gaps, 1)], [1, 1, 3, 4, 4, 4]);
});

const wrong: Record<string, [string, RegExp]> = {
  'the same time twice': [
    't,y\n2024-01,1\n2024-02,2\n2024-02,3\n',
    /^f\.csv, lines 3 and 4: duplicate time 2024-02 in column "t"/,
  ],
  'an hour that occurs twice': [
    't,y\n2024-10-27 01:00,1\n2024-10-27 02:00,2\n2024-10-27 02:00,3\n',
    /duplicate time .* in column "t"\. When clocks go back, one hour occurs twice: write times with their offset/,
  ],
  'a time between the others': [
    't,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n2024-01-03T12:00,3\n',
    /line 5.*written differently/,
  ],
  'times without a regular frequency': [
    't,y\n2024-01-01T00:00,1\n2024-01-01T01:00,2\n2024-01-01T02:00,3\n2024-01-01T02:17,4\n',
    /^f\.csv, column "t": The times follow no regular step/,
  ],
  'a single value': ['t,y\n2024-01,1\n2024-02,\n', /column "y": a forecast needs at least 2 values, got 1/],
};
for (const [name, [text, message]] of Object.entries(wrong)) {
  test(`rejects ${name}`, () => assert.throws(() => read(text), { message, code: 'data' }));
}

describe('several series in one table', () => {
  const table =
    'shop,month,y,size\nA,2024-01,1,s\nB,2024-02,10,m\nA,2024-02,2,s\nB,2024-03,20,m\nA,2024-03,3,s\nB,2024-04,30,m\n';
  const many = { series: 'shop' };

  test('are separated by name, each at its position on one grid', () => {
    const panel = read(table, many);
    assert.deepEqual(
      panel.series.map(({ id, offset }) => [id, offset]),
      [
        ['A', 0],
        ['B', 1],
      ],
    );
    assert.deepEqual(
      [valuesOf(panel, 0), valuesOf(panel, 1)],
      [
        [1, 2, 3],
        [10, 20, 30],
      ],
    );
    assert.deepEqual([next(panel, 0), next(panel, 1)], ['2024-04', '2024-05']);
  });

  test('may share times, but not within a series', () => {
    assert.throws(() => read(`${table}B,2024-03,5,m\n`, many), {
      message:
        /lines 5 and 8: duplicate time 2024-03 of series "B" in column "month"\. Each time may occur once per series/,
    });
    assert.throws(() => read(table), {
      message: /duplicate time.*If the table holds several series, name their column/,
    });
  });

  const wrong: Record<string, [string, Partial<PanelOptions>, RegExp]> = {
    'a row without a series name': [
      `${table},2024-05,1,s\n`,
      many,
      /line 8, column "shop": the series name is missing\. Write a name, or remove the row\.$/,
    ],
    'no times': ['shop,y\nA,1\nA,2\nB,3\n', many, /no time column, which is needed for several series/],
    'a static column that changes': [
      table.replace('A,2024-03,3,s', 'A,2024-03,3,m'),
      { ...many, static: ['size'] },
      /lines 2 and 6: the static covariate "size" of series "A" must be constant, but its value changes/,
    ],
    'a column in two roles': [
      table,
      { ...many, past: ['size'], static: ['size'] },
      /"size" cannot be a static covariate: it is already a past covariate/,
    ],
    'the target as a covariate': [
      table,
      { ...many, past: ['y'] },
      /"y" cannot be a past covariate: it is already the target/,
    ],
    'a covariate that is not a column': [
      table,
      { ...many, past: ['sise'] },
      /no column "sise"\. Did you mean "size"\?/,
    ],
  };
  for (const [name, [text, options, message]] of Object.entries(wrong)) {
    test(`rejects ${name}`, () => assert.throws(() => read(text, options), { message, code: 'data' }));
  }
});

describe('covariates', () => {
  const table =
    't,y,price,day\n2024-01-01,1,5,mon\n2024-01-02,2,,tue\n2024-01-03,3,7,mon\n2024-01-04,,8,wed\n';

  test('past covariates end with the target, future covariates continue', () => {
    const panel = read(table, { past: ['day'], future: ['price'] });
    assert.deepEqual(
      panel.covariates.map(({ name, role }) => [name, role]),
      [
        ['day', 'past'],
        ['price', 'future'],
      ],
    );
    assert.deepEqual(panel.covariates[0]!.categories, ['mon', 'tue', 'wed']);
    assert.deepEqual([...panel.series[0]!.covariates[0]!], [0, 1, 0]);
    assert.deepEqual([...panel.series[0]!.covariates[1]!], [5, Number.NaN, 7, 8]);
  });

  test('rejects too many categories', () => {
    const rows = Array.from({ length: 51 }, (_, i) => `${2000 + i},${i},word${i}`);
    assert.throws(() => read(`t,y,w\n${rows.join('\n')}`, { past: ['w'] }), {
      message: /"w": a text covariate may have at most 50 categories, got 51/,
    });
  });
});

describe('a given frequency', () => {
  test('is used', () => {
    const panel = read('t,y\n2024-01-01,1\n2024-01-03,2\n2024-01-05,3\n', { frequency: 'daily' });
    assert.deepEqual(valuesOf(panel), [1, Number.NaN, 2, Number.NaN, 3]);
  });
  test('that does not match the times is rejected with the line', () => {
    assert.throws(() => read('t,y\n2024-01-01,1\n2024-01-03,2\n', { frequency: 'weekly' }), {
      message: /line 3, column "t": 2024-01-03 does not match the frequency \(weekly\)/,
    });
    assert.throws(() => read('n,y\n1,1\n2,2\n', { frequency: 'weekly' }), {
      message: /frequency "weekly" needs calendar times, got plain numbers/,
    });
  });
  test('keeps times at the ends of months if it is monthly', () => {
    const ends = read('t,y\n2023-11-30,1\n2023-12-31,2\n2024-01-31,3\n', { frequency: 'MS' });
    assert.equal(next(ends), '2024-02-29');
    const single = read('t,y\n2023-11-30,1\n2023-12-29,2\n2024-01-31,3\n', { frequency: 'monthly' });
    assert.equal(next(single), '2024-02-29');
  });
  test('rejects two rows in one period', () => {
    assert.throws(() => read('t,y\n2024-01-01,1\n2024-01-02,2\n2024-02-01,3\n', { frequency: 'monthly' }), {
      message:
        'f.csv, lines 2 and 3, column "t": 2024-01-01 and 2024-01-02 lie in the same period of the frequency ' +
        '(monthly). Resample the rows to one frequency first.',
    });
    assert.throws(() => read('t,y\n2024-01-05,1\n2024-01-06,2\n2024-01-08,3\n', { frequency: 'b' }), {
      message: /line 3, column "t": 2024-01-06 does not match the frequency \(on business days\)/,
    });
  });
});

describe('real-world tables', () => {
  const monthly = (write: (month: number, year: number) => string, count = 24): string[] =>
    Array.from({ length: count }, (_, i) => write(i % 12, 2021 + Math.floor(i / 12)));
  const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  const rows = (times: readonly string[], y: (i: number) => string | number = (i) => i) =>
    `when,y\n${times.map((time, i) => `${time},${y(i)}`).join('\n')}\n`;

  test('reads months newest first, by name and as Excel dates', () => {
    const named = read(rows(monthly((m, y) => `${names[m]}-${y % 100}`).reverse()));
    assert.deepEqual([named.time.name, next(named), valuesOf(named)[0]], ['when', 'Jan-23', 23]);
    const serial = (m: number, y: number) => String(Date.UTC(y, m) / 86_400_000 + 25_569);
    const excel = read(rows(monthly(serial).reverse()));
    assert.deepEqual([excel.time.name, next(excel), valuesOf(excel)[0]], ['when', '44927', 23]);
    assert.match(excel.notes.join(), /read as Excel dates \(44896 is 2022-12-01\)/);
  });

  test('rejects a column that looks like times but cannot be read, with the line', () => {
    const cases: Record<string, [string[], RegExp]> = {
      'a date in words': [
        ['about 2020-01', 'about 2020-02', 'about 2020-03'],
        /line 2, column 1 \("when"\): "about/,
      ],
      'one odd cell': [
        ['2020-01', '2020-02', 'March', '2020-04'],
        /line 4, column 1 \("when"\): "March" is not a time/,
      ],
      'a month 13': [['2020-13', '2020-14', '2020-15'], /line 2.*"2020-13" is not a time\. Write 1960-12/],
      'days without a year': [['Dec-18', 'Dec-19', 'Dec-20'], /line 2.*may be December 2018, or 18 December/],
    };
    for (const [name, [times, message]] of Object.entries(cases))
      assert.throws(() => read(rows(times)), { message, code: 'data' }, name);
    assert.throws(
      () => read(rows(['44896', '44901', '44931', '45100']).replace('when', 'Date')),
      /no regular step/,
    );
  });

  test('a note reports that last trading days are read as month ends', () => {
    const days = ['2024-01-31', '2024-02-29', '2024-03-28', '2024-04-30', '2024-05-31', '2024-06-28'];
    const panel = read(rows(days));
    assert.equal(next(panel), '2024-07-31');
    assert.deepEqual(panel.notes, [
      'The times of "when" fall on different days of the month and are read as the last days of their months, for example 2024-03-28 as 2024-03-31.',
    ]);
    const firsts = read(rows(['2024-01-02', '2024-02-01', '2024-03-01', '2024-04-01']));
    assert.match(
      firsts.notes.join(),
      /as the first days of their months, for example 2024-01-02 as 2024-01-01/,
    );
    assert.deepEqual(read(rows(['2024-01-31', '2024-02-29', '2024-03-31'])).notes, []);
  });

  test('extends the time format if it cannot represent the frequency', () => {
    const panel = read(rows(['2020-01', '2020-02']), { frequency: 'daily' });
    assert.deepEqual([next(panel), timeAt(panel, 0)], ['2020-02-02', '2020-01-01']);
  });

  test('reads days as local midnights in UTC, and uses a given time zone', () => {
    const midnights = ['2022-10-28T22:00Z', '2022-10-29T22:00Z', '2022-10-30T23:00Z', '2022-10-31T23:00Z'];
    const panel = read(rows(midnights));
    assert.deepEqual([panel.frequency.unit, next(panel)], ['day', '2022-11-01T23:00Z']);
    assert.match(panel.notes.join(), /midnights in Europe\/Berlin, .*--timezone/);
    const named = read(rows(midnights), { timezone: 'Europe/Rome' });
    assert.deepEqual([named.time.format.timezone, named.notes], ['Europe/Rome', []]);
  });

  test('takes the order of day and month from an option', () => {
    const panel = read(rows(['01/02/2020', '01/03/2020', '01/04/2020']), { dates: 'dmy' });
    assert.deepEqual([panel.frequency.unit, next(panel)], ['month', '01/05/2020']);
  });

  test('notes report number formats of the columns in use', () => {
    const text = 'when;y;z;p\n2020-01;987;1.004;5%\n2020-02;1.004;987;6%\n2020-03;1.435;9;7%\n';
    const panel = read(text, { past: ['p'] });
    assert.deepEqual(valuesOf(panel), [987, 1004, 1435]);
    assert.match(
      panel.notes.join('\n'),
      /^In "y", "\." is read as a thousands separator .*\nPercent signs in "p" are dropped/,
    );
    assert.doesNotMatch(panel.notes.join(), /"z"/);
  });

  test('names are compared after normalisation', () => {
    const name = 'St\u00FCck';
    const panel = read(`when,${name.normalize('NFD')},\u200Bp\n2020-01,1,2\n2020-02,2,3\n`, {
      target: name,
      past: ['p\u00A0'],
    });
    assert.deepEqual([panel.target, panel.covariates[0].name, valuesOf(panel)], [name, 'p', [1, 2]]);
  });

  test('unused columns may share a name', () => {
    const panel = read('n,y,n,step\n1,5,7,1\n2,6,8,2\n3,7,9,3\n');
    assert.deepEqual([panel.time.name, valuesOf(panel)], ['step', [5, 6, 7]]);
  });

  test('rejects numbers whose squares overflow', () => {
    const large = rows(['2020-01', '2020-02'], () => 1e302);
    assert.throws(() => read(large), {
      message:
        'f.csv, line 2, column "y": numbers must be between -1e140 and 1e140, got 1e+302. Divide the column by a power of ten.',
      code: 'data',
    });
    const covariate = 'when,y,x\n2020-01,1,1\n2020-02,2,-1e141\n';
    assert.throws(() => read(covariate, { past: ['x'] }), /line 3, column "x": numbers must be between/);
  });
});
