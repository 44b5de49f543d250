/** Artifacts on disk: a folder, or one zip file. */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ready, UnrollError } from '@unroll/core';
import { writeWhole } from '@unroll/core/node';
import type { Network } from '@unroll/nn';
import {
  ARTIFACT_FILES,
  type Artifact,
  type ArtifactExtras,
  type ArtifactFiles,
  fromArtifact,
  toArtifact,
} from './artifact.js';
import { refuseForeign } from './foreign.js';
import { fromZip, toZip } from './zip.js';

/**
 * Saves a model as a folder, or as one zip file if the path ends in `.zip`. Each file is written atomically, the
 * config last. Existing files are replaced.
 * @throws UnrollError `state` for a model that is not built, `nan` for weights that are not finite, `value` for a
 * weight outside the range of float16
 */
export async function saveArtifact(path: string, model: Network, extras: ArtifactExtras = {}): Promise<void> {
  const files = await toArtifact(model, extras);
  if (path.endsWith('.zip')) return writeWhole(path, toZip(files));
  const gone = ARTIFACT_FILES.filter((name) => !files.has(name));
  for (const name of gone) await rm(join(path, name), { force: true });
  for (const [name, bytes] of files) await writeWhole(join(path, name), bytes);
}

/** Loads the model from a folder or a zip. @throws UnrollError `format` if there is none, or if it is damaged */
export async function loadArtifact(path: string): Promise<Artifact> {
  await ready();
  return fromArtifact(await artifactFiles(path));
}

/**
 * Reads the files of an artifact from a folder or a zip. @throws UnrollError `format` if the path does not exist, or is a
 * file of another tool
 */
export async function artifactFiles(path: string): Promise<ArtifactFiles> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) refuseForeign(path);
  if (!found) throw new UnrollError('format', `There is no artifact at ${path}.`, { path });
  if (!found.isDirectory()) return fromZip(await readFile(path), ARTIFACT_FILES);
  const files = new Map<string, Uint8Array>();
  for (const name of ARTIFACT_FILES) {
    const bytes = await readFile(join(path, name)).catch(() => null);
    if (bytes) files.set(name, bytes);
  }
  return files;
}
