// Counts the non-null assertions (`!`) of each package, and compares the counts with the numbers below. The check fails
// if a package has more assertions than allowed. It also fails if a package has fewer: the number below must then be
// lowered, so that the count does not rise again. The rule is explained in docs/decisions/001-tooling.md: precise types need no
// assertions.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Allowed number of assertions in packages/<name>/src, bench/src and examples. Default 0. */
export const BUDGET = {
  bench: 7,
  core: 8,
  data: 4,
  kernels: 1,
  nn: 2,
  tasks: 6,
  testkit: 1,
  train: 4,
};

const RULE = 'style/noNonNullAssertion';

/** Returns the checked folders as [name in the budget, path of the sources]. */
const foldersOf = (root) => {
  const packages = readdirSync(join(root, 'packages'))
    .sort()
    .map((name) => [name, `packages/${name}/src`]);
  const all = [...packages, ['bench', 'bench/src'], ['examples', 'examples']];
  return all.filter(([, folder]) => existsSync(join(root, folder)));
};

/** Returns all assertions under root as { name, line }, with `line` as `file:line`. */
export const findAssertions = (root) => {
  const folders = foldersOf(root);
  const biome = join(
    dirname(createRequire(import.meta.url).resolve('@biomejs/biome/package.json')),
    'bin/biome',
  );
  const options = [`--only=${RULE}`, '--max-diagnostics=none', '--reporter=json'];
  const run = spawnSync(process.execPath, [biome, 'lint', ...options, ...folders.map(([, path]) => path)], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (!run.stdout) throw new Error(`biome did not start: ${run.stderr || run.error}`);
  return JSON.parse(run.stdout)
    .diagnostics.filter(({ category }) => category === `lint/${RULE}`)
    .map(({ location: { path, start } }) => ({
      name: folders.find(([, folder]) => path.startsWith(`${folder}/`))[0],
      line: `${path}:${start.line}`,
    }));
};

/** Compares the assertions with the budget. Returns error messages; none if all counts are as allowed. */
export const judge = (found, budget) => {
  const names = [...new Set([...Object.keys(budget), ...found.map(({ name }) => name)])].sort();
  return names.flatMap((name) => {
    const lines = found.filter((assertion) => assertion.name === name).map(({ line }) => line);
    const allowed = budget[name] ?? 0;
    if (lines.length === allowed) return [];
    const counts = `non-null assertions in ${name}: ${lines.length}, allowed: ${allowed}.`;
    if (lines.length < allowed)
      return [`${counts} Lower the allowed number for ${name} in tools/check-assertions.mjs.`];
    return [
      `${counts} Replace assertions by a more precise type or a check. Locations:`,
      ...lines.map((line) => `  ${line}`),
    ];
  });
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findAssertions(join(dirname(fileURLToPath(import.meta.url)), '..'));
  const errors = judge(found, BUDGET);
  for (const line of errors) console.log(line);
  if (errors.length) process.exitCode = 1;
  else console.log(`non-null assertions: ${found.length}, within the budget`);
}
