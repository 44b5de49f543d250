/** Reads artifacts from any source. */
import { ready } from '@unroll/core';
import {
  ARTIFACT_FILES,
  type Artifact,
  type ArtifactFiles,
  fromArtifact,
  fromZip,
  rejectForeignFile,
} from '@unroll/formats';
import { filesAt } from '#files';

/** A path (in Node: a folder or a zip file), a URL (in a page), the bytes of a zip file, or the files. */
export type ArtifactSource = string | Uint8Array | ArtifactFiles;

/** Returns the files of an artifact. @throws UnrollError `format` if there is no artifact */
export async function filesOf(source: ArtifactSource): Promise<ArtifactFiles> {
  if (typeof source === 'string') return filesAt(source);
  return source instanceof Uint8Array ? fromZip(source, ARTIFACT_FILES) : source;
}

/**
 * Reads an artifact.
 * @throws UnrollError `format` if there is no artifact, if it is damaged, or if it contains a class that is not
 * registered
 */
export async function readArtifact(source: ArtifactSource): Promise<Artifact> {
  await ready();
  const files = await filesOf(source);
  // Only for pages: in Node, filesAt has already rejected files of other formats.
  if (typeof source === 'string' && files.size === 0) rejectForeignFile(source);
  return fromArtifact(files);
}
