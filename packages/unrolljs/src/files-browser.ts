/** Artifacts by address, and what `unrolljs/infer` runs on, in a page. */
import { UnrollError } from '@unroll/core';
import { ARTIFACT_FILES, type ArtifactFiles, fromZip } from '@unroll/formats';

export { readyToInfer as readyToRun } from '@unroll/core/internal';

export function saveTo(_path: string): Promise<void> {
  throw new UnrollError(
    'value',
    'A page has no folders to save to. Offer toZip(toArtifact(model)) as a download, or keep it in ' +
      'IndexedDB.',
  );
}

/** The files of the artifact at an address: a zip, or a folder. */
export async function filesAt(address: string): Promise<ArtifactFiles> {
  if (address.endsWith('.zip')) {
    const zip = await bytesAt(address);
    if (!zip) throw new UnrollError('format', `There is no artifact at ${address}.`, { address });
    return fromZip(zip, ARTIFACT_FILES);
  }
  return filesIn(address);
}

/** The files of the artifact in the folder at an address. */
export async function filesIn(address: string): Promise<ArtifactFiles> {
  const folder = address.endsWith('/') ? address : `${address}/`;
  const files = new Map<string, Uint8Array>();
  for (const name of ARTIFACT_FILES) {
    const bytes = await bytesAt(folder + name);
    if (bytes) files.set(name, bytes);
  }
  return files;
}

/** Null where there is nothing, for which servers of single-page applications, as Vite's, send their page. */
async function bytesAt(address: string): Promise<Uint8Array | null> {
  const response = await fetch(address);
  return response.ok && !response.headers.get('content-type')?.startsWith('text/html')
    ? new Uint8Array(await response.arrayBuffer())
    : null;
}
