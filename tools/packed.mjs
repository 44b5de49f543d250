// Packs all packages and installs them in a temporary project, as a user of npm would. Needs no network: third-party
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

/** Runs npm in a folder and returns its output. */
export const npm = (cwd, ...args) =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: 'pipe', shell: process.platform === 'win32' });

/** Returns the package.json of a folder as an object. */
export const manifestIn = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** Returns the published packages of this repository as { name: folder }. */
export const publishedPackages = () => {
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
  const manifests = folders.map((folder) => [manifestIn(folder), folder]);
  return Object.fromEntries(
    manifests.filter(([manifest]) => !manifest.private).map(([manifest, folder]) => [manifest.name, folder]),
  );
};

/** Returns the folders of all direct and indirect third-party dependencies of the packages in `folders`. */
const thirdPartyFolders = (folders, found = new Map()) => {
  for (const folder of folders) {
    const resolve = createRequire(join(folder, 'package.json')).resolve;
    for (const name of Object.keys(manifestIn(folder).dependencies ?? {})) {
      if (name === 'unrolljs' || name.startsWith('@unroll/') || found.has(name)) continue;
      const candidates = resolve.paths(name).map((path) => join(path, name));
      found.set(
        name,
        candidates.find((path) => existsSync(join(path, 'package.json'))),
      );
      thirdPartyFolders([found.get(name)], found);
    }
  }
  return [...found.values()];
};

/**
 * Packs all packages and their third-party dependencies into an existing folder. Returns { name: { file, paths } }: for
 * each package, the path of the tarball and the paths of the files in it.
 */
const packAll = (destination) => {
  const folders = Object.values(publishedPackages());
  const options = ['--ignore-scripts', '--json', '--pack-destination', destination];
  const packed = JSON.parse(npm(root, 'pack', ...options, ...folders, ...thirdPartyFolders(folders)));
  const results = Array.isArray(packed) ? packed : Object.values(packed);
  return Object.fromEntries(
    results.map(({ name, filename, files }) => {
      const file = join(destination, filename.replace('@', '').replace('/', '-'));
      return [name, { file, paths: files.map(({ path }) => path) }];
    }),
  );
};

/** Writes a package.json with all packed packages as dependencies to the folder `project`, and runs npm install there. */
const installAll = (project, packed) => {
  const isNative = (name) => name.startsWith('@unroll/kernels-');
  const select = (predicate) =>
    Object.fromEntries(
      Object.entries(packed)
        .filter(([name]) => predicate(name))
        .map(([name, { file }]) => [name, `file:${file}`]),
    );
  const manifest = {
    ...{ name: 'project', private: true, type: 'module' },
    dependencies: select((name) => !isNative(name)),
    optionalDependencies: select(isNative),
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest, null, 2));
  npm(project, 'install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts');
};

/**
 * Creates a project with all packages installed, in a temporary folder. Returns:
 * - `packed`: the tarballs; `folder`: the project; `modules`: its node_modules
 * - `aside`: a path to which a test may move a package
 * - `write(name, text)` writes a file; `run(...args)` runs node and returns its output; `remove()` deletes everything
 */
export const makeProject = () => {
  const temporary = mkdtempSync(join(tmpdir(), 'unroll-pack-'));
  const folder = join(temporary, 'project');
  const tarballs = join(temporary, 'tarballs');
  for (const path of [folder, tarballs]) mkdirSync(path);
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
 * Returns the programs in a document as [{ name, code, output, error }]. A comment before a code block gives the file
 * name of a program, as in `<!-- train.mjs -->`, or marks the expected `<!-- output -->` or `<!-- error -->` of the
 * previous program.
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
