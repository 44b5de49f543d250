// The same small table is read from text files in several encodings, JSON and Parquet; invalid files are rejected.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  decodeText,
  looksLikeJson,
  makeTable,
  numbers,
  parseCsv,
  parseJsonLines,
  placeOf,
  type Table,
  texts,
} from '@unroll/data';
import { looksLikeParquet, parseParquet } from '@unroll/data/parquet';
import { parquetWriteBuffer } from 'hyparquet-writer';

const assertTable = (table: Table) => {
  assert.deepEqual(texts(table, 'place'), ['Köln', '', 'Łódź']);
  assert.deepEqual([...numbers(table, 'sold')], [1.5, 2, Number.NaN]);
};
const csv = 'place,sold\nKöln,1.5\n,2\nŁódź,\n';
const utf16 = (text: string, big: boolean) => {
  const bytes = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) new DataView(bytes.buffer).setUint16(i * 2, text.charCodeAt(i), !big);
  return bytes;
};

describe('text files', () => {
  const encodings: Record<string, [Uint8Array, string]> = {
    'UTF-8': [new TextEncoder().encode(csv), 'UTF-8'],
    'UTF-8 with a byte order mark': [new TextEncoder().encode(`\uFEFF${csv}`), 'UTF-8'],
    'UTF-16, little-endian': [utf16(`\uFEFF${csv}`, false), 'UTF-16'],
    'UTF-16, big-endian': [utf16(`\uFEFF${csv}`, true), 'UTF-16'],
    'UTF-16 without a byte order mark': [utf16(csv, false), 'UTF-16'],
    'UTF-16 without a byte order mark, big-endian': [utf16(csv, true), 'UTF-16'],
  };
  for (const [name, [bytes, encoding]] of Object.entries(encodings)) {
    test(name, () => {
      const decoded = decodeText(bytes);
      assert.equal(decoded.encoding, encoding);
      assertTable(parseCsv(decoded.text));
    });
  }
  test('Windows-1252 if the bytes are not UTF-8', () => {
    const decoded = decodeText(Uint8Array.from('place\nK\xf6ln\n', (letter) => letter.charCodeAt(0)));
    assert.deepEqual(decoded, { text: 'place\nKöln\n', encoding: 'Windows-1252' });
  });
  test('rejects binary data', () => {
    assert.throws(
      () => decodeText(Uint8Array.of(80, 0, 0, 3, 4, 0, 0, 9, 9), 'a.bin'),
      /^UnrollError: a\.bin is not a text file: it contains zero bytes/,
    );
  });
  test('recognises workbooks and archives under any file name', () => {
    const zip = (name: string) => new TextEncoder().encode(`PK\x03\x04\x14\x00\x00\x00${name}\x00\x00`);
    const xls = Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0, 0);
    const workbooks = [zip('[Content_Types].xml'), zip('xl/workbook.xml'), xls];
    workbooks.push(zip('mimetypeapplication/vnd.oasis.opendocument.spreadsheet'));
    for (const bytes of workbooks) {
      assert.throws(() => decodeText(bytes, 'a.csv'), {
        message: /^a\.csv is a workbook \(Excel or LibreOffice\), not a text file\. .* save the sheet as CSV/,
        code: 'format',
      });
    }
    assert.throws(
      () => decodeText(zip('notes.txt'), 'a.csv'),
      /^UnrollError: a\.csv is a zip archive.*Unpack it first/,
    );
  });
});

