// Checks the import rules of ARCHITECTURE.md in packages/*/src:
//   - A package imports only the packages that its row of the table allows, by name, and declares them in package.json.
//   - Node built-ins are imported only in files named *node*.ts and in packages that run only in Node, never in studio.
//   - The imports between the files of a package have no cycles. Type-only imports do not count.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIBRARY = ['kernels', 'core', 'nn', 'train', 'data', 'formats', 'insight'];

/**
 * The column "may import" of the table in ARCHITECTURE.md, with one entry per package. `allow`: packages that may be
 * imported. `node`: runs only in Node. `noNode`: may not import Node built-ins. `bundled`: is published as a bundle, so its
 * imports are devDependencies. `anything`: may import everything, because the package is not published.
 */
export const RULES = {
  kernels: { allow: [] },
  core: { allow: ['kernels'] },
  nn: { allow: ['core'] },
  train: { allow: ['core'] },
  data: { allow: ['core'] },
  formats: { allow: ['core', 'nn'] },
  insight: { allow: ['core', 'nn', 'train'] },
  tasks: { allow: LIBRARY },
  studio: { allow: [...LIBRARY, 'tasks'], noNode: true, bundled: true },
  cli: { allow: [...LIBRARY, 'tasks', 'studio'], node: true },
  unrolljs: { allow: [...LIBRARY, 'tasks'] },
  testkit: { anything: true },
};

const folderOf = (name) => (name === 'unrolljs' ? 'unrolljs' : name.replace(/^@unroll\//, ''));
const isWorkspacePackage = (name) => name === 'unrolljs' || name.startsWith('@unroll/');
const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

/** Replaces comments by spaces, so that examples in comments do not count as imports. Keeps strings and line numbers. */
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

/** Returns the imports in the text of a file as { specifier, typeOnly, line }. */
export const importsOf = (source) => {
  const text = withoutComments(source);
  return FORMS.flatMap((form) =>
    [...text.matchAll(form)].map((match) => ({
      specifier: match[3],
      // Types such as `let x: import('./a.js').A` count as imports of values, which is stricter than necessary.
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

/** Returns the first import cycle, as a list of files that begins and ends with the same file; undefined if there is none. */
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

/** Returns a message about the rule that an import violates; undefined if it violates none. */
const judge = ({ specifier }, { rule, folder, file, manifest, packageRoot }) => {
  const bare = specifier.replace(/^node:/, '');
  if (specifier.startsWith('node:') || builtinModules.includes(bare)) {
    if (!specifier.startsWith('node:')) return `write node:${bare}`;
    if (rule.noNode) return `${folder} runs in browsers and may not import Node built-ins`;
    if (rule.node || rule.anything || /node/.test(basename(file))) return undefined;
    return 'Node built-ins belong in a file named *node*.ts (or *-node.ts)';
  }
  if (specifier.startsWith('.')) {
    const inside = !relative(packageRoot, resolve(dirname(file), specifier)).startsWith('..');
    return inside ? undefined : 'the path leaves the package: import the other package by its name';
  }
  if (specifier.startsWith('#')) {
    return specifier in (manifest.imports ?? {}) ? undefined : 'not declared in "imports" of package.json';
  }
  const name = packageOf(specifier);
  if (name === manifest.name) return 'a package must not import itself by name: use a relative path';
  if (isWorkspacePackage(name) && !rule.anything && !rule.allow.includes(folderOf(name)))
    return `${folder} may import ${rule.allow.join(', ') || 'no other package'}, not ${name}`;
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
    ...(rule.bundled && manifest.devDependencies),
  };
  return name in declared ? undefined : `${name} is not in the dependencies of package.json`;
};

/** Returns all violations under root, as `file:line: 'specifier': message`. */
export const checkImports = (root) => {
  const found = [];
  const packages = join(root, 'packages');
  for (const folder of readdirSync(packages).sort()) {
    const packageRoot = join(packages, folder);
    const files = sourcesOf(join(packageRoot, 'src'));
    if (!files.length) continue;
    const rule = RULES[folder];
    if (!rule) {
      found.push(`packages/${folder}: add a row to RULES in tools/check-imports.mjs`);
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
      found.push(`packages/${folder}: import cycle: ${names.join(' -> ')}`);
    }
  }
  return found;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = checkImports(join(dirname(fileURLToPath(import.meta.url)), '..'));
  for (const line of found) console.log(line);
  console.log(
    found.length ? `violations of the import rules: ${found.length}` : 'all imports follow the rules',
  );
  if (found.length) process.exitCode = 1;
}
