// The packages as npm users get them: packed, and installed together into a project. Needs no network: third-party
// dependencies are packed from the installed copies.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export const npm = (cwd, ...args) =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: 'pipe', shell: process.platform === 'win32' });

/** The package.json of a folder. */
export const manifestIn = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** The published packages of this repository, as { name: folder }. */
export const ownPackages = () => {
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
  const manifests = folders.map((folder) => [manifestIn(folder), folder]);
  return Object.fromEntries(
    manifests.filter(([own]) => !own.private).map(([own, folder]) => [own.name, folder]),
  );
};

/** The folders of all direct and indirect third-party dependencies of the given packages. */
const foreignFolders = (folders, found = new Map()) => {
  for (const folder of folders) {
    const resolve = createRequire(join(folder, 'package.json')).resolve;
    for (const name of Object.keys(manifestIn(folder).dependencies ?? {})) {
      if (name === 'unrolljs' || name.startsWith('@unroll/') || found.has(name)) continue;
      const home = resolve.paths(name).map((path) => join(path, name));
      found.set(
        name,
        home.find((path) => existsSync(join(path, 'package.json'))),
      );
      foreignFolders([found.get(name)], found);
    }
  }
  return [...found.values()];
};

/**
 * Packs everything into a folder, which must exist; returns { name: { file, paths } }, the tarball and the paths of the
 * files in it.
 */
const packAll = (destination) => {
  const own = Object.values(ownPackages());
  const options = ['--ignore-scripts', '--json', '--pack-destination', destination];
  const packed = JSON.parse(npm(root, 'pack', ...options, ...own, ...foreignFolders(own)));
  const results = Array.isArray(packed) ? packed : Object.values(packed);
  return Object.fromEntries(
    results.map(({ name, filename, files }) => {
      const file = join(destination, filename.replace('@', '').replace('/', '-'));
      return [name, { file, paths: files.map(({ path }) => path) }];
    }),
  );
};

/** Creates a project that depends on all packed packages, and installs it with npm. */
const installAll = (project, packed) => {
  const isNative = (name) => name.startsWith('@unroll/kernels-');
  const pick = (wanted) =>
    Object.fromEntries(
      Object.entries(packed)
        .filter(([name]) => wanted(name))
        .map(([name, { file }]) => [name, `file:${file}`]),
    );
  const manifest = {
    ...{ name: 'project', private: true, type: 'module' },
    dependencies: pick((name) => !isNative(name)),
    optionalDependencies: pick(isNative),
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest, null, 2));
  npm(project, 'install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts');
};

/**
 * A project with all packages installed, in a temporary folder. `run` runs one of its files and returns the output,
 * `write` writes a file.
 */
export const makeProject = () => {
  const temporary = mkdtempSync(join(tmpdir(), 'unroll-pack-'));
  const folder = join(temporary, 'project');
  const tarballs = join(temporary, 'tarballs');
  for (const each of [folder, tarballs]) mkdirSync(each);
  const packed = packAll(tarballs);
  installAll(folder, packed);
  return {
    ...{ packed, folder, aside: join(temporary, 'aside'), modules: join(folder, 'node_modules') },
    write: (name, text) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    },
    run: (...args) =>
      execFileSync(process.execPath, args, {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    remove: () => rmSync(temporary, { recursive: true }),
  };
};

/**
 * The programs in a document, [{ name, code, output, error }]. In the document, the comments `<!-- name -->`,
 * `<!-- output -->` and `<!-- error -->` precede the code blocks.
 */
export const programsIn = (file) => {
  const text = readFileSync(join(root, file), 'utf8');
  const programs = [];
  for (const [, marker, language, content] of text.matchAll(
    /(?:<!-- (\S+) -->\n)?^```(\w*)\n([\s\S]*?)^```$/gm,
  )) {
    if (marker === 'output' || marker === 'error') programs.at(-1)[marker] = content;
    else if (['js', 'ts', 'html'].includes(language)) programs.push({ name: marker, code: content });
  }
  return programs;
};
