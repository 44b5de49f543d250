// Number formats: separators, signs, percent, currencies and error values, and the notes that report how they were read.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CsvOptions, column, makeTable, numbers, parseCsv, texts } from '@unroll/data';

/** Returns the values of column `y` of a file, and the notes on it. The default delimiter is a semicolon. */
function read(
  cells: readonly string[],
  options: CsvOptions = {},
): { values: number[]; notes: readonly string[] } {
  const { delimiter = ';' } = options;
  const rows = cells.map((cell, i) => `r${i}${delimiter}"${cell}"`);
  const table = parseCsv([`x${delimiter}y`, ...rows].join('\n'), { source: 'f.csv', ...options });
  return { values: [...numbers(table, 'y')], notes: column(table, 'y').notes ?? [] };
}

describe('unambiguous numbers are read without a note', () => {
  const cases: Record<string, [string[], number[]]> = {
    'points as thousands separators, and a decimal comma': [
      ['1.698,50', '987,5'],
      [1698.5, 987.5],
    ],
    'commas as thousands separators, and a decimal point': [
      ['1,698.50', '987.5'],
      [1698.5, 987.5],
    ],
    'repeated points as thousands separators': [
      ['1.234.567', '987'],
      [1_234_567, 987],
    ],
    'repeated commas as thousands separators': [
      ['1,234,567', '1.5'],
      [1_234_567, 1.5],
    ],
    'Indian digit grouping': [
      ['12,34,567.5', '1.5'],
      [1_234_567.5, 1.5],
    ],
    'Swiss apostrophes': [
      ["9'850.0", "1'010'600.5"],
      [9850, 1_010_600.5],
    ],
    'typographic apostrophes': [
      ['9\u2019850', '987'],
      [9850, 987],
    ],
    'apostrophes with a decimal comma': [
      ["9'850,5", '987,5'],
      [9850.5, 987.5],
    ],
    spaces: [
      ['9 850,5', '987,5'],
      [9850.5, 987.5],
    ],
    'no-break spaces': [
      ['9\u00A0850,5', '1\u202F987,5'],
      [9850.5, 1987.5],
    ],
    'a four-digit number shows that there are no thousands separators': [
      ['1435', '1.004'],
      [1435, 1.004],
    ],
    'a 0 before the point': [
      ['0.987', '1.004'],
      [0.987, 1.004],
    ],
    'typographic minus signs': [
      ['\u221251.5', '\u201344', '+3'],
      [-51.5, -44, 3],
    ],
    'a trailing minus': [
      ['51.5-', '44'],
      [-51.5, 44],
    ],
    'currency symbols before and after': [
      ['\u20AC 12', '13 \u20AC', '-\u20AC14', '\u20AC-15'],
      [12, 13, -14, -15],
    ],
    dollars: [
      ['$1,200.50', '$ 3.5'],
      [1200.5, 3.5],
    ],
    'currency codes': [
      ['CHF 12.5', '13'],
      [12.5, 13],
    ],
    'full-width digits': [
      ['\uFF11\uFF12.\uFF15', '\uFF0D3'],
      [12.5, -3],
    ],
    'error values and dashes': [
      ['#DIV/0!', '#N/A', '#VALUE!', '#REF!', '#NAME?', '#NUM!', '#NULL!', '#NV', '#WERT!', '\u2013', '2.5'],
      [...Array<number>(10).fill(Number.NaN), 2.5],
    ],
    'numbers near the float64 maximum': [
      ['1.5e302', '-1e302'],
      [1.5e302, -1e302],
    ],
  };
  for (const [name, [cells, values]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(read(cells), { values, notes: [] }));
  }
});

