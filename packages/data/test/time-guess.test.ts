// Unusual time formats: two-digit years, month names in other languages, Excel day numbers, local midnights in UTC, and dates
// in which the rows or an option determine the order of day and month.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addPeriods,
  containsTimes,
  describeFrequency,
  formatFor,
  formatTime,
  inferFrequency,
  looksLikeTimes,
  makeTable,
  parseFrequency,
  type TimeColumn,
  type TimeOptions,
  times,
} from '@unroll/data';

const tableOf = (cells: readonly (string | number | Date)[], name = 't') =>
  makeTable({ source: 'f.csv', names: [name], cells: [cells], lines: cells.map((_, i) => i + 2) });
const read = (cells: readonly (string | number | Date)[], options: TimeOptions = {}): TimeColumn =>
  times(tableOf(cells), 't', options);

/** Returns the frequency, the first and last day, and the time after the last, in the format of the column. */
function summaryOf({ values, format }: TimeColumn): [string, string, string, string] {
  const sorted = Float64Array.from(values).sort();
  const frequency = inferFrequency(sorted, format);
  const day = (value: number) => new Date(value).toISOString().slice(0, 10);
  const next = formatTime(addPeriods(sorted.at(-1)!, 1, frequency), format);
  return [describeFrequency(frequency), day(sorted[0]), day(sorted.at(-1)!), next];
}

const ENGLISH = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** 20 months from May 2021, newest first. */
const months = (write: (month: number, year: number) => string): string[] =>
  Array.from({ length: 20 }, (_, i) => write((i + 4) % 12, 2021 + Math.floor((i + 4) / 12))).reverse();
const short = (year: number) => String(year).slice(2);

describe('months by name, newest first', () => {
  const ways: Record<string, [(month: number, year: number) => string, string]> = {
    'Dec-22': [(m, y) => `${ENGLISH[m]}-${short(y)}`, 'Jan-23'],
    'Dec 22': [(m, y) => `${ENGLISH[m]} ${short(y)}`, 'Jan 23'],
    "Dec '22": [(m, y) => `${ENGLISH[m]} '${short(y)}`, "Jan '23"],
    Dec22: [(m, y) => `${ENGLISH[m]}${short(y)}`, 'Jan23'],
    'Dec/22': [(m, y) => `${ENGLISH[m]}/${short(y)}`, 'Jan/23'],
    '22-Dec': [(m, y) => `${short(y)}-${ENGLISH[m]}`, '23-Jan'],
    'DEC-22': [(m, y) => `${ENGLISH[m].toUpperCase()}-${short(y)}`, 'Jan-23'],
    'December 2022': [(m, y) => `${longMonthNames('en')[m]} ${y}`, 'January 2023'],
    'December-22': [(m, y) => `${longMonthNames('en')[m]}-${short(y)}`, 'January-23'],
    'December, 2022': [(m, y) => `${longMonthNames('en')[m]}, ${y}`, 'January, 2023'],
    'Dez 22': [(m, y) => `${GERMAN[m]} ${short(y)}`, 'Jan 23'],
    'Mrz. 22': [(m, y) => `${GERMAN[m]}. ${short(y)}`, 'Jan 23'],
    'Dezember 2022': [(m, y) => `${longMonthNames('de')[m]} ${y}`, 'Januar 2023'],
    'décembre 2022': [(m, y) => `${longMonthNames('fr')[m]} ${y}`, 'janvier 2023'],
    'dic-22': [(m, y) => `${SPANISH[m]}-${short(y)}`, 'ene-23'],
    'декабрь 2022': [(m, y) => `${longMonthNames('ru')[m]} ${y}`, 'январь 2023'],
    '12.2022': [(m, y) => `${String(m + 1).padStart(2, '0')}.${y}`, '01.2023'],
    '2022.12': [(m, y) => `${y}.${String(m + 1).padStart(2, '0')}`, '2023.01'],
    '2022年12月': [(m, y) => `${y}年${m + 1}月`, '2023年01月'],
  };
  for (const [name, [write, next]] of Object.entries(ways)) {
    test(name, () => {
      const cells = months(write);
      assert.deepEqual(summaryOf(read(cells)), ['monthly', '2021-05-01', '2022-12-01', next]);
      assert.ok(containsTimes(cells));
    });
  }
  test('quarters, and days with two-digit years', () => {
    assert.equal(summaryOf(read(['Mar-21', 'Jun-21', 'Sep-21', 'Dec-21']))[0], 'quarterly');
    assert.deepEqual(summaryOf(read(['30-Dec-22', '31-Dec-22', '1-Jan-23'])).slice(0, 2), [
      'daily',
      '2022-12-30',
    ]);
    assert.equal(summaryOf(read(['29.12.22', '30.12.22', '31.12.22']))[3], '01.01.23');
    assert.equal(summaryOf(read(['12/30/22 14:00', '12/30/22 15:00']))[3], '12/30/22 16:00');
  });
});

