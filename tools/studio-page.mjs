// Opens the page of packages/studio in headless Chromium for tests and screenshots: serves it with the command
// `unroll studio`, and records every console message, failed request, request to another host and violation of the content
// security policy.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from '@unroll/testkit/chromium';
import { chromium } from 'playwright-core';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const command = join(root, 'packages/cli/bin/unroll.js');

/** Starts `unroll studio`. Resolves to { url, close }. */
export const startStudio = (...args) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [command, 'studio', '--port', '0', ...args], { stdio: 'pipe' });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
      const url = /http:\S+/.exec(output)?.[0];
      if (url) resolve({ url, close: () => child.kill('SIGKILL') });
    });
    child.stderr.on('data', (data) => (output += data));
    child.on('exit', (code) => reject(new Error(`unroll studio exited with ${code}\n${output}`)));
  });

/** Starts Chromium. Returns null if there is none. */
export const startBrowser = async () => {
  const executablePath = findChromium();
  if (!executablePath) return null;
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
};

/**
 * Opens a page. Returns { page, problems, context }; everything that a page must not do is added to `problems`.
 * @param options options of playwright's `newContext`
 */
export const openStudio = async (browser, url, options = {}) => {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    ...options,
  });
  const page = await context.newPage();
  const problems = [];
  const { host } = new URL(url);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.stack ?? error}`));
  page.on('requestfailed', (request) =>
    problems.push(`failed: ${request.url()} ${request.failure()?.errorText}`),
  );
  page.on('request', (request) => {
    const { protocol, host: other } = new URL(request.url());
    if (protocol.startsWith('http') && other !== host) problems.push(`outside request: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`status ${response.status()}: ${response.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) =>
      console.error(`content security policy: ${event.violatedDirective} refused ${event.blockedURI}`),
    );
  });
  await page.goto(url);
  return { page, problems, context };
};

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
};

/** Serves the built page like a static web host: in a subfolder, without isolation headers. Resolves to { url, requests, close }. */
export const servePlain = async () => {
  const dist = join(root, 'packages/studio/dist');
  const requests = [];
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname.replace(/^\/any\/folder\//, '/');
    const file = join(dist, path === '/' ? 'index.html' : path);
    requests.push(path);
    if (!file.startsWith(dist) || !existsSync(file)) return response.writeHead(404).end();
    return response.writeHead(200, { 'Content-Type': TYPES[extname(file)] }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/any/folder/`, requests, close };
};
