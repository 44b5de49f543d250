// Measures the bundle size of a page that runs an LSTM model: JavaScript, bundled and minified by esbuild, and WebAssembly,
// both gzipped. If TensorFlow.js is installed in bench/peers, also measures the same page with each of its backends.
//
//   node tools/size.mjs           prints a Markdown table
//   node tools/size.mjs --check   measures only Unroll with `loadWith`; fails above the limit (for `npm run check`)
//   node tools/size.mjs --files   also prints the size of the JavaScript by file
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const kernels = join(root, 'packages/kernels/dist');
const tfjs = join(root, 'bench/peers/node_modules/@tensorflow');

/**
 * Maximum gzipped bundle size with `loadWith`, in bytes: 50.9 kB, a third of the smallest page with TensorFlow.js, plus a
 * margin for other versions of zlib.
 */
const LIMIT = 51_000;

const APP = `import { Dense, LstmCell, loadWith } from 'unrolljs/infer';
export const predict = async (model, x) => (await (await loadWith(model, [LstmCell, Dense])).predict(x)).data();`;
const APP_LOAD = `import { load } from 'unrolljs/infer';
export const predict = async (model, x) => (await (await load(model)).predict(x)).data();`;
const onTfjs = (backend) => `import '@tensorflow/tfjs-backend-${backend}';
import { ready, setBackend, tensor } from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
export const predict = async (address, x) => {
  await setBackend('${backend}');
  await ready();
  return (await loadLayersModel(address)).predict(tensor(x)).data();
};`;

const PAGES = [
  { name: 'Unroll, `loadWith`', source: APP, wasm: join(kernels, 'kernels-infer.wasm') },
  { name: 'Unroll, `load`', source: APP_LOAD, wasm: join(kernels, 'kernels-infer.wasm') },
];
const TFJS_PAGES = [
  {
    name: 'TensorFlow.js, WebAssembly',
    source: onTfjs('wasm'),
    wasm: join(tfjs, 'tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm'),
  },
  { name: 'TensorFlow.js, WebGL', source: onTfjs('webgl') },
  { name: 'TensorFlow.js, JavaScript (`cpu`)', source: onTfjs('cpu') },
];

const bundle = (options) =>
  build({
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false },
    ...{ legalComments: 'none', logLevel: 'error', metafile: true, absWorkingDir: root },
    ...options,
  });

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;

const measure = async ({ name, source, wasm }, resolveDir) => {
  const { outputFiles, metafile } = await bundle({ stdin: { contents: source, resolveDir } });
  const script = outputFiles[0].contents;
  const module = wasm ? readFileSync(wasm) : new Uint8Array();
  const parts = Object.entries(Object.values(metafile.outputs)[0].inputs);
  return {
    ...{ name, js: script.length, wasm: module.length },
    ...{ jsGzipped: gzipped(script), wasmGzipped: wasm ? gzipped(module) : 0 },
    total: gzipped(script) + (wasm ? gzipped(module) : 0),
    parts: parts.map(([file, { bytesInOutput }]) => [bytesInOutput, file]).sort((a, b) => b[0] - a[0]),
  };
};

/** Writes the script of the page, its worker and the kernels to build/size-app. Returns the script's relative path. */
export const writeApp = async () => {
  const folder = join(root, 'build/size-app');
  mkdirSync(folder, { recursive: true });
  const script = join(folder, 'app.js');
  await bundle({
    stdin: { contents: APP, resolveDir: join(root, 'packages/unrolljs') },
    outfile: script,
    write: true,
  });
  const worker = {
    entryPoints: [join(kernels, 'worker-browser.js')],
    outfile: join(folder, 'worker-browser.js'),
  };
  await bundle({ ...worker, write: true });
  for (const file of ['kernels-infer.wasm', 'kernels-infer-threads.wasm'])
    copyFileSync(join(kernels, file), join(folder, file));
  return relative(root, script);
};

const kB = (bytes) => (bytes / 1000).toFixed(1);

const main = async () => {
  const check = process.argv.includes('--check');
  const unroll = [];
  for (const page of check ? PAGES.slice(0, 1) : PAGES)
    unroll.push(await measure(page, join(root, 'packages/unrolljs')));
  const tfjsPages = [];
  if (!check && existsSync(tfjs))
    for (const page of TFJS_PAGES) tfjsPages.push(await measure(page, join(tfjs, '..')));
  const [{ total, parts }] = unroll;
  if (process.argv.includes('--files')) for (const [bytes, file] of parts) console.log(`${bytes} ${file}`);
  console.log(
    '| page with one LSTM model | JavaScript, kB | gzipped | WebAssembly, kB | gzipped | total gzipped | relative size of Unroll |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const page of [...unroll, ...tfjsPages]) {
    const cells = [page.js, page.jsGzipped, page.wasm, page.wasmGzipped, page.total].map(kB);
    const ratio = page === unroll[0] ? '' : (total / page.total).toFixed(2);
    console.log(`| ${page.name} | ${cells.join(' | ')} | ${ratio} |`);
  }
  const trainingFiles = parts.filter(
    ([bytes, file]) => bytes > 0 && /packages\/(train|data|tasks)\//.test(file),
  );
  for (const [, file] of trainingFiles)
    console.log(`${file} must not be in the bundle of a page that only runs inference`);
  if (total > LIMIT)
    console.log(`the bundle has ${total} bytes, above the limit of ${LIMIT} (LIMIT in tools/size.mjs)`);
  if (total > LIMIT || trainingFiles.length > 0) process.exitCode = 1;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
