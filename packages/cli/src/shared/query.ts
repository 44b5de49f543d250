/**
 * `--sql`: a query over a file, run by DuckDB. DuckDB streams the file, so it may be larger than memory; only the rows of
 * the result are loaded. DuckDB is not installed with Unroll and is imported on demand.
 *
 * The query can access only the file, as the table `data`. A saved model contains its query, and running a model from
 * someone else must not read or write other files.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { UnrollError } from '@unroll/core';
import { type Cell, cellOf, decodeText, looksLikeJson, makeTable, parseCsv, type Table } from '@unroll/data';
import { looksLikeParquet } from '@unroll/data/parquet';
import { manifest } from '../version.js';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';
import type { Reading } from './reading-options.js';
import type { Query } from './table-file.js';

/** The used part of @duckdb/node-api, whose own types exist only if it is installed. */
interface DuckDB {
  DuckDBInstance: { create(path: string, settings: Record<string, string>): Promise<Instance> };
}
interface Instance {
  connect(): Promise<Connection>;
  closeSync(): void;
}
interface Connection {
  run(sql: string): Promise<unknown>;
  prepare(sql: string): Promise<{ statementType: number }>;
  stream(sql: string): Promise<{ columnNames(): string[]; yieldRowsJs(): AsyncIterable<unknown[][]> }>;
  closeSync(): void;
}

const DUCKDB = '@duckdb/node-api';
const SELECT = 1;

/**
 * The rows returned by a query.
 * @param query its text, and the number of threads for DuckDB; default: all cores
 * @throws UsageError if DuckDB is not installed, the file cannot be read, or the query is invalid
 */
export async function queryFile(path: string, reading: Reading, query: Query): Promise<Table> {
  const { sql, threads } = query;
  const reader = readerOf(path, reading);
  const { DuckDBInstance } = await loadDuckDB();
  const spill = mkdtempSync(join(tmpdir(), 'unroll-sql-'));
  const settings = {
    temp_directory: spill,
    autoinstall_known_extensions: 'false',
    ...(threads === undefined ? {} : { threads: String(threads) }),
  };
  try {
    const instance = await DuckDBInstance.create(':memory:', settings);
    const connection = await instance.connect();
    try {
      await shutIn(connection, path);
      await connection.run(`create view data as select * from ${reader}`);
      return await resultOf(connection, sql, reading);
    } catch (error) {
      if (error instanceof UnrollError || error instanceof UsageError) throw error;
      throw new UsageError(`--sql: ${shortMessage(error)}`);
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  } finally {
    rmSync(spill, { recursive: true, force: true });
  }
}

async function loadDuckDB(): Promise<DuckDB> {
  try {
    return (await import(DUCKDB)) as DuckDB;
  } catch {
    const wanted = `${DUCKDB}@${manifest().peerDependencies[DUCKDB]}`;
    throw new UsageError(`--sql needs DuckDB, which is not installed: npm install ${wanted}`);
  }
}

async function shutIn(connection: Connection, path: string): Promise<void> {
  await connection.run(`set allowed_paths = [${quoted(resolve(path))}]`);
  await connection.run('set enable_external_access = false');
  await connection.run('set lock_configuration = true');
}

async function resultOf(connection: Connection, sql: string, reading: Reading): Promise<Table> {
  const { statementType } = await connection.prepare(sql);
  if (statementType !== SELECT)
    throw new UsageError('--sql must be a single SELECT query, such as "select * from data".');
  const result = await connection.stream(inFixedOrder(sql));
  const names = result.columnNames();
  const cells = names.map((): (Cell | undefined)[] => []);
  const source = 'the result of --sql';
  for await (const rows of result.yieldRowsJs()) {
    for (const row of rows) {
      for (const [c, value] of row.entries()) cells[c].push(cellOf(value));
    }
  }
  if (!cells[0]?.length) throw new UsageError('--sql: the query returns no rows.');
  const { encoding: _, ...separators } = reading;
  return makeTable({ source, names, cells, ...separators });
}

/** Threads return rows in any order. Runs must be reproducible, so a query without an order gets one. */
function inFixedOrder(sql: string): string {
  const query = sql.replace(/;\s*$/, '');
  return /\border\s+by\b/i.test(query) ? query : `select * from (${query}\n) order by all`;
}

/** DuckDB's error message without its advice on settings. */
function shortMessage(error: unknown): string {
  const lines = String((error as Error).message).split('\n');
  const advice = lines.findIndex((line) => /^(Possible (fixes|solutions)|See also|\s*file ?= ?)/i.test(line));
  const own = (advice < 0 ? lines : lines.slice(0, advice)).filter((line) => line.trim() !== '');
  return own.slice(0, 4).join('\n');
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The spellings of a missing value, for DuckDB's case-sensitive comparison. */
const NO_VALUE =
  "['', 'NA', 'N/A', 'n/a', '#N/A', '#DIV/0!', '#VALUE!', '#REF!', '#NAME?', '#NUM!', '#NULL!', 'NaN', 'nan', 'NULL', 'null', 'None', 'none', '-', '?']";
const HEAD_BYTES = 65_536;

/** The DuckDB function that reads the file, chosen by its first bytes. */
function readerOf(path: string, reading: Reading): string {
  const packed = headOf(path);
  const zipped = packed[0] === 0x1f && packed[1] === 0x8b;
  const head = zipped ? unzippedHead(packed, path) : packed;
  const file = quoted(resolve(path));
  if (looksLikeParquet(head)) return `read_parquet(${file})`;
  const compression = zipped ? ", compression = 'gzip'" : '';
  // A character cut off at the end would be mistaken for another encoding.
  const lastLine = head.lastIndexOf(10);
  // In UTF-16LE a newline is the bytes 10 and 0. In UTF-16BE it is 0 and 10, and the next character may begin with 0.
  const isWide = head[lastLine + 1] === 0 && head[lastLine - 1] !== 0;
  const { text, encoding } = decodeText(
    lastLine < 0 ? head : head.subarray(0, lastLine + (isWide ? 2 : 1)),
    path,
    reading.encoding,
  );
  if (looksLikeJson(text)) return `read_json_auto(${file}${compression})`;
  const read = READABLE[encoding.toLowerCase()];
  if (read === undefined)
    throw new UsageError(
      `--sql reads UTF-8, UTF-16 and Windows-1252, got ${encoding} in ${path}. Convert the file to UTF-8 first.`,
    );
  const { decimal = decimalOf(text, reading) } = reading;
  return `read_csv(${file}${compression}, nullstr = ${NO_VALUE}, encoding = '${read}', decimal_separator = '${decimal}')`;
}

/** Encodings and their DuckDB names. */
const READABLE: Readonly<Record<string, string>> = {
  ...{ 'utf-8': 'utf-8', utf8: 'utf-8', 'utf-16': 'utf-16', 'utf-16le': 'utf-16' },
  ...{ 'windows-1252': 'latin-1', latin1: 'latin-1', 'iso-8859-1': 'latin-1' },
};

function headOf(path: string): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = new Uint8Array(HEAD_BYTES);
    return bytes.subarray(0, readSync(file, bytes));
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function unzippedHead(bytes: Uint8Array, path: string): Uint8Array {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    throw new UsageError(`${path}: the gzip file is damaged and cannot be decompressed.`);
  }
}

/** Decimal point or comma, from the first rows. DuckDB reports any other problem. */
function decimalOf(text: string, { thousands }: Reading): '.' | ',' {
  try {
    return parseCsv(text, { ...(thousands && { thousands }) }).decimal;
  } catch {
    return '.';
  }
}
