/** File access in browsers: artifacts by URL. Also exports the function that prepares a backend for `unrolljs/infer`. */
import { UnrollError } from '@unroll/core';
import { ARTIFACT_FILES, type ArtifactFiles, fromZip } from '@unroll/formats';

export { readyToInfer as readyToRun } from '@unroll/core/internal';

/** Always throws: a page has no file system. */
export function saveTo(_path: string): Promise<void> {
  throw new UnrollError(
    'value',
    'save(path) needs a file system, which a page does not have. Offer the result of `await toZip(await toArtifact(model))` ' +
      'as a download, or store it in IndexedDB.',
  );
}

/** Fetches the files of the artifact at a URL: a zip or a folder. */
export async function filesAt(address: string): Promise<ArtifactFiles> {
  if (address.endsWith('.zip')) {
    const zip = await bytesAt(address);
    if (!zip) throw new UnrollError('format', `There is no artifact at ${address}.`, { address });
    return fromZip(zip, ARTIFACT_FILES);
  }
  return filesIn(address);
}

/** Fetches the files of the artifact in the folder at a URL. */
export async function filesIn(address: string): Promise<ArtifactFiles> {
  const folder = address.endsWith('/') ? address : `${address}/`;
  const files = new Map<string, Uint8Array>();
  for (const name of ARTIFACT_FILES) {
    const bytes = await bytesAt(folder + name);
    if (bytes) files.set(name, bytes);
  }
  return files;
}

/**
 * Returns the bytes at a URL; null if there is no file. For a missing file, servers of single-page applications, such as
 * Vite, answer with an HTML page.
 */
async function bytesAt(address: string): Promise<Uint8Array | null> {
  const response = await fetch(address);
  return response.ok && !response.headers.get('content-type')?.startsWith('text/html')
    ? new Uint8Array(await response.arrayBuffer())
    : null;
}