const GERMAN = ['Jan', 'Feb', 'Mrz', 'Apr', 'Mai', 'Jun', 'Jul', 'Aug', 'Sep', 'Okt', 'Nov', 'Dez'];
const SPANISH = ['ene', 'feb', 'mar', 'abr', 'may', 'jun', 'jul', 'ago', 'sep', 'oct', 'nov', 'dic'];
function longMonthNames(language: string): string[] {
  const format = new Intl.DateTimeFormat(language, { month: 'long', timeZone: 'UTC' });
  return ENGLISH.map((_, m) => format.format(Date.UTC(2001, m, 1)));
}

describe('dates without a year are an error, and their days are not read as two-digit years', () => {
  const days = (step: number, count: number) =>
    Array.from({ length: count }, (_, i) => new Date(Date.UTC(2022, 10, 20 + i * step))).map(
      (date) => `${ENGLISH[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2, '0')}`,
    );
  for (const [name, cells] of Object.entries({
    daily: days(1, 60),
    'daily, newest first': days(1, 60).reverse(),
    weekly: days(7, 20),
    'days of one month, or the same month of several years': ['Dec 18', 'Dec 19', 'Dec 20'],
  })) {
    test(name, () =>
      assert.throws(() => read(cells), {
        message:
          /line 2, column 1 \("t"\): ".*" may be .*, or \d+ \p{L}+ of an unknown year\. Write \d{4}-\d\d, or/u,
        code: 'data',
      }),
    );
  }
});

describe('Excel day numbers', () => {
  const serial = (year: number, month: number, day = 1) => Date.UTC(year, month, day) / 86_400_000 + 25_569;
  const monthly = Array.from({ length: 20 }, (_, i) => String(serial(2021, 4 + i))).reverse();
  test('monthly, newest first', () => {
    const column = read(monthly);
    assert.deepEqual(summaryOf(column), ['monthly', '2021-05-01', '2022-12-01', '44927']);
    assert.deepEqual(column.notes, ['The numbers in "t" are read as Excel dates (44896 is 2022-12-01).']);
    assert.ok(containsTimes(monthly));
  });
  test('month ends, and business days', () => {
    const ends = Array.from({ length: 12 }, (_, i) => serial(2021, i + 1, 0));
    assert.deepEqual(summaryOf(read(ends)), ['monthly', '2021-01-31', '2021-12-31', '44592']);
    const weekdays = Array.from({ length: 30 }, (_, i) => serial(2022, 0, 3 + i)).filter(
      (day) => day % 7 > 1,
    );
    assert.equal(summaryOf(read(weekdays.map(String)))[0], 'on business days');
  });
  test('days and hours if the column name says that it contains dates', () => {
    const table = (cells: string[], name: string) => times(tableOf(cells, name), name);
    assert.deepEqual(summaryOf(table(['44896', '44897', '44898'], 'Date')), [
      'daily',
      '2022-12-01',
      '2022-12-03',
      '44899',
    ]);
    const hours = Array.from({ length: 30 }, (_, i) => (44896 + i / 24).toFixed(10));
    assert.equal(summaryOf(table(hours, 'datetime'))[0], 'hourly');
    assert.equal(table(['44896', '44897', '44898'], 'n').format.template, 'number');
  });
  test('other numbers are not read as dates', () => {
    for (const cells of [
      ['20001', '20002', '20003'],
      ['31', '62', '93'],
      ['50000', '50100', '50200'],
    ]) {
      assert.equal(read(cells).format.template, 'number');
      assert.ok(!containsTimes(cells));
    }
  });
});

