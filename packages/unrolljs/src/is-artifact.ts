/** Distinguishes artifacts (models saved by Unroll) from model files of other tools. */
import { isArtifactZip } from '@unroll/formats';
import { headAt } from '#sources';
import type { ArtifactSource } from './load.js';

/** Number of bytes at the start of a zip, which contain the name of the first file in it. */
const HEAD = 256;

/**
 * Returns true for a source that `load` reads as an artifact: a zip of an artifact, any folder, and any Map of files. Also returns
 * true for a path at which there is no file, because `load` reports the missing file. Returns false for a File object and, in Node,
 * for a URL, because `importModel` reads these in every format.
 */
export async function isArtifact(source: ArtifactSource | Blob): Promise<boolean> {
  if (typeof source === 'string') {
    const head = await headAt(source, HEAD);
    return head === null || isArtifactZip(head);
  }
  if (source instanceof Blob) return false;
  return !(source instanceof Uint8Array) || isArtifactZip(source);
}
