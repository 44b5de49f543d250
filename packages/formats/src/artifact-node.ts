/** Saves and loads artifacts on disk: as a folder or as one zip file. */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ready, UnrollError } from '@unroll/core';
import { writeFileAtomically } from '@unroll/core/node';
import type { Network } from '@unroll/nn';
import {
  ARTIFACT_FILES,
  type Artifact,
  type ArtifactExtras,
  type ArtifactFiles,
  fromArtifact,
  toArtifact,
} from './artifact.js';
import { rejectForeignFile } from './foreign.js';
import { fromZip, toZip } from './zip.js';

/**
 * Saves a model as a folder, or as one zip file if the path ends in `.zip`. Each file is written atomically, and
 * `config.json` is written last. Existing files are replaced.
 * @throws UnrollError `state` for a model that is not built, `nan` for weights that are not finite, `value` for a
 * weight outside the range of float16
 */
export async function saveArtifact(path: string, model: Network, extras: ArtifactExtras = {}): Promise<void> {
  const files = await toArtifact(model, extras);
  if (path.endsWith('.zip')) return writeFileAtomically(path, toZip(files));
  const obsolete = ARTIFACT_FILES.filter((name) => !files.has(name));
  for (const name of obsolete) await rm(join(path, name), { force: true });
  for (const [name, bytes] of files) await writeFileAtomically(join(path, name), bytes);
}

/** Loads an artifact from a folder or a zip file. @throws UnrollError `format` if it is missing or damaged */
export async function loadArtifact(path: string): Promise<Artifact> {
  await ready();
  return fromArtifact(await artifactFiles(path));
}

/**
 * Reads the files of an artifact from a folder or a zip file.
 * @throws UnrollError `format` if the path does not exist, or is a damaged zip file or a file of another tool
 */
export async function artifactFiles(path: string): Promise<ArtifactFiles> {
  const stats = await stat(path).catch(() => null);
  if (!stats?.isDirectory()) rejectForeignFile(path);
  if (!stats) throw new UnrollError('format', `There is no artifact at ${path}.`, { path });
  if (!stats.isDirectory()) return fromZip(await readFile(path), ARTIFACT_FILES);
  const files = new Map<string, Uint8Array>();
  for (const name of ARTIFACT_FILES) {
    const bytes = await readFile(join(path, name)).catch(() => null);
    if (bytes) files.set(name, bytes);
  }
  return files;
}
