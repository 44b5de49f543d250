/** Files in and out: every failure that lies with the user's path is told in one line. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from './args.js';

/**
 * The text of a file.
 * @throws UsageError when it cannot be read or is not text
 */
export function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
  if (bytes.subarray(0, 8192).includes(0)) {
    throw new UsageError(`${path} is not a text file: it holds zero bytes. A CSV file in UTF-8 is needed.`);
  }
  return bytes.toString('utf8');
}

function reasonOf(error: unknown, otherwise: string): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'this is a folder, and a file is needed';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'a file stands where a folder is needed';
  if (code === 'EROFS') return 'the file system is read-only';
  if (code === 'ENOSPC') return 'the disk is full';
  return `${otherwise} (${code ?? String(error)})`;
}

/**
 * Makes sure, before long work, that files can be written into a folder that may not exist yet. Creates nothing.
 * @throws UsageError when they cannot
 */
export function checkWritable(folder: string): void {
  let nearestFolder = resolve(folder);
  while (!existsSync(nearestFolder)) nearestFolder = dirname(nearestFolder);
  if (!statSync(nearestFolder).isDirectory()) {
    throw new UsageError(`--out ${folder}: ${nearestFolder} is a file, and a folder is needed.`);
  }
  try {
    accessSync(nearestFolder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`--out ${folder}: ${reasonOf(error, 'cannot be written to')}.`);
  }
}

/**
 * Writes a file whole or not at all: into a temporary file beside it, which then takes its name.
 * @throws UsageError when the folder cannot be made or written to
 */
export function writeAtomically(folder: string, name: string, content: string): string {
  const path = join(folder, name);
  const temporary = join(folder, `.${name}.${process.pid}.tmp`);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(temporary, content);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be written')}.`);
  }
  return path;
}

/** One line of CSV: fields with separators, quotes or line breaks are quoted. */
export function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => (/[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}\n`;
}
