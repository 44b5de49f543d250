// Reading CSV: dialects, the line numbers of rows, and one message for each kind of invalid file.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { column, numbers, parseCsv, texts } from '@unroll/data';

const read = (text: string) => parseCsv(text, { source: 'sales.csv' });

describe('CSV dialects are read', () => {
  const plain = [1.5, -2, 3e3];
  const dialects = {
    commas: 'a,b\nx,1.5\ny,-2\nz,3e3\n',
    semicolons: 'a;b\nx;1.5\ny;-2\nz;3e3\n',
    'semicolons and decimal commas': 'a;b\nx;1,5\ny;-2\nz;3e3\n',
    tabs: 'a\tb\nx\t1.5\ny\t-2\nz\t3e3\n',
    'CRLF line endings': 'a,b\r\nx,1.5\r\ny,-2\r\nz,3e3\r\n',
    'CR line endings (classic Mac OS)': 'a,b\rx,1.5\ry,-2\rz,3e3\r',
    'a byte order mark': '\uFEFFa,b\nx,1.5\ny,-2\nz,3e3\n',
    'no newline at the end of the file': 'a,b\nx,1.5\ny,-2\nz,3e3',
    'all fields quoted': '"a","b"\n"x","1.5"\n"y","-2"\n"z","3e3"\n',
    'spaces around values': ' a , b \nx, 1.5\ny ,-2 \nz, 3e3\n',
    'empty lines': '\na,b\n\nx,1.5\ny,-2\n,\nz,3e3\n\n\n',
  };
  for (const [name, text] of Object.entries(dialects)) {
    test(name, () => {
      const table = read(text);
      assert.deepEqual([...numbers(table, 'b')], plain);
      assert.deepEqual(texts(table, 'a'), ['x', 'y', 'z']);
    });
  }
});

test('a quoted field may contain separators, quotes and line breaks; line numbers of later rows stay correct', () => {
  const table = read('a,b\n"one, ""two""\nthree",1\n\nx,2\n');
  assert.deepEqual(texts(table, 'a'), ['one, "two"\nthree', 'x']);
  assert.deepEqual([...table.lines], [2, 5]);
});

describe('tab-separated text', () => {
  test('a quotation mark that is not closed within its field is an ordinary character', () => {
    const table = read('a\tb\n1\t"quoted" he said\n2\t"open\n3\tclosed"\n4\t"whole ""field"""\n');
    assert.deepEqual(texts(table, 'b'), ['"quoted" he said', '"open', 'closed"', 'whole "field"']);
    assert.deepEqual([...table.lines], [2, 3, 4, 5]);
  });
  test('a quoted field may contain tabs and line breaks', () => {
    const table = read('a\tb\n1\t"x\ty"\n2\t"x\ny"\n');
    assert.deepEqual(texts(table, 'b'), ['x\ty', 'x\ny']);
  });
});

test('without a header, columns are named by their position', () => {
  const headless = (text: string) => parseCsv(text, { source: 'sales.csv', header: false });
  const table = headless('1,x\n\n2,y\n');
  assert.deepEqual([...numbers(table, '1')], [1, 2]);
  assert.deepEqual(texts(table, '2'), ['x', 'y']);
  assert.deepEqual([...table.lines], [1, 3]);
  assert.throws(() => headless('1,x\n2\n'), {
    message:
      'sales.csv, line 2: 1 field, fewer than the first line\'s 2 (separated by ","). Write an empty field for each missing value.',
  });
  assert.throws(() => headless(''), { message: 'sales.csv is empty. Write one line per row.' });
});

test('missing cells are NaN, however they are written', () => {
  const table = read('a,b\n1,\n2,NA\n3,null\n4,n/a\n5,7\n');
  assert.deepEqual([...numbers(table, 'b')], [Number.NaN, Number.NaN, Number.NaN, Number.NaN, 7]);
  assert.equal(column(table, 'b').kind, 'number');
});

test('detects whether a column contains numbers or text', () => {
  const table = read('n,t,m\n1,x,1\n2,y,z\n');
  assert.deepEqual(
    table.columns.map(({ kind }) => kind),
    ['number', 'text', 'text'],
  );
});