test('rejects week 53 of a year with 52 weeks', () => {
  assert.deepEqual(summaryOf(read(['2020-W52', '2020-W53', '2021-W01'])), [
    'weekly',
    '2020-12-21',
    '2021-01-04',
    '2021-W02',
  ]);
  assert.deepEqual(read(['2026-W53', '2027-W01']).values[0], Date.UTC(2026, 11, 28));
  for (const cell of ['2021-W53', '2022W53', '2019-W53']) {
    assert.throws(() => read([cell.replace('53', '52'), cell]), {
      message: new RegExp(
        `line 3, column 1 \\("t"\\): "${cell}" does not exist: ${cell.slice(0, 4)} has 52 weeks\\.`,
      ),
      code: 'data',
    });
  }
});

describe('local midnights in UTC', () => {
  /**
   * Returns local midnights, written in UTC.
   * @param offset returns the UTC offset of the zone at the start of a day, in hours
   */
  const midnights = (from: number, count: number, offset: (day: number) => number): string[] =>
    Array.from({ length: count }, (_, i) => {
      const day = from + i * 86_400_000;
      return new Date(day - offset(day) * 3_600_000).toISOString().replace('.000', '');
    });
  const autumn = Date.UTC(2022, 8, 20);
  const zones: Record<string, (day: number) => number> = {
    'Europe/Berlin': (day) => (day <= Date.UTC(2022, 9, 30) ? 2 : 1),
    'America/New_York': (day) => (day <= Date.UTC(2022, 10, 6) ? -4 : -5),
    'Australia/Sydney': (day) => (day <= Date.UTC(2022, 9, 2) ? 10 : 11),
    'Australia/Adelaide': (day) => (day <= Date.UTC(2022, 9, 2) ? 9.5 : 10.5),
    // The clocks skip midnight on one day, which begins at 01:00.
    'America/Santiago': (day) => (day < Date.UTC(2022, 8, 11) ? -4 : day === Date.UTC(2022, 8, 11) ? -4 : -3),
  };
  for (const [zone, offset] of Object.entries(zones)) {
    test(`are read as days of ${zone}`, () => {
      const cells = midnights(Date.UTC(2022, 8, 1), 100, offset);
      const column = read(cells);
      assert.equal(column.format.timezone, zone);
      assert.deepEqual(summaryOf(column).slice(0, 3), ['daily', '2022-09-01', '2022-12-09']);
      assert.deepEqual(
        Array.from(column.values, (value) => formatTime(value, column.format)),
        cells,
      );
      assert.deepEqual(column.notes, [
        `The times of "t" are midnights in ${zone}, written in UTC, and are read as days. If they belong to another time zone, set timezone (--timezone).`,
      ]);
    });
  }
  test('are read in other formats, and as months', () => {
    const berlin = midnights(autumn, 79, zones['Europe/Berlin']);
    const ways: ((iso: string) => string | Date)[] = [
      (iso: string) => iso.replace('T', ' ').replace('Z', ''),
      (iso: string) => String(Date.parse(iso) / 1000),
      (iso: string) => new Date(iso),
    ];
    for (const write of ways) {
      const column = read(berlin.map((iso) => write(iso)));
      assert.deepEqual(summaryOf(column).slice(0, 3), ['daily', '2022-09-20', '2022-12-07']);
    }
    const firsts = ['2022-09-30T22:00Z', '2022-10-31T23:00Z', '2022-11-30T23:00Z'];
    assert.deepEqual(summaryOf(read(firsts)), ['monthly', '2022-10-01', '2022-12-01', '2022-12-31T23:00Z']);
    assert.deepEqual(summaryOf(read(firsts.toReversed()))[0], 'monthly');
  });
  test('the zone can be set, also if the series contains no clock change', () => {
    const summer = ['2022-06-30T22:00Z', '2022-07-01T22:00Z', '2022-07-02T22:00Z'];
    assert.equal(read(summer).format.timezone, undefined);
    const column = read(summer, { timezone: 'Europe/Paris' });
    assert.deepEqual(
      [...column.values],
      [1, 2, 3].map((day) => Date.UTC(2022, 6, day)),
    );
    assert.deepEqual([column.notes, column.format.timezone], [[], 'Europe/Paris']);
  });
  test('rows at a local time of day other than midnight are also daily if the zone is set', () => {
    const cells = midnights(autumn, 79, (day) => (day < Date.UTC(2022, 9, 30) ? 2 : 1) - 8);
    assert.equal(summaryOf(read(cells, { timezone: 'Europe/Berlin' }))[0], 'daily');
  });
  test('hourly instants and plain dates are not read as local midnights', () => {
    const hours = Array.from({ length: 50 }, (_, i) => new Date(autumn + i * 3_600_000));
    assert.equal(read(hours, { timezone: 'Europe/Berlin' }).format.timezone, undefined);
    assert.equal(
      read(['2022-01-01', '2022-01-02'], { timezone: 'Europe/Berlin' }).format.timezone,
      undefined,
    );
    assert.equal(read(['2022-01-01T00:00', '2022-01-02T12:00']).format.timezone, undefined);
  });
  test('rejects an unknown zone', () =>
    assert.throws(() => read(['2022-01-01T00:00', '2022-01-02T00:00'], { timezone: 'Europe/Atlantis' }), {
      message: 'timezone must be a name such as Europe/Berlin or UTC, got "Europe/Atlantis".',
      code: 'value',
    }));
});

