/**
 * The engines of the benchmark: Unroll and the libraries that it is compared with (the peers), each on one backend. For each
 * engine: how to start it, which peak performance it is compared with, and whether it is installed.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { findChromium } from '@unroll/testkit/chromium';
import { inChromium } from './chromium.js';
import { type Launch, spawned } from './process.js';
import type { Peaks } from './protocol.js';

export interface EngineSpec {
  name: string;
  /** The npm or Python package of the engine; null for Unroll. */
  peer: string | null;
  /** The widest vectors that the engine can use; its peak depends on them. Null if the engine uses no vectors. */
  vectors: 'native' | 'simd128' | 'simd128Chromium' | null;
  /** Returns a function that starts the engine with this number of threads. */
  launch(threads: number): Launch;
}

export const ENGINE_NAMES = [
  'unroll-native',
  'unroll-wasm',
  'pytorch',
  'ort-node',
  'ort-web',
  'tfjs-wasm',
  'brain',
] as const;
/** Engines in a page of headless Chromium. They run only if `--engines` names them. */
export const CHROMIUM_NAMES = ['unroll-wasm@chromium', 'ort-web@chromium', 'tfjs-wasm@chromium'] as const;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peersFolder = '../peers/';

/**
 * Returns the path of a Python that has PyTorch.
 * @param path the value of `--python`; default: the environment that `npm run bench:peers` creates
 */
export function pythonPath(path: string | undefined): string {
  if (path !== undefined) return path;
  const windows = here(`${peersFolder}.venv/Scripts/python.exe`);
  return existsSync(windows) ? windows : here(`${peersFolder}.venv/bin/python`);
}

function inNode(script: string, threads: number, ...args: string[]): Launch {
  return spawned(process.execPath, [here(`workers/${script}.js`), String(threads), ...args]);
}

/** Parses the name of one of Unroll's engines. @throws Error if the name is invalid */
function unroll(name: string): EngineSpec {
  const [, kind, variant, host] = /^unroll-(native|wasm)(?::([^@]+))?(@chromium)?$/.exec(name) ?? [];
  if (kind === undefined || (kind === 'native' && host !== undefined)) {
    const names = [...ENGINE_NAMES, ...CHROMIUM_NAMES].join(', ');
    throw new Error(`engine must be one of ${names}, got "${name}".`);
  }
  const backend = variant ? `${kind}:${variant}` : kind;
  if (host !== undefined) {
    const launch = (threads: number): Launch => inChromium('unroll', threads, backend);
    return { name, peer: null, vectors: 'simd128Chromium', launch };
  }
  return {
    name,
    peer: null,
    vectors: kind === 'native' ? 'native' : 'simd128',
    launch: (threads) =>
      spawned(process.execPath, [here('workers/unroll.js'), String(threads), backend], {
        UNROLL_THREADS: String(threads),
        UNROLL_BACKEND: backend,
      }),
  };
}

/**
 * Returns the engine with this name. In the names of Unroll's engines, a colon selects an instruction set or a build
 * (`unroll-native:avx2`, `unroll-wasm:relaxed`), and `@chromium` selects the browser (`unroll-wasm:relaxed@chromium`).
 * @param python the Python that runs PyTorch
 * @throws Error if there is no such engine
 */
export function engineSpec(name: string, python: string): EngineSpec {
  const node = (
    peer: string,
    vectors: EngineSpec['vectors'],
    script: string,
    ...args: string[]
  ): EngineSpec => ({
    name,
    peer,
    vectors,
    launch: (threads) => inNode(script, threads, ...args),
  });
  const page = (peer: string, script: string, argument?: string): EngineSpec => ({
    name,
    peer,
    vectors: 'simd128Chromium',
    launch: (threads) => inChromium(script, threads, argument),
  });
  switch (name) {
    case 'pytorch':
      return {
        name,
        peer: 'torch',
        vectors: 'native',
        launch: (threads) =>
          spawned(python, [here(`${peersFolder}pytorch.py`), String(threads)], {
            OMP_NUM_THREADS: String(threads),
            MKL_NUM_THREADS: String(threads),
          }),
      };
    case 'ort-node':
      return node('onnxruntime-node', 'native', 'ort', 'node');
    case 'ort-web':
      return node('onnxruntime-web', 'simd128', 'ort', 'web');
    case 'ort-web@chromium':
      return page('onnxruntime-web', 'ort', 'web');
    case 'tfjs-wasm':
      return node('@tensorflow/tfjs-backend-wasm', 'simd128', 'tfjs');
    case 'tfjs-wasm@chromium':
      return page('@tensorflow/tfjs-backend-wasm', 'tfjs');
    case 'brain':
      return node('brain.js', null, 'brain');
    default:
      return unroll(name);
  }
}

/** True if the engine runs in a page of Chromium. */
export const isInPage = ({ vectors }: EngineSpec): boolean => vectors === 'simd128Chromium';

/** True if the engine's package, and its browser if it needs one, are installed. */
export function isInstalled(spec: EngineSpec, python: string): boolean {
  const { peer } = spec;
  if (isInPage(spec) && findChromium() === undefined) return false;
  if (peer === null) return true;
  if (peer === 'torch') return existsSync(python) || !python.includes('/');
  try {
    createRequire(here(`${peersFolder}package.json`)).resolve(peer);
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns functions that start the processes that measure the peak: one in Node, and one in Chromium if an engine runs there.
 * The script `peak` takes the key of 128-bit vectors in {@link Peaks} as its argument.
 */
export function peakLaunches(engines: readonly EngineSpec[]): Launch[] {
  const chromium = engines.some(isInPage) ? [inChromium('peak', 1, 'simd128Chromium')] : [];
  return [inNode('peak', 1, 'simd128'), ...chromium];
}

/** Returns the peak of an engine in GFLOP/s; undefined if the engine uses no vectors or the peak was not measured. */
export function peakFor({ name, vectors }: EngineSpec, peaks: Peaks): number | undefined {
  const width = name.split(':')[1] as keyof Peaks | undefined;
  if (vectors === 'native' && width !== undefined && peaks[width]) return peaks[width];
  if (vectors === 'native')
    return Math.max(peaks.avx512 ?? 0, peaks.avx2 ?? 0, peaks.simd128 ?? 0) || undefined;
  return vectors === null ? undefined : peaks[vectors];
}