const wrong: Record<string, [string, RegExp]> = {
  'an empty file': ['', /^sales\.csv is empty\. Write a header line/],
  'a file of white space': [' \n\n', /^sales\.csv is empty/],
  'a header without rows': ['a,b\n', /^sales\.csv has a header but no rows/],
  'a missing header': [
    '1949-01,112\n1949-02,118\n',
    /line 1: the first line must name the columns.*1949-01, 112/,
  ],
  'too many fields': [
    'a,b\n1,2\n1,2,3\n',
    /line 3: 3 fields, more than the header's 2 \(a, b; separated by ","\)\. Put text that contains "," in quotes\.$/,
  ],
  'too few fields': ['a,b\n1,2\n\n1\n', /line 4: 1 field, fewer than the header's 2/],
  'a quotation mark that is not closed': ['a,b\n1,2\n"1,2\n3,4\n', /line 3: a quotation mark is not closed/],
};
for (const [name, [text, message]] of Object.entries(wrong)) {
  test(`rejects ${name}`, () => assert.throws(() => read(text), { message, code: 'data' }));
}

describe('a duplicate column name', () => {
  const table = read('a,b,a\n1,2,3\n');
  test('is ignored if the column is not read', () => assert.deepEqual([...numbers(table, 'b')], [2]));
  test('is an error when the column is read', () =>
    assert.throws(() => column(table, 'a'), {
      message: /^sales\.csv: columns 1 and 3 are both called "a" and differ\. Rename one of them\./,
      code: 'data',
    }));
  test('is accepted if both columns are equal', () =>
    assert.deepEqual([...numbers(read('a,b,a\n1,2,1\n'), 'a')], [1]));
});

describe('names are compared after normalisation', () => {
  const composed = 'St\u00FCck';
  const decomposed = composed.normalize('NFD');
  const written: Record<string, string> = {
    decomposed,
    composed,
    'with a zero-width space': `\u200B${composed}`,
    'with a byte order mark': `${composed}\uFEFF`,
    'with a no-break space at the end': `${composed}\u00A0`,
  };
  for (const [name, header] of Object.entries(written)) {
    test(name, () => {
      const table = read(`month,${header}\n2019-01,98.5\n`);
      for (const requested of [composed, decomposed])
        assert.deepEqual([...numbers(table, requested)], [98.5]);
      assert.equal(table.columns[1].name, composed);
    });
  }
});

test('a first line sep=;, as Excel writes it, sets the delimiter; line numbers count this line', () => {
  for (const firstLine of ['sep=;', 'SEP=;', '"sep=;"', '\uFEFFsep=;']) {
    const table = read(`${firstLine}\r\nmonat;units\r\n2019-01;9850,00\r\n2019-02;10600,5\r\n`);
    assert.deepEqual([...numbers(table, 'units')], [9850, 10600.5]);
    assert.deepEqual([...table.lines], [3, 4]);
  }
  assert.throws(() => read('sep=;\na;b\n1;2\n1\n'), /line 4: 1 field, fewer/);
});

test('reports text in a number column with file, line, column and a valid example', () => {
  const table = read('month,sold\n1,5\n2,"1,200x"\n3,many\n');
  assert.throws(() => numbers(table, 'sold'), {
    message:
      'sales.csv, line 3, column 2 ("sold"): "1,200x" is not a number. Write a number such as 1200, or leave the cell empty.',
  });
  assert.throws(() => numbers(read('a\n1\n2\nmany\n'), 'a'), {
    message: /line 4, column 1 \("a"\): "many" is not a number/,
  });
});

test('the error for text in a number column suggests the number without separators and units', () => {
  const hints: Record<string, string> = {
    '1.698,50': '1698.50',
    '95,65': '95.65',
    '1,234,567 kg': '1234567',
    '€ 12 each': '12',
  };
  for (const [cell, hint] of Object.entries(hints)) {
    assert.throws(() => numbers(read(`a;b\n1.5;x\n"${cell}";y\n`), 'a'), {
      message: new RegExp(`Write a number such as ${hint.replace('.', '[.]')},`),
    });
  }
});

test('a number beyond the range of float64 is an error', () => {
  assert.throws(() => numbers(read('a\n1e999\n'), 'a'), /line 2.*"1e999" is not a number/);
});

test('the error for an unknown column suggests the nearest name and lists all columns', () => {
  const table = read('month,passengers\n1,2\n');
  assert.throws(() => column(table, 'Passenger'), {
    message:
      'sales.csv has no column "Passenger". Did you mean "passengers"? Its columns: month, passengers.',
  });
  assert.throws(() => column(table, 'price'), {
    message: 'sales.csv has no column "price". Its columns: month, passengers.',
  });
});