describe('JSON', () => {
  const rows = [{ place: 'Köln', sold: 1.5 }, { sold: 2 }, { place: 'Łódź', sold: null }];
  test('one object per line gives the table', () =>
    assertTable(parseJsonLines(rows.map((row) => JSON.stringify(row)).join('\r\n'))));
  test('one array gives the table', () => assertTable(parseJsonLines(JSON.stringify(rows, null, 2))));
  test('is distinguished from CSV', () => {
    assert.ok(looksLikeJson('{"a":1}') && looksLikeJson('\n[ {"a":1}]') && looksLikeJson('\uFEFF{ "a": 1 }'));
    assert.ok(!looksLikeJson(csv) && !looksLikeJson('[a],{b}\n1,2') && !looksLikeJson(''));
  });
  test('line numbers count empty lines', () =>
    assert.deepEqual([...parseJsonLines('\n{"a":1}\n\n{"a":2}').lines], [2, 4]));

  test('lists and objects are an error only if their column is read', () => {
    const table = parseJsonLines('{"a":1,"b":2}\n{"a":{"c":1},"b":3}\n{"a":[1],"b":4}', {
      source: 'f.jsonl',
    });
    assert.deepEqual([...numbers(table, 'b')], [2, 3, 4]);
    assert.throws(() => numbers(table, 'a'), {
      message:
        'f.jsonl, line 2, column 1 ("a"): a cell must hold a number, text or time, got a list or an object.',
      code: 'data',
    });
  });

  test('messages count lines of JSON Lines, records of an array, and rows of other tables', () => {
    const rows = [{ a: 1 }, { a: 'x' }];
    const places: [Table, string][] = [
      [parseJsonLines(rows.map((row) => `\n${JSON.stringify(row)}`).join('\n')), 'line 4'],
      [parseJsonLines(JSON.stringify(rows, null, 2)), 'record 2'],
      [makeTable({ source: 'table', names: ['a'], cells: [[1, 'x']] }), 'row 2'],
    ];
    for (const [table, place] of places) {
      assert.throws(() => numbers(table, 'a'), {
        message: new RegExp(`^table, ${place}, column 1 \\("a"\\): "x"`),
      });
      assert.equal(placeOf(table, 1), place);
    }
    assert.equal(placeOf(places[1]![0], 0, 1), 'records 1 and 2');
    assert.equal(placeOf({ lines: Int32Array.of(1, 2) }, 1), 'row 2');
  });

  test('errors in an array name the line in Firefox, and no line in Safari', (t) => {
    const { parse } = JSON;
    const messages = {
      Firefox: 'JSON.parse: unexpected character at line 3 column 1 of the JSON data',
      Safari: 'JSON Parse error: Unexpected identifier "NaN"',
    };
    let message = '';
    t.mock.method(JSON, 'parse', (text: string) => {
      try {
        return parse(text);
      } catch {
        throw new SyntaxError(message);
      }
    });
    const read = () => parseJsonLines('[{"a":1},\n{"a":\nNaN}]', { source: 'f.json' });
    message = messages.Firefox;
    assert.throws(read, { message: 'f.json, line 3: invalid JSON (JSON.parse: unexpected character).' });
    message = messages.Safari;
    assert.throws(read, { message: `f.json: invalid JSON (${message}).` });
  });

  const wrong: Record<string, [string, RegExp]> = {
    'a truncated line': ['{"a":1}\n{"a":', /^f\.jsonl, line 2: invalid JSON \(/],
    'a line that is not an object': [
      '{"a":1}\n[1]',
      /line 2: a row must be an object, got an array\. Write an object such as/,
    ],
    'an array with a syntax error': [
      '[{"a":1},\n{"a":2}\r\n{"a":3}]',
      /^f\.jsonl, line 3: invalid JSON \(Expected ',' or/,
    ],
    'an array with an unexpected token': [
      '[{"a":1},\n{"a":\nNaN},\n{"a":"N"}]',
      /^f\.jsonl, line 3: invalid JSON \(Unexpected token/,
    ],
    'a truncated array': ['[{"a":1},\n{"a":', /^f\.jsonl, line 2: invalid JSON \(/],
    'an array that ends in a string': ['[{"a":1},\n{"a":"b', /^f\.jsonl, line 2: invalid JSON \(/],
    'a record that is not an object': ['[{"a":1}, 7]', /record 2: a row must be an object, got a number/],
    'no rows': ['[]', /f\.jsonl has no rows/],
  };
  for (const [name, [text, message]] of Object.entries(wrong)) {
    test(`rejects ${name}`, () =>
      assert.throws(() => parseJsonLines(text, { source: 'f.jsonl' }), { message, code: 'data' }));
  }
});

describe('Parquet', () => {
  const write = (columnData: Parameters<typeof parquetWriteBuffer>[0]['columnData']) =>
    new Uint8Array(parquetWriteBuffer({ columnData }));

  test('gives the same table of texts, numbers and missing cells', async () => {
    const bytes = write([
      { name: 'place', data: ['Köln', null, 'Łódź'], type: 'STRING' },
      { name: 'sold', data: [1.5, 2, null], type: 'DOUBLE' },
    ]);
    assert.ok(looksLikeParquet(bytes) && !looksLikeParquet(new TextEncoder().encode(csv)));
    assertTable(await parseParquet(bytes));
  });
  test('64-bit integers are numbers, and timestamps are times', async () => {
    const day = new Date(Date.UTC(2024, 0, 2));
    const table = await parseParquet(
      write([
        { name: 'n', data: [12n], type: 'INT64' },
        { name: 't', data: [day], type: 'TIMESTAMP' },
      ]),
    );
    assert.deepEqual([...numbers(table, 'n')], [12]);
    assert.deepEqual(
      table.columns.map(({ kind }) => kind),
      ['number', 'time'],
    );
    assert.equal((table.columns[1]!.cells[0] as Date).getTime(), day.getTime());
  });
  test('rejects a truncated file', async () => {
    const bytes = write([{ name: 'n', data: [1, 2], type: 'INT32' }]);
    await assert.rejects(parseParquet(bytes.subarray(0, bytes.length - 5), { source: 'f.parquet' }), {
      message: /^f\.parquet cannot be read as Parquet/,
      code: 'format',
    });
  });
});
