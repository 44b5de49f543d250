// The test runner of the repository. Runs packages/*/dist-test/**/*.test.js, tools/**/*.test.mjs and
// bench/test/*.test.mjs, each file in a separate process, in parallel.
//
//   node tools/test.mjs [--filter <regex of test names>] [--no-build] [--concurrency <n>] [path parts...]
//
// Prints one line per file, and failures in full. The last line of the output is `N passed, N failed`; a test with
// subtests does not count, only its subtests. A file that crashes, exits early or contains no tests is a failure. The run
// also fails if no test is found.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect, parseArgs } from 'node:util';
import { build } from './build.mjs';
import { bundle } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const TIMEOUT_MS = 10 * 60_000;
/** Diagnostics that only contain the totals of node:test. */
const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** Returns the files below `folder` whose names end in `ending`, sorted. */
const filesIn = (folder, ending) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .map((name) => join(folder, name))
        .filter((file) => file.endsWith(ending) && !file.includes(`${sep}node_modules${sep}`))
        .sort()
    : [];

const findTests = () => {
  const compiled = readdirSync(join(root, 'packages')).flatMap((name) =>
    filesIn(join(root, 'packages', name, 'dist-test'), '.test.js'),
  );
  // Ignores compiled tests whose source file has been deleted.
  const source = (file) => file.replace(`${sep}dist-test${sep}`, `${sep}test${sep}`).replace(/\.js$/, '.ts');
  return [
    ...compiled.filter((file) => existsSync(source(file))),
    ...filesIn(join(root, 'tools'), '.test.mjs'),
    ...filesIn(join(root, 'bench/test'), '.test.mjs'),
  ];
};

const causeOf = (error) =>
  error?.cause instanceof Error || typeof error?.cause === 'string' ? error.cause : error;

/**
 * Runs one file. Returns { passed, failed, skipped: [[name, reason]], failures: [[name, error]], output, ms }. The events
 * of subtests precede the event of their parent, so a test that follows more deeply nested ones is a parent.
 */
const runFile = async (file, filter) => {
  const result = { passed: 0, failed: 0, skipped: [], failures: [], output: '' };
  const start = performance.now();
  const names = [];
  let previousNesting = -1;
  const record = (failed, data) => {
    const { name, nesting, details, skip, todo } = data;
    const isParent = details?.type === 'suite' || nesting < previousNesting;
    previousNesting = nesting;
    if (name === file && nesting === 0) {
      // node:test reports the file itself if it contains no tests or its process failed.
      const timedOut = performance.now() - start >= TIMEOUT_MS;
      const reason = timedOut
        ? `timed out after ${TIMEOUT_MS / 1000} s`
        : 'the process failed; see its output above';
      if (failed) result.failures.push(['(the file)', reason]);
      if (failed) result.failed++;
      return;
    }
    names[nesting] = name;
    const error = details?.error;
    if (failed && isParent && error?.failureType === 'subtestsFailed') return;
    const path = data.path ?? name;
    if (failed && todo === undefined) {
      result.failed++;
      result.failures.push([path, causeOf(error)]);
    } else if (skip !== undefined || todo !== undefined) {
      const reason = typeof skip === 'string' ? skip : typeof todo === 'string' ? todo : 'no reason given';
      if (!/^test name does not match/.test(reason)) result.skipped.push([path, reason]);
    } else if (!isParent) {
      result.passed++;
    }
  };
  const stream = run({
    files: [file],
    concurrency: 1,
    timeout: TIMEOUT_MS,
    ...(filter ? { testNamePatterns: [filter] } : {}),
  });
  stream.on('test:pass', (data) => record(false, data));
  stream.on('test:fail', (data) => record(true, data));
  stream.on('test:stdout', ({ message }) => (result.output += message));
  stream.on('test:diagnostic', ({ message }) => {
    if (!SUMMARY.test(message)) result.output += `${message}\n`;
  });
  stream.on('test:stderr', ({ message }) => (result.output += message));
  await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject).resume());
  if (!filter && !result.passed && !result.failed && !result.skipped.length) {
    result.failed = 1;
    result.failures.push(['(the file)', 'contains no tests']);
  }
  result.ms = performance.now() - start;
  return result;
};

const indent = (text) => text.trimEnd().replace(/^/gm, '    ');

const report = (file, { passed, failed, skipped, failures, output, ms }) => {
  const counts = [
    passed && `${passed} passed`,
    failed && `${failed} failed`,
    skipped.length && `${skipped.length} skipped`,
  ];
  const mark = failed ? 'FAIL' : 'ok  ';
  console.log(
    `${mark} ${file}  ${counts.filter(Boolean).join(', ') || 'nothing to run'}  ${(ms / 1000).toFixed(2)}s`,
  );
  for (const [name, reason] of skipped) console.log(`  skipped: ${name} (${reason})`);
  if (failed && output.trim()) console.log(`  output:\n${indent(output)}`);
  for (const [name, error] of failures) {
    console.log(`  failed: ${name}\n${indent(typeof error === 'string' ? error : inspect(error))}`);
  }
};

const main = async () => {
  const { values, positionals } = parseArgs({
    options: {
      filter: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      concurrency: { type: 'string' },
    },
    allowPositionals: true,
  });
  // With --no-build, still updates the bundles, which takes half a second: some tests run the bundles.
  const built = values['no-build'] ? await bundle() : await build();
  if (!built) console.log('the build failed (see above): the tests use the previous build');

  const queue = findTests().filter(
    (file) => !positionals.length || positionals.some((part) => relative(root, file).includes(part)),
  );
  const total = { passed: 0, failed: 0, skipped: 0 };
  // The preload is passed in NODE_OPTIONS because `run` of Node 20 has no option for the arguments of its processes.
  process.env.UNROLL_OUTER_NODE_OPTIONS = process.env.NODE_OPTIONS ?? '';
  const guard = pathToFileURL(join(root, 'tools/test-guard.mjs')).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${guard}`.trim();
  process.setMaxListeners(0);

  const worker = async () => {
    for (let file; (file = queue.shift()) !== undefined; ) {
      const result = await runFile(file, values.filter);
      report(relative(root, file), result);
      total.passed += result.passed;
      total.failed += result.failed;
      total.skipped += result.skipped.length;
    }
  };
  const concurrency = Number(values.concurrency ?? availableParallelism());
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker));

  if (total.passed + total.failed === 0)
    console.log('no test was found: run `npm run build`, or check --filter and the path parts');
  const skipped = total.skipped ? `, ${total.skipped} skipped` : '';
  process.exitCode = built && total.passed > 0 && total.failed === 0 ? 0 : 1;
  process.on('exit', () => console.log(`${total.passed} passed, ${total.failed} failed${skipped}`));
};

await main();
