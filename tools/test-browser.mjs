// Runs packages/testkit/dist/browser-main.js in headless Chromium: on a cross-origin isolated page, which has threads,
// and on a page without isolation, both with a strict content security policy. The pages post their results, so no
// browser driver is needed. Then runs one case of the benchmark on a separate page (bench/test/chromium.mjs). Looks for
// Chromium in CHROME_PATH and PATH. The last line of the output is `N passed, N failed`,
// followed by `, N skipped` if tests were skipped.
//
//   node tools/test-browser.mjs [--timeout <seconds per page>] [--no-build] [--verbose]
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startServer } from './browser-server.mjs';
import { build } from './build.mjs';
import { writeApp } from './size.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * Opens the page in a new Chromium process, and waits until it is done, crashes or times out. Adds the results to
 * `total`.
 */
const runPage = async (chromium, isolated, timeoutMs, total) => {
  const title = isolated ? 'cross-origin isolated page' : 'plain page';
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
  const browser = openChromium(chromium, server.url, finish);
  const timer = setTimeout(
    () => finish(`not done after ${timeoutMs / 1000} s\n${browser.errorOutput()}`),
    timeoutMs,
  );
  const problem = await finished;
  clearTimeout(timer);
  if (problem) fail(title, problem);
  if (!counted) fail(title, 'the page reported no tests');
  browser.close();
  server.close();
  console.log(`  ${counted} tests in ${((performance.now() - start) / 1000).toFixed(1)}s`);
};

/** Runs one case of the benchmark on a separate page (bench/test/chromium.mjs). */
const runBenchmark = (total) => {
  const { status } = spawnSync(process.execPath, [join(root, 'bench/test/chromium.mjs')], {
    stdio: 'inherit',
  });
  if (status === 0) total.passed++;
  else total.failed++;
};

const { values } = parseArgs({
  options: {
    timeout: { type: 'string', default: '180' },
    'no-build': { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const total = { passed: 0, failed: 0, skipped: 0 };
const ready = values['no-build'] || (await build());
if (!ready) console.log('the build failed (see above): the tests use the previous build');
const { findChromium, NO_CHROMIUM, openChromium } = await import('@unroll/testkit/chromium');
const chromium = findChromium();
if (!chromium) console.log(NO_CHROMIUM);
else {
  await writeApp();
  for (const isolated of [true, false])
    await runPage(chromium, isolated, Number(values.timeout) * 1000, total);
  runBenchmark(total);
}
const skipped = total.skipped ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = ready && total.passed > 0 && total.failed === 0 ? 0 : 1;
