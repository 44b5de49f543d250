// Bundles the packages for Node: each entry whose `exports` name a *.bundle.js becomes one file with all its imports
// from its own package. Node needs about half a millisecond per file, and a program that only predicts would read 110
// of them. Other packages stay separate imports, so that every module exists once in any combination of packages and
// entries; code shared by entries of one package is in a separate file. Browsers, and bundlers for browsers, use the
// compiled files.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const packages = join(dirname(fileURLToPath(import.meta.url)), '../packages');
const ENDING = '.bundle.js';

/** The paths in a value of `exports`. */
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

/** Bundles every package; returns a line of text for the build output. */
export const bundle = async () => {
  const counts = await Promise.all(readdirSync(packages).map(bundlePackage));
  return `${counts.reduce((sum, count) => sum + count, 0)} entries for Node`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await bundle());
