/** The static server of `unroll studio`. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

/**
 * The page needs WebAssembly and nothing else beyond its own files. The two isolation headers allow shared memory, which
 * threads need.
 */
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; " +
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
} as const;

export interface StudioServerOptions {
  /** The folder of the page. */
  folder: string;
  /** Files that the page opens, by path. Each is served as `/opened/<path>`. */
  opened: ReadonlyMap<string, Uint8Array>;
}

/** Returns a server of the page and the opened files, for GET and HEAD requests to a host name of this machine. */
export function createStudioServer({ folder, opened }: StudioServerOptions): Server {
  const answer = (
    response: ServerResponse,
    status: number,
    body: string | Uint8Array,
    type = 'text/plain',
  ): void => void response.writeHead(status, { ...HEADERS, 'Content-Type': type }).end(body);

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(response, 405, 'Method not allowed');
    // Prevents DNS rebinding: another site could point its own host name to this machine and read the opened files.
    if (!isLocalName(request.headers.host)) return answer(response, 403, 'Unknown host');
    const path = pathOf(request.url);
    if (path === null) return answer(response, 400, 'Bad request');
    if (path === '/opened/index.json')
      return answer(response, 200, JSON.stringify([...opened.keys()]), TYPES['.json']);
    const file = opened.get(path.slice('/opened/'.length));
    if (path.startsWith('/opened/')) {
      return file
        ? answer(response, 200, file, 'application/octet-stream')
        : answer(response, 404, 'Not found');
    }
    const full = join(folder, path === '/' ? 'index.html' : path);
    const isInside = full.startsWith(folder.endsWith(sep) ? folder : folder + sep);
    const isFile =
      isInside &&
      (await stat(full).then(
        (stats) => stats.isFile(),
        () => false,
      ));
    if (!isFile || path.split('/').some((part) => part.startsWith('.')))
      return answer(response, 404, 'Not found');
    response.writeHead(200, {
      ...HEADERS,
      'Content-Type': TYPES[extname(full)] ?? 'application/octet-stream',
      // The names of these files contain a hash of their content.
      ...(path.startsWith('/assets/') && { 'Cache-Control': 'public, max-age=31536000, immutable' }),
    });
    if (request.method === 'HEAD') response.end();
    else
      createReadStream(full)
        .on('error', () => response.destroy())
        .pipe(response);
  };
  return createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
}

/** Returns the decoded path of a request; null if it is malformed or has `..`, a backslash or NUL. */
function pathOf(url = '/'): string | null {
  try {
    const path = decodeURIComponent(url.replace(/[?#].*$/s, ''));
    const parts = path.split('/');
    return path.startsWith('/') && !parts.includes('..') && !/[\\\0]/.test(path) ? path : null;
  } catch {
    return null;
  }
}

const isLocalName = (host = ''): boolean => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host);
