/** Distinguishes Unroll models from models of other tools. */
import { ARTIFACT_FILES } from '@unroll/formats';
import { headAt } from '#sources';
import type { ArtifactSource } from './load.js';

/** Number of bytes at the start of a zip that contain the name of the first file in it. */
const HEAD = 256;

/**
 * Returns true for the folder, the files or the zip of an artifact, and for a path without a file (`load` then reports
 * it). Returns false for a File, because importModel reads Files of every format.
 */
export async function isArtifact(source: ArtifactSource | Blob): Promise<boolean> {
  if (typeof source === 'string') {
    const head = await headAt(source, HEAD);
    return head === null || isArtifactZip(head);
  }
  if (source instanceof Blob) return false;
  return !(source instanceof Uint8Array) || isArtifactZip(source);
}

/**
 * Returns true for a zip that begins with a file of an artifact or with a folder. Keras zips begin with metadata.json.
 */
function isArtifactZip(head: Uint8Array): boolean {
  if (head[0] !== 0x50 || head[1] !== 0x4b) return false;
  const name = String.fromCharCode(...head.subarray(30, 30 + head[26] + 256 * head[27]));
  return ARTIFACT_FILES.includes(name.slice(name.lastIndexOf('/') + 1)) || name.endsWith('/');
}
