/** Reads clips that a column of a table names: folders of images, animated GIFs, and NumPy arrays. */
import { createHash, type Hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { column, locationOf, type Table } from '@unroll/data';
import type * as Images from '@unroll/data/images';
import type { Clip, ClipFile } from '@unroll/tasks';
import { UsageError } from './args.js';
import { reasonOf } from './files.js';
import type { ReadOptions } from './reading-options.js';
import { type FileTable, type Query, readRows } from './table-file.js';

const IMAGE = /\.(png|jpe?g)$/i;
const KINDS = 'a folder of PNG or JPEG files, a GIF, or an array in .npz or .npy';

/**
 * Reads a table and opens the clips that a column names, relative to the folder of the table. Images are decoded when they
 * are used.
 * @param frames name of the column
 * @throws UsageError if a file or folder cannot be read, UnrollError if the table is invalid
 */
export async function readClipTable(
  path: string,
  frames: string,
  { reading = {}, query }: { reading?: ReadOptions; query?: Query | undefined } = {},
): Promise<FileTable> {
  const { table, notes, fingerprint } = await readRows(path, reading, query);
  return withClips(table, frames, dirname(path), notes, fingerprint);
}

/** Replaces the paths in a column by the clips. The fingerprint covers the table and all files. */
async function withClips(
  table: Table,
  name: string,
  folder: string,
  notes: string[],
  tableFingerprint: string,
): Promise<FileTable> {
  const { name: columnName, cells, position } = column(table, name);
  const hash = createHash('sha256').update(tableFingerprint);
  const opened = new Map<string, Clip>();
  const clips: Clip[] = [];
  for (const [row, cell] of cells.entries()) {
    const location = `${locationOf(table, row)}, column ${position} ("${name}")`;
    const source = cell === null ? '' : String(cell).trim();
    if (source === '') throw new UsageError(`${location}: the path of the clip is missing.`);
    const path = isAbsolute(source) ? source : join(folder, source);
    const clip = opened.get(path) ?? (await openClip(path, source, { location, hash }));
    opened.set(path, clip);
    clips.push(clip);
  }
  const columns = table.columns.map((original) =>
    original.name === columnName
      ? { ...original, cells: cells.map(() => null), firstNestedRow: 0, values: clips }
      : original,
  );
  return { table: { ...table, columns }, notes, fingerprint: hash.digest('hex') };
}

/**
 * Opens a folder of images, a GIF or an array.
 * @param source the name of the clip in messages
 * @throws UsageError if the clip cannot be read, is not one of these, or has no frames
 */
export async function openClip(
  path: string,
  source = path,
  { location, hash }: { location?: string; hash?: Hash } = {},
): Promise<Clip> {
  const fail = (problem: string) =>
    new UsageError(location === undefined ? problem : `${location}: ${problem}`);
  const images = await import('@unroll/data/images'); // Only if needed, to start faster.
  hash?.update(source);
  try {
    if (statSync(path).isDirectory()) {
      const files = imagesIn(path);
      if (files.length === 0) throw fail(`${path}: the folder has no PNG or JPEG files.`);
      for (const file of hash === undefined ? [] : files)
        hash?.update(file).update(readFileSync(join(path, file)));
      return folderClip(path, source, files, images);
    }
    const bytes = new Uint8Array(readFileSync(path));
    hash?.update(bytes);
    if (images.looksLikeGif(bytes)) return gifClip(bytes, source, images);
    if (/\.np[zy]$/i.test(path)) return await arrayClip(bytes, source);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const isFileSystemError = (error as NodeJS.ErrnoException).syscall !== undefined;
    throw fail(
      isFileSystemError ? `${path}: ${reasonOf(error, 'cannot be read')}.` : (error as Error).message,
    );
  }
  throw fail(`${path}: a clip must be ${KINDS}.`);
}

/** Returns the names of the images in a folder, sorted by the numbers in the names: frame2.png precedes frame10.png. */
const imagesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => IMAGE.test(name) && !name.startsWith('.'))
    .sort(new Intl.Collator('en', { numeric: true }).compare);

const folderClip = (
  path: string,
  source: string,
  files: string[],
  { readImage }: typeof Images,
): ClipFile => ({
  source,
  count: files.length,
  *frames(indices) {
    for (const index of indices)
      yield readImage(readFile(join(path, files[index])), { source: join(source, files[index]) });
  },
});

function readFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
}

function gifClip(bytes: Uint8Array, source: string, { readGif }: typeof Images): ClipFile {
  const { count, frames } = readGif(bytes, { source });
  return {
    ...{ source, count },
    *frames(indices) {
      const wanted = new Set(indices);
      let index = 0;
      for (const frame of frames()) {
        if (wanted.has(index)) yield frame;
        if (index++ === indices.at(-1)) return;
      }
    },
  };
}

/** Reads the only array of a file. Unsigned 8-bit integers are pixels; other values are used unchanged. */
async function arrayClip(bytes: Uint8Array, source: string): Promise<Clip> {
  const { bytesSource, readNpz } = await import('@unroll/formats/convert');
  const arrays = [...(await readNpz(bytesSource(bytes, source)))];
  if (arrays.length !== 1) {
    const names = arrays.map(([name]) => name).join(', ');
    throw new UsageError(
      `${source}: the file must have one array, got ${arrays.length}${names && ` (${names})`}.`,
    );
  }
  const [, { shape, values, dtype }] = arrays[0];
  return { source, shape, values: dtype === 'u1' ? Uint8Array.from(values) : Float32Array.from(values) };
}
