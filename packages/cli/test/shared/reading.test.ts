// Files with an ambiguous format: the detected format, the notes about it, and the options that override it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { QUICK, useTempFolder } from './helpers.js';

const temp = useTempFolder();
const { unroll, csv } = temp;
const month = (i: number) => `${2019 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, '0')}`;
const NAMES = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Returns a header and 40 rows. */
const rows = (head: string, row: (i: number) => string) =>
  `${head}\n${Array.from({ length: 40 }, (_, i) => row(i)).join('\n')}\n`;
const units = (i: number) => 800 + 20 * i + 50 * Math.sin(i);
/** Returns numbers with points as thousands separators, such as 820 and 1.435. */
const pointed = (i: number) => String(Math.round(units(i))).replace(/(\d)(\d{3})$/, '$1.$2');

/** Returns the i-th midnight in Berlin from October 2022 on, written in UTC. Summer time ends on October 30. */
const midnight = (i: number) => {
  const day = Date.UTC(2022, 9, 1 + i);
  return new Date(day - (day <= Date.UTC(2022, 9, 30) ? 2 : 1) * 3_600_000).toISOString().replace('.000', '');
};
const files: Record<string, string | Uint8Array> = {
  'points.csv': rows('month;units', (i) => `${month(i)};${pointed(i)}`),
  'more-points.csv': 'month;units\n2022-05;1.600\n',
  'more-points-by-comma.csv': 'month,units\n2022-05,1.600\n',
  'decimals.csv': rows('month;units', (i) => `${month(i)};${(units(i) / 1000).toFixed(3)}`),
  'integers.csv': rows('month;units', (i) => `${month(i)};${Math.round(units(i) / 2)}`),
  'more-commas.csv': 'month;units\n2022-05;800,5\n',
  'mixed.csv': rows(
    'month;units;price',
    (i) => `${month(i)};${units(i).toFixed(1).replace('.', ',')};${i % 4}.25`,
  ),
  'more-mixed.csv': 'month;units;price\n2022-05;1600,5;1.25\n',
  'names.csv': rows('month,units,"a, b",c', (i) => `${month(i)},${units(i)},${i % 5},${i % 3}`),
  'german.csv': Uint8Array.from(
    rows('Monat;St\xfcck', (i) => `${month(i)};${Math.round(units(i))}`),
    (char) => char.charCodeAt(0),
  ),
  'book.csv': 'PK\x03\x04\x14\x00\x06\x00[Content_Types].xml',
  'slashes.csv': 'day,units\n01/02/2020,5\n01/03/2020,6\n01/04/2020,6\n',
  'utc.csv': rows('when,units', (i) => `${midnight(i)},${units(i)}`),
  'newest.csv': rows(
    'when,units',
    (i) => `${NAMES[(39 - i) % 12]}-${19 + Math.floor((39 - i) / 12)},${units(39 - i)}`,
  ),
  'newer.csv': 'when,units\nMay-22,1600\n',
};
before(() => {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(temp.folder, name), content);
});
const plan = (file: string, target: string, ...more: string[]) =>
  unroll(['forecast', file, '--target', target, '--horizon', '3', '--dry-run', ...more]);

test('decimal and thousands separators are detected with a note, or set by options, and stored in the model', async () => {
  const found = await plan('points.csv', 'units');
  assert.match(found.stdout, /In "units", "\." is read as a thousands separator .*--decimal \./);
  for (const option of [
    ['--decimal', '.'],
    ['--thousands', '.'],
    ['--thousands', 'none'],
  ]) {
    const { stdout, code } = await plan('points.csv', 'units', ...option);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /thousands/);
  }
  const options = [...QUICK, '--quiet', '--thousands', '.', '--out', 'made'];
  await unroll(['forecast', 'points.csv', '--target', 'units', '--horizon', '3', ...options]);
  assert.ok(
    csv('made/forecast.csv')
      .slice(1)
      .every(([, mean]) => Number(mean) > 1000),
  );
  const stored = JSON.parse(readFileSync(join(temp.folder, 'made/model/pipeline.json'), 'utf8'));
  assert.deepEqual(stored.reading, { decimal: ',', thousands: '.' });
  const next = await unroll(['predict', 'made/model', '--data', 'more-points.csv']);
  assert.equal(next.code, 0);
  assert.ok(Number(next.stdout.split('\n')[1].split(',')[1]) > 1000);
  assert.doesNotMatch(next.stderr, /separator/);
});

