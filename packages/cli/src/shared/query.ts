/**
 * Runs the query of `--sql` over a file with DuckDB. DuckDB streams the file, so the file may be larger than memory; only
 * the rows of the result are loaded. DuckDB is an optional dependency and is imported on demand.
 *
 * The query can access only this file, as the table `data`: saved models contain their query, and a model from someone
 * else must not read or write other files.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { UnrollError } from '@unroll/core';
import {
  type Cell,
  cellOf,
  decodeText,
  looksLikeJson,
  looksLikeParquet,
  makeTable,
  parseCsv,
  type Table,
} from '@unroll/data';
import { manifest } from '../version.js';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';
import type { ReadOptions } from './reading-options.js';
import type { Query } from './table-file.js';

/** The types of @duckdb/node-api that are used here. The package may not be installed. */
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
/** DuckDB's statement type of a SELECT. */
const SELECT = 1;

/**
 * Runs a query over a file and returns the resulting rows.
 * @param query the SQL, and the number of DuckDB's threads (default: all cores)
 * @throws UsageError if DuckDB is not installed, the file cannot be read, or the query is invalid
 */
export async function queryFile(path: string, reading: ReadOptions, query: Query): Promise<Table> {
  const { sql, threads } = query;
  const reader = readerOf(path, reading);
  const { DuckDBInstance } = await loadDuckDB();
  const spillFolder = mkdtempSync(join(tmpdir(), 'unroll-sql-'));
  const settings = {
    temp_directory: spillFolder,
    autoinstall_known_extensions: 'false',
    ...(threads === undefined ? {} : { threads: String(threads) }),
  };
  try {
    const instance = await DuckDBInstance.create(':memory:', settings);
    const connection = await instance.connect();
    try {
      await restrictAccess(connection, path);
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
    rmSync(spillFolder, { recursive: true, force: true });
  }
}

async function loadDuckDB(): Promise<DuckDB> {
  try {
    return (await import(DUCKDB)) as DuckDB;
  } catch {
    const version = `${DUCKDB}@${manifest().peerDependencies[DUCKDB]}`;
    throw new UsageError(`--sql needs DuckDB, which is not installed: npm install ${version}`);
  }
}

/** Allows the query to read only this file. */
async function restrictAccess(connection: Connection, path: string): Promise<void> {
  await connection.run(`set allowed_paths = [${quoted(resolve(path))}]`);
  await connection.run('set enable_external_access = false');
  await connection.run('set lock_configuration = true');
}

async function resultOf(connection: Connection, sql: string, reading: ReadOptions): Promise<Table> {
  const { statementType } = await connection.prepare(sql);
  if (statementType !== SELECT)
    throw new UsageError('--sql must be a single SELECT query, such as "select * from data".');
  const result = await connection.stream(withOrder(sql));
  const names = result.columnNames();
  const cells = names.map((): (Cell | undefined)[] => []);
  const source = 'the result of --sql';
  for await (const rows of result.yieldRowsJs()) {
    for (const row of rows) {
      for (const [c, value] of row.entries()) cells[c].push(cellOf(value));
    }
  }
  if (!cells[0]?.length) throw new UsageError('--sql: the query returns no rows.');
  const { encoding: _, header: __, ...separators } = reading;
  return makeTable({ source, names, cells, ...separators });
}

/** Orders the rows of a query without ORDER BY, because DuckDB's threads return them in random order. */
function withOrder(sql: string): string {
  const query = sql.replace(/;\s*$/, '');
  return /\border\s+by\b/i.test(query) ? query : `select * from (${query}\n) order by all`;
}

/** Returns DuckDB's error message without its advice on settings. */
function shortMessage(error: unknown): string {
  const lines = String((error as Error).message).split('\n');
  const advice = lines.findIndex((line) => /^(Possible (fixes|solutions)|See also|\s*file ?= ?)/i.test(line));
  const messageLines = (advice < 0 ? lines : lines.slice(0, advice)).filter((line) => line.trim() !== '');
  return messageLines.slice(0, 4).join('\n');
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Texts that mean a missing value. DuckDB's comparison is case-sensitive. */
const MISSING_VALUES =
  "['', 'NA', 'N/A', 'n/a', '#N/A', '#DIV/0!', '#VALUE!', '#REF!', '#NAME?', '#NUM!', '#NULL!', 'NaN', 'nan', 'NULL', 'null', 'None', 'none', '-', '?']";
/** Number of bytes that are read from the start of a file to detect its format. */
const HEAD_BYTES = 65_536;

/** Returns the call of the DuckDB function that reads the file, chosen by the first bytes of the file. */
function readerOf(path: string, reading: ReadOptions): string {
  const firstBytes = readHead(path);
  const isGzip = firstBytes[0] === 0x1f && firstBytes[1] === 0x8b;
  const head = isGzip ? unzipHead(firstBytes, path) : firstBytes;
  const file = quoted(resolve(path));
  if (looksLikeParquet(head)) return `read_parquet(${file})`;
  const compression = isGzip ? ", compression = 'gzip'" : '';
  // Only complete lines are decoded: a truncated character at the end would look like another encoding.
  const lastNewline = head.lastIndexOf(10);
  // In UTF-16LE a newline is the bytes 10 and 0. In UTF-16BE a newline is the bytes 0 and 10, and the next character may begin with 0.
  const isUtf16le = head[lastNewline + 1] === 0 && head[lastNewline - 1] !== 0;
  const { text, encoding } = decodeText(
    lastNewline < 0 ? head : head.subarray(0, lastNewline + (isUtf16le ? 2 : 1)),
    path,
    reading.encoding,
  );
  if (looksLikeJson(text)) return `read_json_auto(${file}${compression})`;
  const duckdbEncoding = DUCKDB_ENCODINGS[encoding.toLowerCase()];
  if (duckdbEncoding === undefined)
    throw new UsageError(
      `--sql reads only files in UTF-8, UTF-16 or Windows-1252, got ${encoding} in ${path}. Convert the file to UTF-8 first.`,
    );
  const { decimal = detectDecimal(text, reading) } = reading;
  return `read_csv(${file}${compression}, nullstr = ${MISSING_VALUES}, encoding = '${duckdbEncoding}', decimal_separator = '${decimal}')`;
}

/** DuckDB's names of the encodings that it can read. */
const DUCKDB_ENCODINGS: Readonly<Record<string, string>> = {
  ...{ 'utf-8': 'utf-8', utf8: 'utf-8', 'utf-16': 'utf-16', 'utf-16le': 'utf-16' },
  ...{ 'windows-1252': 'latin-1', latin1: 'latin-1', 'iso-8859-1': 'latin-1' },
};

function readHead(path: string): Uint8Array {
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

function unzipHead(bytes: Uint8Array, path: string): Uint8Array {
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    throw new UsageError(`${path}: the gzip file is damaged and cannot be decompressed.`);
  }
}

/** Detects the decimal separator in the first rows. If the rows cannot be parsed, DuckDB reports the problem. */
function detectDecimal(text: string, { thousands }: ReadOptions): '.' | ',' {
  try {
    return parseCsv(text, { ...(thousands && { thousands }) }).decimal;
  } catch {
    return '.';
  }
}
