/** Files in and out: every failure that lies with the user's path is told in one line. */
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from './args.js';

/** Why a file operation failed, in words. */
export function reasonOf(error: unknown, otherwise: string): string {
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
 * Makes sure, before long work, that files of these names can be written into a folder that may not exist yet. Leaves
 * nothing behind.
 * @throws UsageError when they cannot
 */
export function checkWritable(folder: string, names: readonly string[]): void {
  for (const each of new Set([folder, ...names.map((name) => dirname(join(folder, name)))])) {
    checkFolder(each);
  }
  for (const name of names) {
    const path = join(folder, name);
    if (existsSync(path) && statSync(path).isDirectory()) {
      throw new UsageError(`${path}: a folder stands where a file is to be written.`);
    }
  }
}

/** Tries it with a file: pseudo file systems such as /proc grant access and take no files. */
function checkFolder(folder: string): void {
  let nearestFolder = resolve(folder);
  while (!existsSync(nearestFolder)) nearestFolder = dirname(nearestFolder);
  if (!statSync(nearestFolder).isDirectory()) {
    throw new UsageError(`--out ${folder}: ${nearestFolder} is a file, and a folder is needed.`);
  }
  const probe = join(nearestFolder, `.unroll-${process.pid}.tmp`);
  try {
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isMissing
      ? `${nearestFolder} takes no new files`
      : reasonOf(error, 'cannot be written to');
    throw new UsageError(`--out ${folder}: ${reason}.`);
  }
}

/** What to write: content by name; names may lie in folders (`model/config.json`). */
export type FileContents = ReadonlyMap<string, string | Uint8Array>;

/**
 * Writes files whole or not at all: first all of them under temporary names, which then become their own.
 * @param stale names of files that an earlier run may have left and that would mislead beside these
 * @throws UsageError when the folder cannot be made or written to
 */
export function writeAtomically(folder: string, files: FileContents, stale: readonly string[] = []): void {
  const temporary = (name: string) => join(folder, dirname(name), `.${basename(name)}.tmp`);
  let path = folder;
  try {
    for (const [name, content] of files) {
      path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(temporary(name), content);
    }
    for (const name of files.keys()) {
      path = join(folder, name);
      renameSync(temporary(name), path);
    }
    for (const name of stale) if (!files.has(name)) rmSync(join(folder, name), { force: true });
  } catch (error) {
    for (const name of files.keys()) rmSync(temporary(name), { force: true });
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be written')}.`);
  }
}