describe('the order of day and month', () => {
  const ambiguous = ['01/02/2020', '01/03/2020', '01/04/2020'];
  test('is set by an option', () => {
    assert.equal(summaryOf(read(ambiguous, { dates: 'dmy' }))[0], 'monthly');
    assert.equal(summaryOf(read(ambiguous, { dates: 'mdy' }))[0], 'daily');
    assert.equal(summaryOf(read(['20-01-02', '20-01-03', '20-01-04'], { dates: 'ymd' }))[1], '2020-01-02');
    assert.deepEqual(read(ambiguous, { dates: 'dmy' }).notes, []);
  });
  test('is inferred from a regular step, with a note that names the option', () => {
    const column = read(['01/05/2024', '01/06/2024', '01/08/2024', '02/01/2024']);
    assert.deepEqual(column.notes, [
      'The times of "t" are read as MM/DD/YYYY: only then do they follow a regular step. To read them in another order, set dates (--dates dmy).',
    ]);
  });
  test('is inferred from the order of the rows', () => {
    const column = read(['03/01/2024', '07/02/2024', '02/03/2024', '11/04/2024', '06/05/2024', '12/06/2024']);
    assert.equal(column.format.template, 'DD/MM/YYYY');
    assert.match(column.notes.join(), /only then are the rows in order\. .* set dates \(--dates mdy\)/);
  });
  test('in dates with dots, the day is first by convention, with a note', () => {
    const column = read(['01.02.2020', '01.03.2020', '01.04.2020']);
    assert.equal(summaryOf(column)[0], 'monthly');
    assert.match(column.notes.join(), /dates with dots usually begin with the day.*--dates mdy/);
  });
  test('has no note if a day above 12 determines it', () => {
    assert.deepEqual(read(['30/12/2020', '31/12/2020', '01/01/2021']).notes, []);
  });
  test('rejects dates that do not match the option, and an unknown order', () => {
    assert.throws(() => read(['12/31/2020', '01/01/2021'], { dates: 'dmy' }), {
      message:
        /line 2.*"12\/31\/2020" is not a date in the order dmy\. Correct the option dates \(--dates\), or leave it out\./,
    });
    assert.throws(() => read(ambiguous, { dates: 'dym' as 'dmy' }), {
      message: 'times: dates must be "dmy", "mdy" or "ymd", got "dym".',
      code: 'value',
    });
  });
});

