// The test runner of the repository: node tools/test.mjs [--filter <regex of test names>] [--no-build] [path parts...]
//
// Runs packages/*/dist-test/**/*.test.js, tools/**/*.test.mjs and bench/test/*.test.mjs, every file in a process of its
// own, as many at a time as there are cores. Prints a line a file and failures in full; the very last line is `N
// passed, N failed`, counting tests without subtests. A file that crashes, ends early or holds no test is a failure,
// and so is a run of nothing.
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
// The runner's own totals, which come as diagnostics too.
const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** Files below `folder` whose names end in `ending`, in order. */
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
  // What was compiled from a file that is gone is not a test any more.
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
 * Runs one file and returns { passed, failed, skipped: [[name, reason]], failures: [[name, error]], output, ms }.
 * Events come in order, those of subtests before their parent's, so a parent is a test that follows deeper ones.
 */
const runFile = async (file, filter) => {
  const result = { passed: 0, failed: 0, skipped: [], failures: [], output: '' };
  const start = performance.now();
  const names = [];
  let deepest = -1; // nesting of the last event: a shallower one is its parent
  const record = (failed, data) => {
    const { name, nesting, details, skip, todo } = data;
    const isParent = details?.type === 'suite' || nesting < deepest;
    deepest = nesting;
    if (name === file && nesting === 0) {
      // The file itself, reported when it holds no test or its process failed.
      const late = performance.now() - start >= TIMEOUT_MS;
      const why = late
        ? `it was ended after ${TIMEOUT_MS / 1000} s`
        : 'its process failed; its output is above';
      if (failed) result.failures.push(['(the file)', why]);
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
    result.failures.push(['(the file)', 'it holds no tests']);
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
  // Tests run what was compiled: it is brought up to date first.
  // Bundles are made in any case: tests of stale ones would say nothing, and they take half a second.
  const built = values['no-build'] ? await bundle() : await build();
  if (!built) console.log('the build failed (see above): tests run on what was built before');

  const queue = findTests().filter(
    (file) => !positionals.length || positionals.some((part) => relative(root, file).includes(part)),
  );
  const total = { passed: 0, failed: 0, skipped: 0 };
  // Children read this; it is passed on through the environment since `run` of Node 20 takes no arguments for them.
  process.env.UNROLL_OUTER_NODE_OPTIONS = process.env.NODE_OPTIONS ?? '';
  const guard = pathToFileURL(join(root, 'tools/test-guard.mjs')).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${guard}`.trim();
  process.setMaxListeners(0);

  const lane = async () => {
    for (let file; (file = queue.shift()) !== undefined; ) {
      const result = await runFile(file, values.filter);
      report(relative(root, file), result);
      total.passed += result.passed;
      total.failed += result.failed;
      total.skipped += result.skipped.length;
    }
  };
  const width = Number(values.concurrency ?? availableParallelism());
  await Promise.all(Array.from({ length: Math.max(1, width) }, lane));

  if (total.passed + total.failed === 0)
    console.log('no test was found: run `npm run build`, or check the filter');
  const skipped = total.skipped ? `, ${total.skipped} skipped` : '';
  process.exitCode = built && total.passed > 0 && total.failed === 0 ? 0 : 1;
  process.on('exit', () => console.log(`${total.passed} passed, ${total.failed} failed${skipped}`));
};

await main();
