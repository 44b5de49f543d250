// `npm run check`: runs all checks of the repository (types, lint, format, import rules, non-null assertions, language,
// synchronous reads, bundle size, tests). A failure does not stop the later checks. Prints a table of the results at the
// end; the exit code is 1 if any check failed. With --no-tests, the tests are skipped.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Runs a script with the same version of Node and shows its output. Returns true if it succeeded. */
const run = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;

const biome = (...args) => {
  try {
    const manifest = createRequire(import.meta.url).resolve('@biomejs/biome/package.json');
    return run(join(dirname(manifest), 'bin/biome'), ...args, '.');
  } catch {
    console.log('@biomejs/biome is missing: run `npm install --include=dev`');
    return false;
  }
};

const CHECKS = [
  ['build and types', build],
  ['lint', () => biome('lint', '--error-on-warnings')],
  ['format', () => biome('format')],
  ['import rules', () => run('tools/check-imports.mjs')],
  ['assertions', () => run('tools/check-assertions.mjs')],
  ['language', () => run('tools/check-language.mjs')],
  ['synchronous reads', () => run('tools/check-sync-reads.mjs')],
  ['bundle size', () => run('tools/size.mjs', '--check')],
  ['tests', () => run('tools/test.mjs', '--no-build')],
].filter(([name]) => name !== 'tests' || !process.argv.includes('--no-tests'));

const summary = [];
for (const [name, check] of CHECKS) {
  console.log(`\n== ${name}`);
  const start = performance.now();
  const ok = await check();
  summary.push({ name, ok, seconds: ((performance.now() - start) / 1000).toFixed(1) });
}
console.log('\n== summary');
for (const { name, ok, seconds } of summary) {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(16)} ${seconds.padStart(6)}s`);
}
if (summary.some(({ ok }) => !ok)) process.exitCode = 1;
