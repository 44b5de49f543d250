// Checks the import rules of the architecture over packages/*/src:
//   - a package imports only what its row of the table allows, by name, and declares it in its package.json;
//   - studio has only types of server, and no Node built-ins; elsewhere these are for files named *node*.ts and for the
//     packages that run in Node alone;
//   - the files of a package import one another without cycles (imports of types alone are erased and do not count).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIBRARY = ['kernels', 'core', 'nn', 'train', 'data', 'formats', 'insight'];

/** The table. `types`: packages of which only types may be imported. `anything`: not published. */
export const RULES = {
  kernels: { allow: [] },
  core: { allow: ['kernels'] },
  nn: { allow: ['core'] },
  train: { allow: ['core'] },
  data: { allow: ['core'] },
  formats: { allow: ['core', 'nn'] },
  insight: { allow: ['core', 'nn', 'train'] },
  tasks: { allow: LIBRARY },
  server: { allow: [...LIBRARY, 'tasks'], node: true },
  studio: { allow: [...LIBRARY, 'tasks'], types: ['server'], noNode: true },
  cli: { allow: [...LIBRARY, 'tasks', 'server'], node: true },
  unrolljs: { allow: [...LIBRARY, 'tasks'] },
  testkit: { anything: true },
};

const FOLDER_OF = (name) => (name === 'unrolljs' ? 'unrolljs' : name.replace(/^@unroll\//, ''));
const isOurs = (name) => name === 'unrolljs' || name.startsWith('@unroll/');
const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

/** Blanks out comments but keeps strings and line numbers, so that examples in comments do not count as imports. */
const withoutComments = (text) =>
  text.replace(
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (match, string) => string ?? match.replace(/[^\n]/g, ' '),
  );

const FORMS = [
  /^[ \t]*(import|export)\s+(type\s+)?(?:[\w$*{][^'"`;]*?\s*)?from\s*['"]([^'"]+)['"]/gm,
  /^[ \t]*(import)\s+()['"]([^'"]+)['"]/gm,
  /\b(import)\s*\(()\s*['"]([^'"]+)['"]/g,
];

/** The imports of a file: { specifier, typeOnly, line }. */
export const importsOf = (source) => {
  const text = withoutComments(source);
  return FORMS.flatMap((form) =>
    [...text.matchAll(form)].map((match) => ({
      specifier: match[3],
      // Type positions such as `let x: import('./a.js').A` also count as imports, which is stricter than necessary.
      typeOnly: Boolean(match[2]),
      line: text.slice(0, match.index).split('\n').length,
    })),
  );
};

const sourcesOf = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .map((name) => join(folder, name))
        .filter((file) => /\.tsx?$/.test(file))
        .sort()
    : [];

const sourceFor = (file) => {
  const base = file.replace(/\.[mc]?js$/, '');
  return [`${base}.ts`, `${base}.tsx`, file].find((candidate) => existsSync(candidate));
};

/** The first import cycle among files, as a list of files that ends where it starts; undefined if there is none. */
const findCycle = (graph) => {
  const done = new Set();
  const visit = (file, path) => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
};

/** The violation of one import; undefined if there is none. */
const judge = ({ specifier, typeOnly }, { rule, folder, file, manifest, packageRoot }) => {
  const bare = specifier.replace(/^node:/, '');
  if (specifier.startsWith('node:') || builtinModules.includes(bare)) {
    if (!specifier.startsWith('node:')) return `write node:${bare}`;
    if (rule.noNode) return `${folder} runs in browsers and may not import Node built-ins`;
    if (rule.node || rule.anything || /node/.test(basename(file))) return undefined;
    return 'Node built-ins belong in a file named *node*.ts (or *-node.ts)';
  }
  if (specifier.startsWith('.')) {
    const inside = !relative(packageRoot, resolve(dirname(file), specifier)).startsWith('..');
    return inside ? undefined : 'it leaves the package: import the other one by its name';
  }
  if (specifier.startsWith('#')) {
    return specifier in (manifest.imports ?? {}) ? undefined : 'it is not among the imports of package.json';
  }
  const name = packageOf(specifier);
  if (name === manifest.name) return 'a package does not import itself by name: use a relative path';
  if (isOurs(name) && !rule.anything && !rule.allow.includes(FOLDER_OF(name))) {
    const types = rule.types?.includes(FOLDER_OF(name));
    if (!types) return `${folder} may import ${rule.allow.join(', ') || 'no package of ours'}, not ${name}`;
    if (!typeOnly) return `${folder} may import only types of ${name}`;
  }
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  };
  return name in declared ? undefined : `${name} is not among the dependencies of its package.json`;
};

/** All violations under root, as `file:line: message`. */
export const checkImports = (root) => {
  const found = [];
  const packages = join(root, 'packages');
  for (const folder of readdirSync(packages).sort()) {
    const packageRoot = join(packages, folder);
    const files = sourcesOf(join(packageRoot, 'src'));
    if (!files.length) continue;
    const rule = RULES[folder];
    if (!rule) {
      found.push(`packages/${folder}: it has no row in the table of tools/check-imports.mjs`);
      continue;
    }
    const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
    const graph = new Map();
    for (const file of files) {
      const imports = importsOf(readFileSync(file, 'utf8'));
      for (const entry of imports) {
        const problem = judge(entry, { rule, folder, file, manifest, packageRoot });
        if (problem) found.push(`${relative(root, file)}:${entry.line}: '${entry.specifier}': ${problem}`);
      }
      const local = imports.filter(({ specifier, typeOnly }) => specifier.startsWith('.') && !typeOnly);
      graph.set(
        file,
        local.map(({ specifier }) => sourceFor(resolve(dirname(file), specifier))).filter(Boolean),
      );
    }
    const cycle = findCycle(graph);
    if (cycle) {
      const names = cycle.map((file) => relative(join(packageRoot, 'src'), file).split(sep).join('/'));
      found.push(`packages/${folder}: a cycle of imports: ${names.join(' -> ')}`);
    }
  }
  return found;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = checkImports(join(dirname(fileURLToPath(import.meta.url)), '..'));
  for (const line of found) console.log(line);
  console.log(found.length ? `${found.length} imports break the rules` : 'all imports follow the rules');
  if (found.length) process.exitCode = 1;
}