describe('a saved model reads newer rows in the format of the training rows', () => {
  const options = [
    ...QUICK,
    '--quiet',
    '--season',
    '1',
    '--windows',
    '2',
    '--horizon',
    '1',
    '--target',
    'units',
  ];
  /** Returns the first forecast after newer rows, and the notes about these rows. */
  const after = async (model: string, rows: string, ...more: string[]) => {
    const { code, stdout, stderr } = await unroll(['predict', `${model}/model`, '--data', rows, ...more]);
    assert.equal(code, 0, stderr);
    return { value: Number(stdout.split('\n')[1].split(',')[1]), notes: stderr };
  };
  const assertNear = (value: number, wanted: number): void =>
    assert.ok(Math.abs(value - wanted) < wanted / 10, String(value));

  test('1.600 is 1600 if points separate thousands', async () => {
    assert.equal((await unroll(['forecast', 'points.csv', ...options, '--out', 'points'])).code, 0);
    for (const rows of ['more-points.csv', 'more-points-by-comma.csv']) {
      const { value, notes } = await after('points', rows);
      assertNear(value, 1600);
      assert.doesNotMatch(notes, /separator/);
    }
    const { value } = await after('points', 'more-points.csv', '--thousands', ',');
    // The newer row is now read as 1.6, far below the training rows, so the forecast is below 1000.
    assert.ok(value < 1000, String(value));
  });
  test('1.600 is 1.6 if points separate decimals', async () => {
    assert.equal((await unroll(['forecast', 'decimals.csv', ...options, '--out', 'decimals'])).code, 0);
    const { value, notes } = await after('decimals', 'more-points.csv');
    assertNear(value, 1.6);
    assert.doesNotMatch(notes, /separator/);
  });
  test('if training rows have no separators, the format of newer rows is detected', async () => {
    assert.equal((await unroll(['forecast', 'integers.csv', ...options, '--out', 'integers'])).code, 0);
    assertNear((await after('integers', 'more-commas.csv')).value, 800);
    assert.match((await after('integers', 'more-points.csv')).notes, /is read as a thousands separator/);
  });
  test('columns with different separators are read separately', async () => {
    const mixedOptions = [...options, '--past', 'price', '--out', 'mixed'];
    assert.equal((await unroll(['forecast', 'mixed.csv', ...mixedOptions])).code, 0);
    assertNear((await after('mixed', 'more-mixed.csv')).value, 1600);
  });
});

test('the encoding is detected with a note that names --encoding, or set by --encoding', async () => {
  const found = await plan('german.csv', 'Stück');
  assert.match(
    found.stdout,
    /^german\.csv is read as Windows-1252\. If that is not its encoding, set --encoding\.\n/,
  );
  const forced = await plan('german.csv', 'Stŭck', '--encoding', 'iso-8859-3');
  assert.equal(forced.code, 2);
  assert.match(forced.stderr, /has no column "Stŭck"\. Did you mean "Stück"/);
  assert.match((await plan('german.csv', 'Stück', '--encoding', 'latin1')).stdout, /^data /);
  assert.match(
    (await plan('german.csv', 'y', '--encoding', 'utf-8')).stderr,
    /german\.csv is not valid utf-8/,
  );
});

test('accepts a quoted name with a comma', async () => {
  const { stdout } = await plan('names.csv', 'units', '--past', '"a, b",c');
  assert.match(stdout, /additional inputs: a, b \(past\), c \(past\)/);
  const open = await plan('names.csv', 'units', '--past', '"a, b');
  assert.match(open.stderr, /^unroll: --past has an unclosed quotation mark: "a, b\n$/);
  assert.equal(open.code, 2);
});

test('recognises a workbook with another extension', async () => {
  const { code, stderr } = await plan('book.csv', 'units');
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^unroll: book\.csv is a workbook \(Excel or LibreOffice\), not a text file\. .*CSV \(UTF-8\)\.\n$/,
  );
});

test('the order of day and month must be set if it is ambiguous; the time zone is detected or set', async () => {
  assert.match((await plan('slashes.csv', 'units')).stderr, /set dates \(--dates dmy or --dates mdy\)/);
  const found = await plan('utc.csv', 'units');
  assert.match(found.stdout, /\n {9}daily, /);
  assert.match(found.stdout, /midnights in Europe\/Berlin, written in UTC.*\(--timezone\)/);
  const named = await plan('utc.csv', 'units', '--timezone', 'Europe/Madrid');
  assert.match(named.stdout, /\n {9}daily, /);
  assert.doesNotMatch(named.stdout, /midnights/);
});

test('with the newest rows first and month names, forecasts begin after the newest row, also if newer rows are added', async () => {
  const run = ['--target', 'units', '--horizon', '2', ...QUICK, '--quiet', '--out', 'named'];
  assert.equal((await unroll(['forecast', 'newest.csv', ...run])).code, 0);
  assert.deepEqual(
    csv('named/forecast.csv').map(([time]) => time),
    ['time', 'May-22', 'Jun-22'],
  );
  const next = await unroll(['predict', 'named/model', '--data', 'newer.csv']);
  assert.match(next.stdout, /\nJun-22,.*\nJul-22,/);
  assert.match(next.stderr, /Rows up to Apr-22 are training rows stored in the model/);
});

describe('an invalid option prints one line and exits with code 2', () => {
  const cases: Record<string, [string[], RegExp]> = {
    decimal: [['--decimal', ';'], /decimal must be "\." or ",", got ";"/],
    thousands: [['--thousands', 'yes'], /thousands must be .*, got "yes"/],
    both: [['--decimal', ',', '--thousands', ','], /decimal and thousands must differ/],
    encoding: [['--encoding', 'klingon'], /encoding must be a name such as .*, got "klingon"/],
    dates: [['--dates', 'ydm'], /dates must be "dmy", "mdy" or "ymd", got "ydm"/],
    timezone: [['--timezone', 'Berlin'], /timezone must be a name such as .*, got "Berlin"/],
  };
  for (const [name, [options, message]] of Object.entries(cases)) {
    test(name, async () => {
      const { code, stderr } = await plan('utc.csv', 'units', ...options);
      assert.equal(code, 2);
      assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split('\n').length, 1);
    });
  }
});
