/** Reads files at URLs, in parts if the server supports range requests. */
import { UnrollError } from '@unroll/core';
import { type ByteSource, bytesSource, checkRange } from './source.js';

/** Size in bytes of the first request, which is enough for most headers. */
const FIRST_REQUEST_SIZE = 1 << 16;

/**
 * Opens the file at a URL. If the server does not support range requests, the whole file is fetched at once.
 * @throws UnrollError `format` if there is no file
 */
export async function urlSource(address: string): Promise<ByteSource> {
  const response = await fetch(address, { headers: { Range: `bytes=0-${FIRST_REQUEST_SIZE - 1}` } });
  // For a missing file, servers of single-page applications answer with an HTML page.
  const isPage = response.headers.get('content-type')?.startsWith('text/html') ?? false;
  if (!response.ok || isPage) {
    await response.body?.cancel();
    throw new UnrollError('format', `There is no file at ${address} (status ${response.status}).`, {
      address,
    });
  }
  const sibling = (path: string): Promise<ByteSource> => urlSource(siblingOf(address, path));
  const bytes = new Uint8Array(await response.arrayBuffer());
  const total = /^bytes 0-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  if (response.status !== 206 || total === undefined) return { ...bytesSource(bytes, address), sibling };
  const source: ByteSource = {
    name: address,
    size: Number(total),
    async read(begin, end) {
      checkRange(source, begin, end);
      if (end <= bytes.length) return bytes.subarray(begin, end);
      return begin === end ? new Uint8Array() : fetchRange(address, begin, end);
    },
    sibling,
  };
  return source;
}

async function fetchRange(address: string, begin: number, end: number): Promise<Uint8Array> {
  const response = await fetch(address, { headers: { Range: `bytes=${begin}-${end - 1}` } });
  const bytes = response.status === 206 ? new Uint8Array(await response.arrayBuffer()) : null;
  if (bytes?.length === end - begin) return bytes;
  throw new UnrollError('format', `${address}: the server did not return the bytes ${begin} to ${end - 1}.`, {
    address,
  });
}

/** Returns the URL of a file in the same folder or below. @throws UnrollError `format` for any other path */
function siblingOf(address: string, path: string): string {
  const base = new URL(address, (globalThis as { location?: { href: string } }).location?.href);
  const url = new URL(path, base);
  const folder = base.href.slice(0, base.href.split(/[?#]/)[0].lastIndexOf('/') + 1);
  if (url.href.startsWith(folder)) return url.href;
  throw new UnrollError('format', `${address} refers to ${path}, which is outside its folder.`, { path });
}