describe('newer times are read in the format of earlier ones if they fit it, otherwise in their own format', () => {
  const cases: Record<string, [(string | number)[], string[], number]> = {
    'the order of day and month': [['30/12/2020', '31/12/2020'], ['02/01/2021'], Date.UTC(2021, 0, 2)],
    'months with two-digit years': [['Nov-20', 'Dec-20'], ['Jan-21'], Date.UTC(2021, 0)],
    'Excel day numbers': [[44166, 44197, 44228], ['44256'], Date.UTC(2021, 2)],
    'another format': [['30/12/2020', '31/12/2020'], ['2021-01-02'], Date.UTC(2021, 0, 2)],
    'local midnights': [
      ['2022-09-30T22:00Z', '2022-10-31T23:00Z'],
      ['2022-11-30T23:00Z'],
      Date.UTC(2022, 11, 1),
    ],
  };
  for (const [name, [earlier, newer, value]] of Object.entries(cases)) {
    test(name, () => {
      const { values, notes } = read(newer, { format: read(earlier).format });
      assert.deepEqual([[...values], notes], [[value], []]);
    });
  }
});

test('a column of times is recognised even if the times cannot be parsed', () => {
  const looks = (cells: string[], name = 't') => looksLikeTimes(tableOf(cells, name).columns[0]);
  assert.ok(looks(['Wk 1 of 2020', 'Wk 2 of 2020'], 'week'));
  assert.ok(looks(['2020.13.01', '2020.13.02']));
  assert.ok(looks(['Foo-22', 'Bar-22', 'Baz-22']));
  assert.ok(looks(['FY20', 'FY21']));
  assert.ok(looks(['44896', '44901', '44931'], 'Date'));
  for (const name of ['order_date', 'saleMonth', 'DATE', '日期'])
    assert.ok(looks(['44896', '44901', '44931'], name));
  for (const name of ['total', 'homes', 'holidays']) assert.ok(!looks(['44896', '44901', '44931'], name));
  assert.ok(!looks(['a', 'b', 'c']));
  assert.ok(!looks(['item 1', 'item 1', 'item 2'], 'date'));
  assert.ok(!looks(['1', '2'], 'date'));
  assert.ok(!looks(['SKU-1001', 'SKU-1002X']));
});

describe('the output format is as precise as the frequency requires', () => {
  const cases: [string[], string, string, string][] = [
    [['2022-11', '2022-12'], 'daily', '2022-12-02', '2022-12-03'],
    [['2022-11', '2022-12'], 'hourly', '2022-12-01 01:00', '2022-12-01 02:00'],
    [['2022-11', '2022-12'], 'monthly', '2023-01', '2023-02'],
    [['202211', '202212'], 'daily', '20221202', '20221203'],
    [['202211', '202212'], '30 seconds', '2022-12-01 00:00:30', '2022-12-01 00:01:00'],
    [['20221101', '20221102'], 'weekly', '20221109', '20221116'],
    [['20221101', '20221102'], 'hourly', '2022-11-02 01:00', '2022-11-02 02:00'],
    [['31.12.2022', '01.01.2023'], '15 minutes', '01.01.2023 00:15', '01.01.2023 00:30'],
    [['2022-Q3', '2022-Q4'], 'monthly', '2022-11', '2022-12'],
    [['2022-Q3', '2022-Q4'], 'quarterly', '2023-Q1', '2023-Q2'],
    [['2022-W01', '2022-W02'], 'daily', '2022-01-11', '2022-01-12'],
    [['2022-01-01 10:00', '2022-01-01 11:00'], 'every second', '2022-01-01 11:00:01', '2022-01-01 11:00:02'],
    [['Nov-22', 'Dec-22'], 'business days', '2022-12-02', '2022-12-05'],
  ];
  for (const [cells, name, ...expected] of cases) {
    test(`${cells[1]} ${name}`, () => {
      const { values, format } = read(cells);
      const frequency = parseFrequency(name);
      const written = formatFor(format, frequency);
      const last = values.at(-1)!;
      assert.deepEqual(
        [1, 2].map((k) => formatTime(addPeriods(last, k, frequency), written)),
        expected,
      );
    });
  }
});
