// --sql: a query over a file with DuckDB, which the workspace does not install. Without DuckDB, only the error message is
// tested.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { queryFile } from '@unroll/cli/internal';
import { type Cell, column } from '@unroll/data';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { QUICK, useTempFolder } from './helpers.js';

const temp = useTempFolder();
const { unroll } = temp;
const file = (name: string) => readFileSync(join(temp.folder, name), 'utf8');

const { resolve } = createRequire(import.meta.url);
const manifest = new URL('../../package.json', import.meta.url);
const [[DUCKDB, VERSION]] = Object.entries(
  JSON.parse(readFileSync(manifest, 'utf8')).peerDependencies as Record<string, string>,
) as [[string, string]];
const INSTALL = `npm install ${DUCKDB}@${VERSION}`;

function isInstalled(): boolean {
  try {
    resolve(DUCKDB);
    return true;
  } catch {
    return false;
  }
}

/** Forty days of two shops, with two rows per day and shop. The sum of the sales of day d is 8 d + 3 (d mod 7) + 6. */
const sales = Array.from({ length: 160 }, (_, i) => {
  const [day, shop, half] = [i >> 2, (i >> 1) & 1, i & 1];
  return {
    day: new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10),
    shop: 'AB'[shop]!,
    sold: 2 * day + 3 * shop + (half ? 3 * (day % 7) * shop : 0),
  };
});
const unitsOn = (d: number) => 8 * d + 3 * (d % 7) + 6;
const SUM = 'select day, sum(sold) as units from data group by day';
const WEEK = ['--target', 'units', '--horizon', '7', ...QUICK];

before(() => {
  const csv = ['day,shop,sold', ...sales.map((row) => Object.values(row).join())].join('\n');
  const jsonl = sales.map((row) => JSON.stringify(row)).join('\n');
  const german = csv.replaceAll(',', ';').replace(/;(\d+)$/gm, ';$1,0');
  const columnData = (['day', 'shop', 'sold'] as const).map((name) => ({
    name,
    data: sales.map((row) => row[name]),
  }));
  const files: Record<string, string | Uint8Array> = {
    'sales.csv': csv,
    'sales.csv.gz': gzipSync(csv),
    'sales.jsonl': jsonl,
    'sales.json.gz': gzipSync(`[${jsonl.replaceAll('\n', ',')}]`),
    'sales.parquet': new Uint8Array(parquetWriteBuffer({ columnData })),
    'german.csv': german,
    'utf16.csv': Buffer.from(`\uFEFF${csv}`, 'utf16le'),
    'gaps.csv': csv.replace(/,A,0\n/, ',A,NA\n').replace(/,A,2\n/, ',A,-\n'),
    "it's.csv": csv,
    // The result of the query.
    'sums.csv': [
      'day,units',
      ...Array.from({ length: 40 }, (_, d) => `${sales[4 * d]!.day},${unitsOn(d)}`),
    ].join('\n'),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(temp.folder, name), content);
});

test('without DuckDB, the error says what to install', {
  skip: isInstalled() && 'DuckDB is installed here',
}, async () => {
  const { code, stderr } = await unroll(['forecast', 'sales.csv', '--sql', SUM, ...WEEK]);
  assert.equal(stderr, `unroll: --sql needs DuckDB, which is not installed: ${INSTALL}\n`);
  assert.equal(code, 2);
});

