// Opens a page of a folder in a new Chromium process, and waits for its report.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { openChromium } from '@unroll/testkit/chromium';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Serves the folder: calls report with everything that a page posts to /report, and records the requested paths. */
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
 * Resolves to { report, found, missing }: the first report that the page posts to /report, and the requested paths. With
 * fallback, missing files are answered with a page, as by servers of single-page applications. Rejects if Chromium ends
 * before the report, or after the given number of seconds.
 */
export const openPage = async (
  chromium,
  { folder, path, isolated = false, fallback = false, seconds = 60 },
) => {
  let finish;
  const reported = new Promise((resolve, reject) => {
    finish = { report: resolve, fail: (why) => reject(new Error(`${path}: ${why}`)) };
  });
  const { server, found, missing, origin } = await serve(folder, {
    ...{ isolated, fallback, report: finish.report },
  });
  const browser = openChromium(chromium, `${origin}${path}`, finish.fail);
  const timer = setTimeout(
    () => finish.fail(`it reported nothing in ${seconds} s; not found: ${missing}`),
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
