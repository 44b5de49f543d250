/** Atomic file writes, used for checkpoints and artifacts. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Creates a folder and its parents, unless they exist. For a folder in /proc, this throws an error; `mkdirSync` with `recursive`
 * never returns.
 */
export function createFolder(path: string): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) createFolder(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    // The folder exists already, or another process has just created it.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/**
 * Replaces the content of `file` atomically: at any time, also after a crash, the file has either the old bytes or the
 * new ones. Writes a temporary file in the same folder, flushes it to disk, and renames it. Creates the folder if it does
 * not exist.
 */
export async function writeFileAtomically(file: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(file);
  createFolder(folder);
  const temporary = `${file}.tmp`;
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Flushes the renamed directory entry to disk. Windows cannot flush folders. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