describe('with DuckDB', { skip: !isInstalled() && INSTALL.replace('install', 'install --no-save') }, () => {
  const rows = async (name: string, sql: string, threads?: number): Promise<Cell[][]> =>
    (await queryFile(join(temp.folder, name), {}, { sql, ...(threads && { threads }) })).columns.map(
      ({ cells }) => [...cells],
    );

  const sources = [
    'sales.csv',
    'sales.csv.gz',
    'sales.jsonl',
    'sales.json.gz',
    'sales.parquet',
    'german.csv',
  ];
  for (const name of [...sources, 'utf16.csv', "it's.csv"]) {
    test(`reads ${name}`, async () => {
      const [day, units] = await rows(name, SUM);
      assert.deepEqual(
        day!.map((cell) => (cell instanceof Date ? cell.toISOString().slice(0, 10) : cell)),
        Array.from({ length: 40 }, (_, d) => sales[4 * d]!.day),
      );
      assert.deepEqual(
        units,
        Array.from({ length: 40 }, (_, d) => unitsOn(d)),
      );
    });
  }

  test('forecasts the result of the query; the model repeats the query or runs another one', async () => {
    assert.equal((await unroll(['forecast', 'sums.csv', ...WEEK, '--quiet', '--out', 'sums'])).code, 0);
    const run = await unroll(['forecast', 'sales.csv.gz', '--sql', SUM, ...WEEK, '--quiet', '--out', 'sql']);
    assert.deepEqual(run, { code: 0, stdout: '', stderr: '' });
    const forecast = file('sums/forecast.csv');
    assert.equal(file('sql/forecast.csv'), forecast);
    const same = await unroll(['predict', 'sql/model', '--data', 'sales.parquet']);
    assert.deepEqual([same.code, same.stdout], [0, forecast]);
    assert.equal(same.stderr, 'The query "select day, sum(sold) as units from dat…" returns 40 rows.\n');
    const other = await unroll(['predict', 'sql/model', '--data', 'sums.csv', '--sql', 'from data']);
    assert.deepEqual([other.code, other.stdout], [0, forecast]);
    const wrong = await unroll(['predict', 'sql/model', '--data', 'sums.csv']);
    assert.match(wrong.stderr, /^unroll: --sql: Binder Error: Referenced column "sold" not found/);
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  });

  test('reads notations of a missing value as missing', async () => {
    assert.deepEqual(
      await rows('gaps.csv', "select sold from data where day <= '2024-01-02' and shop = 'A'"),
      [[0, 2, null, null]],
    );
  });

  test('the row order does not depend on the number of threads, and follows "order by"', async () => {
    const sql = 'select sold, shop, day from data';
    const [one, two] = [await rows('sales.csv', sql, 1), await rows('sales.csv', sql, 2)];
    assert.deepEqual(one, two);
    assert.deepEqual(
      one[0],
      sales.map(({ sold }) => sold).sort((a, b) => a - b),
    );
    const [days] = await rows('sales.csv', 'select shop from data order by shop desc, day; ');
    assert.deepEqual([days![0], days!.at(-1)], ['B', 'A']);
  });

  test('a column of lists cannot be read as numbers', async () => {
    const query = { sql: 'select [sold] as units from data' };
    const table = await queryFile(join(temp.folder, 'sales.csv'), {}, query);
    assert.throws(
      () => column(table, 'units'),
      /column 1 \("units"\): a cell must hold a number, text or time/,
    );
  });

  const mistakes: Record<string, [string, RegExp]> = {
    'a query that does not parse': ['selec 1', /^--sql: Parser Error: syntax error at or near "selec"/],
    'an unknown column': ['select x from data', /Binder Error: Referenced column "x" not found/],
    'a value that cannot be converted': [
      'select shop::int as units from data',
      /Conversion Error: Could not convert string '[AB]' to INT32/,
    ],
    'two queries': ['select 1; select 2', /Cannot prepare multiple statements at once/],
    'a statement that is not a query': [
      'create table t as from data',
      /^--sql must be a single SELECT query, such as "select \* from data"/,
    ],
    'no rows': ['select * from data where false', /^--sql: the query returns no rows/],
    'a query of another file': ["select * from 'sums.csv'", /Cannot access file "sums\.csv"/],
    'a statement that writes a file': ["copy data to 'out.csv'", /Cannot access file "out\.csv"/],
    'a statement that changes a setting': [
      'set enable_external_access = true',
      /^--sql must be a single SELECT query/,
    ],
  };
  for (const [name, [sql, message]] of Object.entries(mistakes)) {
    test(`reports ${name} in a few lines`, async () => {
      await assert.rejects(rows('sales.csv', sql), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.split('\n').length <= 4, error.message);
        return true;
      });
    });
  }
});
