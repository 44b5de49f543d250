// Builds the WebAssembly modules of the kernels with @yowasp/clang, so that no system toolchain is needed:
//   dist/kernels.wasm                  strict SIMD: bit-identical results on every machine
//   dist/kernels-threads.wasm          strict SIMD, with threads
//   dist/kernels-relaxed.wasm          relaxed SIMD: fused multiply-add if the machine supports it
//   dist/kernels-relaxed-threads.wasm  relaxed SIMD, with threads
//   dist/kernels-infer.wasm            strict SIMD, only the kernels for inference, as small as possible at the same speed
//   dist/kernels-infer-threads.wasm    the same, with threads
// The math is compiled once for strict and once for relaxed SIMD (with atomics, also for the builds without threads). Only the
// thread pool differs between builds with and without threads. The inference-only builds are compiled separately, and
// Binaryen makes them a twelfth smaller without making them slower.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  cache,
  dist,
  eachParallel,
  hash,
  headersOf,
  isCurrent,
  prune,
  readSources,
  setCurrent,
  writeAtomically,
} from './common.mjs';
import { generate } from './generate.mjs';

const COMPILE = [
  ...['-c', '--target=wasm32', '-std=c++20', '-msimd128', '-mbulk-memory', '-mnontrapping-fptoint'],
  ...['-nostdlib', '-ffreestanding', '-fno-exceptions', '-fno-rtti', '-ffp-contract=off', '-fno-math-errno'],
  ...['-fvisibility=hidden', '-Wall', '-DUNROLL_ISA=wasm'],
];
const { kernels, constants } = generate();
// The loader (src/wasm.ts) creates the shared memory with this number of pages.
const { value: initialPages } = constants.find(({ name }) => name === 'initial_pages');
const LINK = [
  `--initial-memory=${65536 * initialPages}`,
  ...['--no-entry', '--stack-first', '-z', 'stack-size=262144', '--strip-all', '--gc-sections'],
];
const THREADS = ['--shared-memory', '--import-memory', '--max-memory=4294967296'];
const THREAD_EXPORTS = ['__wasm_init_tls', '__tls_size', '__tls_align', 'pool_worker'];
const EXPORTS = ['__stack_pointer', '__heap_base', 'pool_configure', 'pool_active', 'pool_scratch_bytes'];

const VARIANTS = [
  { file: 'kernels.wasm', relaxed: false, threads: false },
  { file: 'kernels-threads.wasm', relaxed: false, threads: true },
  { file: 'kernels-relaxed.wasm', relaxed: true, threads: false },
  { file: 'kernels-relaxed-threads.wasm', relaxed: true, threads: true },
  { file: 'kernels-infer.wasm', relaxed: false, threads: false, infer: true },
  { file: 'kernels-infer-threads.wasm', relaxed: false, threads: true, infer: true },
];
// Inference-only builds optimise these files for speed and the others for size.
const FAST = ['tile.cpp', 'lstm.cpp', 'gru.cpp', 'rnn.cpp'];
// These files are linked first, in this order: gzip looks back only 32 kB, so similar code should be adjacent.
const FIRST = [
  'tile.cpp',
  'lstm.cpp',
  'rnn.cpp',
  'gru.cpp',
  'gru_before.cpp',
  'cells.cpp',
  'gemm.cpp',
  'memory.cpp',
];
/** Returns whether inference-only builds leave out a file: it defines training kernels and no others, or checks the pool. */
const onlyTrains = (unit, text) => {
  const defined = kernels.filter(({ result, name }) => new RegExp(`^${result} ${name}\\(`, 'm').test(text));
  return unit === 'pool_check.cpp' || (defined.length > 0 && defined.every(({ training }) => training));
};

/** Runs up to `count` compilers in worker threads. Each starts when first needed, because it takes a hundred megabytes. */
const startCompilers = (count) => {
  const free = [];
  const workers = [];
  const waiting = [];
  const start = () => {
    const worker = new Worker(new URL('./wasm-compiler.mjs', import.meta.url));
    workers.push(worker);
    return worker;
  };
  const call = async (command, args, files, output) => {
    const worker =
      free.pop() ??
      (workers.length < count ? start() : await new Promise((resolve) => waiting.push(resolve)));
    try {
      return await new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', ({ bytes, error, log }) => {
          worker.removeListener('error', reject);
          if (log) process.stderr.write(log);
          bytes ? resolve(bytes) : reject(new Error(error));
        });
        worker.postMessage({ command, args, files, output });
      });
    } finally {
      const next = waiting.shift();
      next ? next(worker) : free.push(worker);
    }
  };
  return { call, stop: () => Promise.all(workers.map((worker) => worker.terminate())) };
};

