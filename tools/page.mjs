// Opens a page in a new Chromium process, and waits for the report that the page sends.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { openChromium } from '@unroll/testkit/chromium';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Serves a folder. Calls `report` with each text that a page posts to /report, and records the requested paths. */
const serve = async (folder, { isolated, fallback, report }) => {
  const found = [];
  const missing = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const headers = isolated ? ISOLATED : {};
    if (path === '/report') {
      let body = '';
      request.on('data', (data) => (body += data));
      request.on('end', () => response.writeHead(204).end(() => report(body)));
      return;
    }
    const file = normalize(join(folder, path));
    if (!file.startsWith(folder) || !existsSync(file) || !statSync(file).isFile()) {
      missing.push(path);
      if (fallback)
        response.writeHead(200, { ...headers, 'Content-Type': 'text/html' }).end('<!doctype html>');
      else response.writeHead(404, headers).end('not found');
      return;
    }
    found.push(path);
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { ...headers, 'Content-Type': type }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, found, missing, origin: `http://127.0.0.1:${server.address().port}` };
};

/**
 * Opens the page at `path` of a folder. Resolves to { report, found, missing }: the text that the page posts to /report,
 * and the paths that it requested. Rejects if Chromium exits before the report, or if there is no report within `seconds`.
 * @param args further arguments of Chromium
 * @param isolated serves a cross-origin isolated page
 * @param fallback answers requests for missing files with an HTML page, like servers of single-page applications
 */
export const openPage = async (
  chromium,
  { folder, path, args = [], isolated = false, fallback = false, seconds = 60 },
) => {
  let finish;
  const reported = new Promise((resolve, reject) => {
    finish = { report: resolve, fail: (reason) => reject(new Error(`${path}: ${reason}`)) };
  });
  const { server, found, missing, origin } = await serve(folder, {
    ...{ isolated, fallback, report: finish.report },
  });
  const browser = openChromium(chromium, `${origin}${path}`, finish.fail, args);
  const timer = setTimeout(
    () => finish.fail(`no report after ${seconds} s; files not found: ${missing.join(', ') || 'none'}`),
    seconds * 1000,
  );
  try {
    return { report: await reported, found, missing };
  } finally {
    clearTimeout(timer);
    browser.close();
    server.closeAllConnections();
    server.close();
  }
};
