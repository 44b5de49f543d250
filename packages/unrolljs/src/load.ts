/** Reads artifacts from any source. */
import { ready } from '@unroll/core';
import {
  ARTIFACT_FILES,
  type Artifact,
  type ArtifactFiles,
  fromArtifact,
  fromZip,
  refuseForeign,
} from '@unroll/formats';
import { filesAt } from '#files';

/** A path (Node: a folder or a zip), a URL (pages), the bytes of a zip, or the files themselves. */
export type ArtifactSource = string | Uint8Array | ArtifactFiles;

/** @throws UnrollError `format` if there is no artifact */
export async function filesOf(source: ArtifactSource): Promise<ArtifactFiles> {
  if (typeof source === 'string') return filesAt(source);
  return source instanceof Uint8Array ? fromZip(source, ARTIFACT_FILES) : source;
}

/**
 * @throws UnrollError `format` if there is no artifact, if it is damaged, or if it contains a class that is not
 * registered
 */
export async function readArtifact(source: ArtifactSource): Promise<Artifact> {
  await ready();
  const files = await filesOf(source);
  if (typeof source === 'string' && files.size === 0) refuseForeign(source); // in a page; Node does it before reading
  return fromArtifact(files);
}