const versionOf = (name, folder) => {
  const entry = createRequire(import.meta.url).resolve(name);
  return JSON.parse(readFileSync(join(entry, folder, 'package.json'), 'utf8')).version;
};

/** Returns the module after Binaryen has made it smaller. */
const shrink = async (bytes) => {
  const { default: binaryen } = await import('binaryen');
  const { Features } = binaryen;
  const module = binaryen.readBinary(bytes);
  // The WebAssembly features that the compiler uses. Binaryen may not use others.
  const used = [
    'Atomics',
    'BulkMemory',
    'BulkMemoryOpt',
    'MutableGlobals',
    'NontrappingFPToInt',
    'SIMD128',
    'SignExt',
  ];
  module.setFeatures(used.reduce((all, name) => all | Features[name], 0));
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  for (let round = 0; round < 3; round++) module.optimize(); // more rounds change nothing
  module.runPasses(['reorder-locals']);
  const smaller = module.emitBinary();
  module.dispose();
  return smaller;
};

/** Builds what is out of date and returns a message. If the compiler fails, throws an error with its output. */
export const buildWasm = async () => {
  let version;
  let binaryenVersion;
  try {
    version = versionOf('@yowasp/clang', '../..');
    binaryenVersion = versionOf('binaryen', '..');
  } catch {
    if (VARIANTS.every(({ file }) => existsSync(join(dist, file))))
      return 'not rebuilt (@yowasp/clang or binaryen is not installed)';
    throw new Error('@yowasp/clang or binaryen is missing: run `npm install --include=dev`');
  }
  const { headers, units } = readSources();

  const objects = new Map();
  const objectOf = (unit, { relaxed, threads, infer }) => {
    const flags = [...COMPILE, infer && !FAST.includes(unit) ? '-Oz' : '-O3'];
    if (infer) flags.push('-DUNROLL_INFERENCE_ONLY', '-fno-unroll-loops'); // loops over tiles are unrolled by pragma
    if (relaxed) flags.push('-mrelaxed-simd');
    if (threads || unit !== 'parallel.cpp') flags.push('-matomics');
    const used = headersOf(units[unit], headers);
    const key = hash(version, flags, used, unit, units[unit]);
    const name = `${unit.replace('.cpp', '')}-${key}.o`;
    objects.set(name, { name, unit, flags, used, path: join(cache, 'wasm', name) });
    return name;
  };
  const modules = VARIANTS.map((variant) => {
    const { file, threads, infer } = variant;
    const exports = [...EXPORTS, ...(infer ? [] : ['pool_check']), ...(threads ? THREAD_EXPORTS : [])];
    const needed = [...new Set([...FIRST, ...Object.keys(units)])].filter(
      (unit) => !infer || !onlyTrains(unit, units[unit]),
    );
    const parts = needed.map((unit) => objectOf(unit, variant));
    const args = [
      ...LINK,
      ...(threads ? THREADS : []),
      ...exports.map((name) => `--export=${name}`),
      ...parts,
    ];
    return {
      file,
      infer,
      path: join(dist, file),
      args,
      parts,
      key: hash(version, args, infer ? `${binaryenVersion} ${shrink}` : ''),
    };
  });
  const stale = modules.filter(({ path, key }) => !isCurrent(path, key));
  if (!stale.length) return 'up to date';

  const needed = new Set(stale.flatMap(({ parts }) => parts));
  const missing = [...objects.values()].filter(({ name, path }) => needed.has(name) && !existsSync(path));
  const width = Math.min(availableParallelism(), 4);
  const compilers = startCompilers(Math.min(width, Math.max(1, missing.length)));
  try {
    await eachParallel(missing, width, async ({ unit, flags, used, path }) => {
      const files = { ...used, [unit]: units[unit] };
      writeAtomically(path, await compilers.call('clang++', [...flags, unit, '-o', 'out.o'], files, 'out.o'));
    });
    await eachParallel(stale, width, async ({ path, infer, args, parts, key }) => {
      const files = Object.fromEntries(parts.map((name) => [name, readFileSync(objects.get(name).path)]));
      const linked = await compilers.call('wasm-ld', [...args, '-o', 'out.wasm'], files, 'out.wasm');
      writeAtomically(path, infer ? await shrink(linked) : linked);
      setCurrent(path, key);
    });
  } finally {
    await compilers.stop();
  }
  prune(join(cache, 'wasm'), objects);
  return `${stale.map(({ file }) => file).join(', ')} (clang ${version.split('-')[0]}, ${missing.length} compiled)`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await buildWasm());