describe('ambiguous numbers', () => {
  const points = ['987', '1.004', '1.435'];
  test('points are thousands separators if numbers below 1000 have no point', () => {
    for (const delimiter of [';', ',', '\t']) {
      const { values, notes } = read(points, { delimiter });
      assert.deepEqual(values, [987, 1004, 1435]);
      assert.deepEqual(notes, [
        'In "y", "." is read as a thousands separator (1.004 as 1004). If it is the decimal separator, set decimal (--decimal .).',
      ]);
    }
  });
  test('options override the detection, without a note', () => {
    assert.deepEqual(read(points, { decimal: '.' }), { values: [987, 1.004, 1.435], notes: [] });
    assert.deepEqual(read(points, { thousands: '.' }), { values: [987, 1004, 1435], notes: [] });
    assert.deepEqual(read(points, { decimal: ',' }), { values: [987, 1004, 1435], notes: [] });
    assert.deepEqual(read(points, { thousands: 'none' }), { values: [987, 1.004, 1.435], notes: [] });
    assert.deepEqual(read(['1,435'], { thousands: ',' }), { values: [1435], notes: [] });
  });
  test('if all numbers have a separator, the delimiter of the file decides', () => {
    assert.deepEqual(read(['1.004', '1.435']).values, [1004, 1435]);
    const decimals = read(['1.004', '1.435'], { delimiter: ',' });
    assert.deepEqual(decimals.values, [1.004, 1.435]);
    assert.match(
      decimals.notes.join(),
      /read as the decimal separator \(1\.004 as 1\.004\).*--thousands \.\)/,
    );
    assert.deepEqual(read(['1,004', '1,435']).values, [1.004, 1.435]);
    const commas = read(['1,004', '5'], { delimiter: ',' });
    assert.deepEqual(commas.values, [1004, 5]);
    assert.match(commas.notes.join(), /In "y", "," is read as a thousands separator.*--decimal ,/);
  });
  test('the decimal separator of another column decides', () => {
    const table = parseCsv('a;b\n12,5;1.004\n13,5;1.435\n');
    assert.deepEqual([...numbers(table, 'b')], [1004, 1435]);
    assert.deepEqual(column(table, 'b').notes, []);
    assert.equal(table.decimal, ',');
    assert.deepEqual([...numbers(parseCsv('a;b\n12.5;1.004\n13.5;1.435\n'), 'b')], [1.004, 1.435]);
  });
  test('tables from other sources are read in the same way', () => {
    const table = makeTable({ source: 'f', names: ['y'], cells: [['987', '1.004']] });
    assert.deepEqual([...numbers(table, 'y')], [987, 1004]);
  });
});

test('percent signs are dropped with a note', () => {
  const { values, notes } = read(['51.5%', '44.0 %', '0']);
  assert.deepEqual(values, [51.5, 44, 0]);
  assert.deepEqual(notes, ['Percent signs in "y" are dropped: 51.5% is read as 51.5, not as a fraction.']);
  assert.deepEqual(read(['51,5%', '44,0%']).values, [51.5, 44]);
});

test('numbers in parentheses are negative, with a note', () => {
  const { values, notes } = read(['(51.5)', '38.2', '$(1,044.25)', '($3.5)']);
  assert.deepEqual(values, [-51.5, 38.2, -1044.25, -3.5]);
  assert.deepEqual(notes, ['Numbers of "y" in parentheses, such as (51.5), are read as negative.']);
});

describe('errors', () => {
  const cases: Record<string, [string[], RegExp]> = {
    'percent signs on some numbers only': [
      ['0.3', '51.5%'],
      /line 3, column 2 \("y"\): "51\.5%" has a percent sign, but other cells have none\. Write all numbers in the same unit/,
    ],
    'two currencies': [
      ['\u20AC 3', '$ 5'],
      /line 2.*has a currency sign, but other cells have a different one/,
    ],
    'a unit; the suggested number keeps the minus sign': [
      ['1.5', '\u221251.5 kg'],
      /line 3.*Write a number such as -51\.5,/,
    ],
    'a unit in parentheses; the suggested number is negative': [
      ['1.5', '(51.5 kg)'],
      /line 3.*Write a number such as -51\.5,/,
    ],
    'a group of two digits': [['1.5', '12,34'], /line 3.*"12,34" is not a number/],
    'a superscript': [['1.5', '12\u00B2'], /line 3.*is not a number/],
  };
  for (const [name, [cells, message]] of Object.entries(cases)) {
    test(name, () => assert.throws(() => read(cells), { message, code: 'data' }));
  }
  test('the error names the one cell that is not a number', () => {
    assert.throws(() => read(['1.698,50', '2.044,10', 'n.v.']), /line 4.*"n\.v\." is not a number/);
  });
  test('unknown or contradictory separators', () => {
    const parseWith = (options: object) => () => parseCsv('y\n1\n', options as CsvOptions);
    assert.throws(parseWith({ decimal: ';' }), {
      message: 'parseCsv: decimal must be "." or ",", got ";".',
      code: 'value',
    });
    assert.throws(parseWith({ thousands: '_' }), {
      message: /^parseCsv: thousands must be .*, got "_"\.$/,
      code: 'value',
    });
    assert.throws(parseWith({ decimal: ',', thousands: ',' }), {
      message: /must differ, got "," for both/,
      code: 'value',
    });
  });
});

test('error values are also missing values in text columns', () => {
  assert.deepEqual(texts(parseCsv('a,b\nx,1\n#REF!,2\n'), 'a'), ['x', '']);
});

test('a word next to a number is not a currency', () => {
  const table = parseCsv('a,b\nSKU12,1\nABC 34,2\n');
  assert.equal(column(table, 'a').kind, 'text');
});
