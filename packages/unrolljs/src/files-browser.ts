/** Artifacts by address, in a page. */
import { ready, UnrollError } from '@unroll/core';
import { ARTIFACT_FILES, type Artifact, fromArtifact, fromZip } from '@unroll/formats';

export function saveTo(_path: string): Promise<void> {
  throw new UnrollError(
    'value',
    'A page has no folders to save to. Offer toZip(toArtifact(model)) as a download, or keep it in ' +
      'IndexedDB.',
  );
}

/** The artifact at an address: a zip, or a folder with its files. */
export async function loadFrom(address: string): Promise<Artifact> {
  await ready();
  if (address.endsWith('.zip')) {
    const zip = await bytesAt(address);
    if (!zip) throw new UnrollError('format', `There is no artifact at ${address}.`, { address });
    return fromArtifact(await fromZip(zip, ARTIFACT_FILES));
  }
  const folder = address.endsWith('/') ? address : `${address}/`;
  const files = new Map<string, Uint8Array>();
  for (const name of ARTIFACT_FILES) {
    const bytes = await bytesAt(folder + name);
    if (bytes) files.set(name, bytes);
  }
  return fromArtifact(files);
}

/** Null where there is nothing. */
async function bytesAt(address: string): Promise<Uint8Array | null> {
  const response = await fetch(address);
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : null;
}
