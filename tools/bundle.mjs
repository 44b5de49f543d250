// Bundles the packages for Node, to start faster: Node needs about half a millisecond per file, and without bundles, a
// program that only predicts would read 110 files. For each *.bundle.js in a package's `exports`, combines the entry
// point and the files that it imports from the same package into one file. Code that several entry points share is in a
// separate file, and other packages remain imports; a module is therefore never loaded twice. Browsers, and bundlers for
// browsers, use the unbundled files.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const packages = join(dirname(fileURLToPath(import.meta.url)), '../packages');
const ENDING = '.bundle.js';

/** Returns all paths in a value of `exports`. */
const pathsIn = (value) =>
  typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(pathsIn);

/**
 * Dependencies in CommonJS that every program would load: the file, and the functions that are used. To import CommonJS, Node
 * searches its text for exports, which takes 30 ms. Therefore the bundle contains the dependencies, and runs a dependency only
 * when one of its functions is called for the first time.
 */
const COMMON_JS = { papaparse: { file: 'papaparse/papaparse.min.js', functions: ['parse'] } };

const { resolve } = createRequire(import.meta.url);

/** Returns the text of a module that exports the used functions of a dependency and loads it when one is first called. */
const lazyModule = (name) => {
  const calls = COMMON_JS[name].functions.map(
    (method) => `${method}: (...args) => require('${name}').${method}(...args)`,
  );
  return `export default { ${calls.join(', ')} };`;
};

const lazyCommonJs = {
  name: 'lazy-common-js',
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(${Object.keys(COMMON_JS).join('|')})$`);
    onResolve({ filter }, ({ path, kind }) =>
      kind === 'require-call' ? { path: resolve(COMMON_JS[path].file) } : { path, namespace: 'common-js' },
    );
    onLoad({ filter, namespace: 'common-js' }, ({ path }) => ({ contents: lazyModule(path), loader: 'js' }));
  },
};

/** Bundles one package. Returns the number of its bundled entry points. */
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
      plugins: [lazyCommonJs],
    },
    ...{
      outdir: 'dist',
      outbase: 'dist',
      entryNames: '[dir]/[name].bundle',
      chunkNames: '[hash].bundle',
      absWorkingDir: folder,
    },
    ...{ sourcemap: true, sourcesContent: false, metafile: true, logLevel: 'warning' },
  });
  const written = new Set(Object.keys(metafile.outputs));
  for (const file of readdirSync(join(folder, 'dist'), { recursive: true })) {
    const isOld = /\.bundle\.js(\.map)?$/.test(file) && !written.has(`dist/${file.replaceAll('\\', '/')}`);
    if (isOld) rmSync(join(folder, 'dist', file));
  }
  return bundles.size;
};

/** Bundles every package. Returns a line of text for the build output. */
export const bundle = async () => {
  const counts = await Promise.all(readdirSync(packages).map(bundlePackage));
  return `${counts.reduce((sum, count) => sum + count, 0)} entry points for Node`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await bundle());
