/** Writes files, and describes failed file operations in one line. */
import { existsSync, lstatSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { createFolder } from '@unroll/core/node';
import { UsageError } from './args.js';

/**
 * Describes why a file operation failed.
 * @param otherwise the description for any other error code
 * @param shownPath the path that stands before the description in the message. Default: the path of the error
 */
export function reasonOf(error: unknown, otherwise: string, shownPath?: string): string {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'file not found';
  if (code === 'EISDIR') return 'this is a folder, expected a file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    const file = path === undefined ? path : nearestExisting(path);
    const isBrokenLink = file !== undefined && statSync(file, { throwIfNoEntry: false }) === undefined;
    return `${file === (shownPath ?? path) ? 'this' : file} is a ${isBrokenLink ? 'link to a missing' : 'file, expected a'} folder`;
  }
  if (code === 'EROFS') return 'the file system is read-only';
  if (code === 'ENOSPC') return 'the disk is full';
  return `${otherwise} (${code ?? String(error)})`;
}

/**
 * Returns the path itself if it is a file, a folder or a link (even a broken one), otherwise its nearest parent that is one of
 * these. If there is none, because the drive is missing, returns the root of the drive.
 */
function nearestExisting(path: string): string {
  const parent = dirname(path);
  return existsSync(path) || isLink(path) || parent === path ? path : nearestExisting(parent);
}

/** Returns whether the path is a symbolic link, even a broken one. */
function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/**
 * Checks that files with these names can be written to a folder, which may not exist yet. Commands call this before a long
 * run.
 * @param option the option that names the folder
 * @throws UsageError if a file cannot be written
 */
export function checkWritable(folder: string, names: readonly string[], option = '--out'): void {
  for (const path of new Set([folder, ...names.map((name) => dirname(join(folder, name)))])) {
    checkFolder(path, option);
  }
  for (const name of names) {
    const path = join(folder, name);
    if (existsSync(path) && statSync(path).isDirectory()) {
      throw new UsageError(`${path}: this is a folder, expected a file.`);
    }
  }
}

/** Checks a folder by writing a file: pseudo file systems such as /proc grant write access but reject new files. */
function checkFolder(folder: string, option: string): void {
  const nearestFolder = nearestExisting(resolve(folder));
  const found = statSync(nearestFolder, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new UsageError(`${option} ${folder}: ${nearestFolder} is missing or a link to a missing folder.`);
  }
  if (!found.isDirectory()) {
    throw new UsageError(`${option} ${folder}: ${nearestFolder} is a file, expected a folder.`);
  }
  // The same name in all runs: a run removes the file of a run that was killed here, and runs in parallel share it.
  const probe = join(nearestFolder, '.unroll.tmp');
  try {
    writeFileSync(probe, '');
    rmSync(probe, { force: true });
  } catch (error) {
    throw new UsageError(`${option} ${folder}: ${reasonNotWritten(error, nearestFolder)}.`);
  }
}

/** Describes why a file or folder cannot be created. ENOENT then means that its parent folder accepts no new files. */
function reasonNotWritten(error: unknown, path: string): string {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return reasonOf(error, 'cannot be written', path);
  return `no files can be created in ${nearestExisting(resolve(path))}`;
}

/** Contents of files by name; names may include folders (`model/config.json`). */
export type FileContents = ReadonlyMap<string, string | Uint8Array>;

/**
 * Writes files under temporary names, flushes them to disk, and then renames them, so no file is ever incomplete, even after a
 * power failure.
 * @param stale names of files of an earlier run, which are deleted
 * @throws UsageError if the folder cannot be created or written to
 */
export function writeAtomically(folder: string, files: FileContents, stale: readonly string[] = []): void {
  const temporary = (name: string) => join(folder, dirname(name), `.${basename(name)}.tmp`);
  let path = folder;
  const started: string[] = [];
  try {
    for (const [name, content] of files) {
      path = dirname(join(folder, name));
      createFolder(path);
      path = join(folder, name);
      started.push(temporary(name));
      writeFileSync(temporary(name), content, { flush: true });
    }
    for (const name of files.keys()) {
      path = join(folder, name);
      renameSync(temporary(name), path);
    }
    for (const name of stale) if (!files.has(name)) rmSync(join(folder, name), { force: true });
  } catch (error) {
    for (const file of started) rmSync(file, { force: true });
    throw new UsageError(`${path}: ${reasonNotWritten(error, path)}.`);
  }
}
