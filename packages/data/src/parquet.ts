/**
 * Reads tables from Parquet files with hyparquet. This module has its own entry point, so that other bundles do not
 * contain the Parquet reader.
 */
import { UnrollError } from '@unroll/core';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { cellOf, makeTable, type Table } from './table.js';

export { looksLikeParquet } from './looks-like-parquet.js';

/**
 * Reads the bytes of a Parquet file as a table. Error messages number the rows from 1 and name `source`.
 * @throws UnrollError `format` if the file cannot be read, `data` if it has no rows
 */
export async function parseParquet(bytes: Uint8Array, options: { source?: string } = {}): Promise<Table> {
  const source = options.source ?? 'table';
  const file = Uint8Array.from(bytes).buffer;
  let rows: Record<string, unknown>[];
  try {
    rows = await parquetReadObjects({ file, compressors });
  } catch (error) {
    throw new UnrollError('format', `${source} cannot be read as Parquet: ${(error as Error).message}.`, {
      source,
    });
  }
  if (rows.length === 0) throw new UnrollError('data', `${source} has no rows.`, { source });
  const names = Object.keys(rows[0]);
  const cells = names.map((name) => rows.map((row) => cellOf(row[name])));
  const nested = new Map(names.map((name) => [name, rows.map((row) => row[name])]));
  return makeTable({ source, names, cells, nested });
}
