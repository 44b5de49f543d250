// Runs packages/testkit/dist/browser-main.js in headless Chromium, on a cross-origin isolated page (threads) and on a
// plain one, both under a strict content security policy. The page posts its results; no browser driver is needed.
// Chromium is taken from CHROME_PATH or the PATH. The very last line is `N passed, N failed`.
//
//   node tools/test-browser.mjs [--timeout <seconds a page>] [--no-build] [--verbose]
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startServer } from './browser-server.mjs';
import { build } from './build.mjs';
import { writeApp } from './size.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const findChromium = () => {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = process.env.CHROME_PATH
    ? [process.env.CHROME_PATH]
    : names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
};

const ARGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--disable-default-apps', '--disable-extensions', '--no-default-browser-check'],
];

/** Opens the page in a Chromium of its own and resolves when it is done, dead or late; then ends that Chromium. */
const runPage = async (chromium, isolated, timeoutMs, total) => {
  const title = isolated ? 'cross-origin isolated page' : 'plain page';
  const profile = mkdtempSync(join(tmpdir(), 'unroll-chromium-'));
  const start = performance.now();
  let finish;
  let counted = 0;
  const finished = new Promise((resolve) => {
    finish = resolve;
  });
  const fail = (name, error) => {
    total.failed++;
    console.log(`  failed: ${name}\n${String(error).replace(/^/gm, '    ')}`);
  };
  const server = await startServer(root, {
    isolated,
    onLine: (line) => {
      if (line.done) finish();
      else if (line.missing) console.log(`  not found: ${line.missing}`);
      else if (line.agent) {
        console.log(`${title}, ${/Chrome\/[\d.]+/.exec(line.agent)?.[0] ?? line.agent}`);
        if (line.isolated !== isolated) fail('isolation', `crossOriginIsolated is ${line.isolated}`);
      } else {
        counted++;
        if (values.verbose) console.log(`  ${line.name}`);
        if (line.error) fail(line.name, line.error);
        else if (line.skipped) {
          total.skipped++;
          console.log(`  skipped: ${line.name} (${line.skipped})`);
        } else total.passed++;
      }
    },
  });
  // A process group of its own, so that ending it ends its helpers and nothing else.
  const browser = spawn(chromium, [...ARGS, `--user-data-dir=${profile}`, server.url], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let errors = '';
  // Without a desktop Chromium complains of its message bus all the time; that is not why a test fails.
  browser.stderr.on('data', (data) => {
    errors = (errors + data)
      .split('\n')
      .filter((line) => !/dbus|DBus/.test(line))
      .join('\n')
      .slice(-3000);
  });
  browser.on('error', (error) => finish(`Chromium did not start: ${error.message}`));
  browser.on('exit', (code, signal) =>
    finish(`Chromium ended before the tests (${signal ?? code})\n${errors}`),
  );
  const timer = setTimeout(() => finish(`not done after ${timeoutMs / 1000} s\n${errors}`), timeoutMs);
  const problem = await finished;
  clearTimeout(timer);
  if (problem) fail(title, problem);
  if (!counted) fail(title, 'it reported no tests');
  browser.removeAllListeners('exit');
  const gone = new Promise((resolve) => browser.once('exit', resolve));
  try {
    process.kill(-browser.pid, 'SIGKILL');
    await gone;
  } catch {
    // It has ended by itself.
  }
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  console.log(`  ${counted} tests in ${((performance.now() - start) / 1000).toFixed(1)}s`);
};

const { values } = parseArgs({
  options: { timeout: { type: 'string', default: '180' }, 'no-build': { type: 'boolean', default: false } },
});
const total = { passed: 0, failed: 0, skipped: 0 };
const chromium = findChromium();
let ready = false;
if (!chromium) {
  console.log('no Chromium was found: install chromium or google-chrome, or set CHROME_PATH to one');
} else {
  ready = values['no-build'] || (await build());
  if (!ready) console.log('the build failed (see above): tests run on what was built before');
  await writeApp();
  for (const isolated of [true, false])
    await runPage(chromium, isolated, Number(values.timeout) * 1000, total);
}
const skipped = total.skipped ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = ready && total.passed > 0 && total.failed === 0 ? 0 : 1;
