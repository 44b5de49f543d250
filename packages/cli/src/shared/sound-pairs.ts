/** Reads the table of `unroll evaluate --verification`: pairs of WAV files, and whether they have the same label. */
import { dirname, isAbsolute, join } from 'node:path';
import { type Column, findColumn, locationOf } from '@unroll/data';
import type { SoundFile, SoundPair } from '@unroll/tasks';
import { UsageError } from './args.js';
import type { ReadOptions } from './reading-options.js';
import { readSoundFile } from './sound-files.js';
import { readRows } from './table-file.js';

const SAME_COLUMN = 'same';
/** The meaning of the cells in the column "same". */
const SAME_VALUES: Readonly<Record<string, boolean>> = {
  ...{ 1: true, true: true, yes: true },
  ...{ 0: false, false: false, no: false },
};

/**
 * Reads the pairs in a table. A file that occurs several times is read once.
 * @throws UsageError if the table does not have exactly two columns besides "same", if a cell of "same" is not 1, 0
 * or a synonym, or if a file cannot be read; UnrollError if the column "same" is missing
 */
export async function readSoundPairs(
  path: string,
  reading: ReadOptions,
): Promise<{ pairs: SoundPair[]; notes: string[] }> {
  const { table, notes } = await readRows(path, reading);
  const same = findColumn(table, SAME_COLUMN);
  const paths = table.columns.filter(({ name }) => name !== same.name);
  if (paths.length !== 2)
    throw new UsageError(
      `${path}: the table must have two columns with paths and the column "${SAME_COLUMN}", got ${table.columns.length} columns.`,
    );
  const files = new Map<string, SoundFile>();
  const cellLocation = (row: number, { position, name }: Column): string =>
    `${locationOf(table, row)}, column ${position} ("${name}")`;
  const fileOf = (row: number, column: Column): SoundFile => {
    const source = String(column.cells[row] ?? '').trim();
    if (source === '')
      throw new UsageError(`${cellLocation(row, column)}: the path of a WAV file is missing.`);
    const full = isAbsolute(source) ? source : join(dirname(path), source);
    const file = files.get(full) ?? { ...readSoundFile(full), source };
    files.set(full, file);
    return file;
  };
  const pairs = same.cells.map((cell, row): SoundPair => {
    const isSame =
      SAME_VALUES[
        String(cell ?? '')
          .trim()
          .toLowerCase()
      ];
    if (isSame === undefined)
      throw new UsageError(
        `${cellLocation(row, same)}: the cell must be 1 or 0, got ${JSON.stringify(cell)}.`,
      );
    return { first: fileOf(row, paths[0]), second: fileOf(row, paths[1]), same: isSame };
  });
  return { pairs, notes };
}
