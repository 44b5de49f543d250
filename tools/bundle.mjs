// What Node loads of a package: each entry whose `exports` name a *.bundle.js, with all that it imports from its own
// package, in one file. Node takes about half a millisecond a file, and a program that only predicts would read 110 of
// them. Other packages are imported as they are, so that every module still exists once, however a program mixes
// packages and entries; what entries of one package share lies in a file beside them. Browsers, and who bundles for
// them, get the files as they were compiled.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const packages = join(dirname(fileURLToPath(import.meta.url)), '../packages');
const ENDING = '.bundle.js';

/** The paths that a value of `exports` leads to. */
const pathsIn = (value) =>
  typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(pathsIn);

const bundlePackage = async (name) => {
  const folder = join(packages, name);
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const bundles = new Set(pathsIn(exports).filter((path) => path.endsWith(ENDING)));
  if (bundles.size === 0) return 0;
  const { metafile } = await build({
    entryPoints: [...bundles].map((path) => path.replace(ENDING, '.js')),
    ...{
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
    },
    ...{ outdir: 'dist', entryNames: '[name].bundle', chunkNames: '[hash].bundle', absWorkingDir: folder },
    ...{ sourcemap: true, sourcesContent: false, metafile: true, logLevel: 'warning' },
  });
  const written = new Set(Object.keys(metafile.outputs).map((file) => basename(file)));
  for (const file of readdirSync(join(folder, 'dist'))) {
    if (/\.bundle\.js(\.map)?$/.test(file) && !written.has(file)) rmSync(join(folder, 'dist', file));
  }
  return bundles.size;
};

/** Bundles every package; returns a line for people. */
export const bundle = async () => {
  const counts = await Promise.all(readdirSync(packages).map(bundlePackage));
  return `${counts.reduce((sum, count) => sum + count, 0)} entries for Node`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await bundle());
