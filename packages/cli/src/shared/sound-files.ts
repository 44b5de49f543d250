/** Reads the WAV files that a column of a table names, or all WAV files in a folder. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import { type Cell, column, locationOf, makeTable, type Table } from '@unroll/data';
import type { SoundFile } from '@unroll/tasks';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';
import type { ReadOptions } from './reading-options.js';
import { type FileTable, type Query, readRows } from './table-file.js';

/** Name of the column with the paths if the data are a folder of WAV files. */
export const FOLDER_COLUMN = 'audio';

export interface SoundTableOptions {
  /** Name of the column with the paths. */
  audio: string;
  /** The pattern of the file names in a folder. Default: any name. */
  pattern?: string | undefined;
  reading?: ReadOptions;
  /** Query over the table. */
  query?: Query | undefined;
}

/** True if a path is a folder. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // missing, or below a file
  }
}

/**
 * Reads a table and the WAV files that a column names, relative to the folder of the table; or all WAV files in a folder.
 * @throws UsageError if a file cannot be read, UnrollError if the table is invalid
 */
export async function readSoundTable(path: string, options: SoundTableOptions): Promise<FileTable> {
  const { audio, pattern, reading = {}, query } = options;
  if (isFolder(path)) return withSounds(folderTable(path, audio, pattern), audio, path, []);
  if (pattern !== undefined)
    throw new UsageError(`--pattern needs a folder of WAV files, but ${path} is not a folder.`);
  const { table, notes, fingerprint } = await readRows(path, reading, query);
  return withSounds(table, audio, dirname(path), notes, fingerprint);
}

/**
 * Checks the options for training data with sounds.
 * @param options.audio the column of --audio @param options.other a column of inputs that are not sounds
 * @throws UsageError if the data are a folder and --pattern is missing or a column of inputs is given, or if the data are not a
 * folder and --pattern is given
 */
export function checkSoundData(options: {
  path: string;
  pattern: string | undefined;
  audio: string | undefined;
  other?: string | undefined;
}): void {
  const { path, pattern, audio, other } = options;
  if (!isFolder(path)) {
    if (pattern !== undefined)
      throw new UsageError(`--pattern needs a folder of WAV files, but ${path} is not a folder.`);
    return;
  }
  if (other !== undefined || (audio ?? FOLDER_COLUMN) !== FOLDER_COLUMN)
    throw new UsageError(
      '--data is a folder of WAV files, which are the inputs. Omit --audio and any other option that names a column of inputs.',
    );
  if (pattern === undefined)
    throw new UsageError(
      '--pattern is required for a folder, to read columns from the file names. Example: "{label}_{take}.wav".',
    );
}

/** Replaces the paths in a column by the files. The fingerprint covers the table and all files. */
function withSounds(
  table: Table,
  name: string,
  folder: string,
  notes: string[],
  tableFingerprint = '',
): FileTable {
  const { name: columnName, cells, position } = column(table, name);
  const hash = createHash('sha256').update(tableFingerprint);
  const sounds = cells.map((cell, row): SoundFile => {
    const location = `${locationOf(table, row)}, column ${position} ("${name}")`;
    const source = cell === null ? '' : String(cell).trim();
    if (source === '') throw new UsageError(`${location}: the path of a WAV file is missing.`);
    const path = isAbsolute(source) ? source : join(folder, source);
    try {
      const bytes = readFileSync(path);
      hash.update(source).update(bytes);
      return { source, bytes };
    } catch (error) {
      throw new UsageError(`${location}: ${path}: ${reasonOf(error, 'cannot be read')}.`);
    }
  });
  const columns = table.columns.map((original) =>
    original.name === columnName
      ? { ...original, cells: cells.map(() => null), firstNestedRow: 0, values: sounds }
      : original,
  );
  return { table: { ...table, columns }, notes, fingerprint: hash.digest('hex') };
}

/** Reads one WAV file; `-` is stdin. @throws UsageError if it cannot be read */
export function readSoundFile(path: string): SoundFile {
  const source = path === '-' ? 'stdin' : path;
  try {
    return { source, bytes: readFileSync(path === '-' ? 0 : path) };
  } catch (error) {
    throw new UsageError(`${source}: ${reasonOf(error, 'cannot be read')}.`);
  }
}

/**
 * Returns a table of the WAV files in a folder and its subfolders, sorted by name. It has a column with the paths and a column
 * for each field of the pattern.
 * @throws UsageError if there are no WAV files, or if one does not match the pattern
 */
function folderTable(folder: string, audio: string, pattern = '{*}'): Table {
  const { fields, matches } = parsePattern(pattern, audio);
  const files = readdirSync(folder, { recursive: true })
    .map((name) => String(name).split(sep).join('/'))
    .filter((name) => /\.wav$/i.test(name) && !isFolder(join(folder, name)))
    .sort();
  if (files.length === 0) throw new UsageError(`${folder}: the folder has no WAV files.`);
  const values = files.map((name) => {
    const found = matches(name);
    if (found !== null) return found;
    throw new UsageError(`${join(folder, name)}: the name does not match --pattern "${pattern}".`);
  });
  const cells: Cell[][] = [files, ...fields.map((_, f) => values.map((fieldValues) => fieldValues[f]))];
  return makeTable({ source: basename(folder), names: [audio, ...fields], cells });
}

/**
 * Parses a pattern such as `{label}_{speaker}_{take}.wav`; `{*}` has no fields and matches any path. A pattern
 * without / is matched against the file name alone, without the folders of the path.
 */
function parsePattern(
  pattern: string,
  audio: string,
): {
  fields: string[];
  matches: (name: string) => string[] | null;
} {
  if (pattern === '{*}') return { fields: [], matches: () => [] };
  const parts = pattern.split(/\{([^{}]*)\}/);
  const fields = parts.filter((_, i) => i % 2 === 1);
  const wrong = fields.find((field, i) => field === '' || field === audio || fields.indexOf(field) < i);
  if (fields.length === 0 || wrong !== undefined) {
    const problem =
      wrong === undefined
        ? 'must have fields such as {label}'
        : `must have a different name in each pair of braces, neither empty nor "${audio}", got "{${wrong}}"`;
    throw new UsageError(`--pattern ${problem}. Example: "{label}_{speaker}_{take}.wav".`);
  }
  const source = parts.map((part, i) =>
    i % 2 === 1 ? '([^/]+?)' : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'),
  );
  const regex = new RegExp(`^${source.join('')}$`);
  const includesFolders = pattern.includes('/');
  return {
    fields,
    matches: (name) =>
      regex.exec(includesFolders ? name : name.slice(name.lastIndexOf('/') + 1))?.slice(1) ?? null,
  };
}
