// The local server of test-browser.mjs. Serves the repository with a strict content security policy, and a page that
// runs the tests and posts their results. The page has an import map with the workspace's packages.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
  '.css': 'text/css; charset=utf-8',
  '.safetensors': 'application/octet-stream',
};

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** Returns the path to which a browser resolves an entry of a package's `exports`; undefined if there is none. */
const browserTarget = (entry) => {
  if (typeof entry === 'string') return entry;
  if (!entry) return undefined;
  for (const condition of ['browser', 'import', 'default']) {
    const target = browserTarget(entry[condition]);
    if (target) return target;
  }
  return undefined;
};

/** Creates the import map of the page from the package.json files: from package names and their subpaths to URLs on the server. */
export const importMap = (root) => {
  const imports = {};
  const scopes = {};
  for (const folder of readdirSync(join(root, 'packages')).sort()) {
    const manifest = join(root, 'packages', folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name, exports = {}, imports: packageImports = {}, dependencies = {} } = readJson(manifest);
    const entries =
      typeof exports === 'string' || !('.' in exports || hasSubpaths(exports)) ? { '.': exports } : exports;
    const urlOf = (target) => `/packages/${folder}/${target.replace(/^\.\//, '')}`;
    for (const [subpath, entry] of Object.entries(entries)) {
      const target = browserTarget(entry);
      if (target) imports[join(name, subpath)] = urlOf(target);
    }
    for (const dependency of Object.keys(dependencies)) {
      const dependencyManifest = join(root, 'node_modules', dependency, 'package.json');
      if (dependency in imports || dependency.startsWith('@unroll/') || !existsSync(dependencyManifest))
        continue;
      const { exports: dependencyExports, module, main } = readJson(dependencyManifest);
      const target = browserTarget(dependencyExports?.['.'] ?? dependencyExports) ?? module ?? main;
      if (target) imports[dependency] = `/node_modules/${dependency}/${target.replace(/^\.\//, '')}`;
    }
    for (const [key, entry] of Object.entries(packageImports)) {
      const target = browserTarget(entry);
      if (target) (scopes[`/packages/${folder}/`] ??= {})[key] = urlOf(target);
    }
  }
  return { imports, scopes };
};
const hasSubpaths = (exports) => Object.keys(exports).some((key) => key.startsWith('./'));

// The script of the page. It posts its results in order, as JSON lines. It reports a violation of the content security policy
// as a failure.
const RUNNER = `
let lines = [];
let sending = Promise.resolve();
const send = () => {
  const body = lines.splice(0).map((line) => JSON.stringify(line)).join('\\n');
  if (body) sending = sending.then(() => fetch('/__report', { method: 'POST', body }));
};
const report = (line) => lines.push(line);
const timer = setInterval(send, 100);
const text = (error) => String(error?.stack ?? error);
addEventListener('securitypolicyviolation', (event) =>
  report({ name: 'content security policy', error: event.violatedDirective + ' refused ' + event.blockedURI }));
addEventListener('unhandledrejection', (event) => report({ name: 'unhandled rejection', error: text(event.reason) }));
addEventListener('error', (event) => report({ name: 'uncaught error', error: event.message }));
try {
  report({ isolated: crossOriginIsolated, agent: navigator.userAgent });
  const { run } = await import('@unroll/testkit/browser-main');
  await run(report);
} catch (error) {
  report({ name: '(the page)', error: text(error) });
}
report({ done: true });
clearInterval(timer);
send();
`;

/**
 * Starts the server. Resolves to { url, close }.
 * @param isolated whether the page is cross-origin isolated
 * @param onLine called with every object that the page reports, and with { missing: path } for a missing file
 */
export const startServer = async (root, { isolated, onLine }) => {
  const map = JSON.stringify(importMap(root));
  const hash = createHash('sha256').update(map).digest('base64');
  const page = `<!doctype html><meta charset="utf-8"><title>Unroll</title>
<link rel="icon" href="data:,"><script type="importmap">${map}</script><script type="module" src="/__run.js"></script>`;
  const headers = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': `default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'sha256-${hash}'; worker-src 'self'; img-src data:`,
    ...(isolated
      ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
      : {}),
  };
  const answer = (response, status, type, body) =>
    response.writeHead(status, { ...headers, 'Content-Type': type }).end(body);

  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    if (path === '/') return answer(response, 200, TYPES['.html'], page);
    if (path === '/__run.js') return answer(response, 200, TYPES['.js'], RUNNER);
    if (path === '/__report') {
      let body = '';
      request.on('data', (data) => (body += data));
      request.on('end', () => {
        for (const line of body.split('\n').filter(Boolean)) onLine(JSON.parse(line));
        answer(response, 204, 'text/plain');
      });
      return undefined;
    }
    const file = normalize(join(root, path));
    if (!file.startsWith(root) || !existsSync(file) || !statSync(file).isFile()) {
      onLine({ missing: path });
      return answer(response, 404, 'text/plain', 'not found');
    }
    response.writeHead(200, {
      ...headers,
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
    });
    return createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
