// Counts non-null assertions (`!`) and compares them with the number below for each package. The check fails if there
// are more, and also if there are fewer, until the number here is lowered. A precise type needs no assertion; see
// docs/decisions/001-tooling.md.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Assertions in packages/<name>/src, bench/src and examples. Unlisted packages must have none. */
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

/** The checked folders: their name in the budget, and the path of their sources. */
const foldersOf = (root) => {
  const packages = readdirSync(join(root, 'packages'))
    .sort()
    .map((name) => [name, `packages/${name}/src`]);
  const all = [...packages, ['bench', 'bench/src'], ['examples', 'examples']];
  return all.filter(([, folder]) => existsSync(join(root, folder)));
};

/** All assertions under root: { name, line }, with `line` as `file:line`. */
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
  if (!run.stdout) throw new Error(`biome did not run: ${run.stderr || run.error}`);
  return JSON.parse(run.stdout)
    .diagnostics.filter(({ category }) => category === `lint/${RULE}`)
    .map(({ location: { path, start } }) => ({
      name: folders.find(([, folder]) => path.startsWith(`${folder}/`))[0],
      line: `${path}:${start.line}`,
    }));
};

/** Compares the assertions with the budget. Returns the lines to print; none if they agree. */
export const judge = (found, budget) => {
  const names = [...new Set([...Object.keys(budget), ...found.map(({ name }) => name)])].sort();
  return names.flatMap((name) => {
    const lines = found.filter((one) => one.name === name).map(({ line }) => line);
    const allowed = budget[name] ?? 0;
    if (lines.length === allowed) return [];
    const counts = `non-null assertions in ${name}: ${lines.length}, allowed: ${allowed}.`;
    if (lines.length < allowed) return [`${counts} Lower its number in tools/check-assertions.mjs.`];
    return [
      `${counts} Let a type or a check say what is there. They are at`,
      ...lines.map((line) => `  ${line}`),
    ];
  });
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findAssertions(join(dirname(fileURLToPath(import.meta.url)), '..'));
  const wrong = judge(found, BUDGET);
  for (const line of wrong) console.log(line);
  if (wrong.length) process.exitCode = 1;
  else console.log(`non-null assertions: ${found.length}, within the budget`);
}
