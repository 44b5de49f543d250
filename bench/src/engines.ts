/**
 * The engines: how each is started and told its threads, which peak it is held against, and how to get it.
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
  /** Its own package; null for Unroll. */
  peer: string | null;
  /** The widest vectors it can use: its fraction of the peak is of this. Null: it does not use vectors. */
  vectors: 'native' | 'simd128' | 'simd128Chromium' | null;
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
/** The same scripts in a page of headless Chromium: run where they are asked for. */
export const CHROMIUM_NAMES = ['unroll-wasm@chromium', 'ort-web@chromium', 'tfjs-wasm@chromium'] as const;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peersFolder = '../peers/';

/** Python with PyTorch: as told, or the environment that `npm run bench:peers` makes. */
export function pythonPath(told: string | undefined): string {
  if (told !== undefined) return told;
  const windows = here(`${peersFolder}.venv/Scripts/python.exe`);
  return existsSync(windows) ? windows : here(`${peersFolder}.venv/bin/python`);
}

function inNode(script: string, threads: number, ...args: string[]): Launch {
  return spawned(process.execPath, [here(`workers/${script}.js`), String(threads), ...args]);
}

function unroll(name: string): EngineSpec {
  const [, kind, variant, place] = /^unroll-(native|wasm)(?::([^@]+))?(@chromium)?$/.exec(name) ?? [];
  if (kind === undefined || (kind === 'native' && place !== undefined)) {
    const names = [...ENGINE_NAMES, ...CHROMIUM_NAMES].join(', ');
    throw new Error(`There is no engine "${name}". There are: ${names}.`);
  }
  const backend = variant ? `${kind}:${variant}` : kind;
  if (place !== undefined) {
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
 * The engine of that name; Unroll's take an instruction set or a build behind a colon: `unroll-native:avx2`,
 * `unroll-wasm:relaxed`, and behind it the place: `unroll-wasm:relaxed@chromium`.
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

export const inPage = ({ vectors }: EngineSpec): boolean => vectors === 'simd128Chromium';

/** Whether the engine's package is there, and its browser; the process itself says the rest. */
export function installed(spec: EngineSpec, python: string): boolean {
  const { peer } = spec;
  if (inPage(spec) && findChromium() === undefined) return false;
  if (peer === null) return true;
  if (peer === 'torch') return existsSync(python) || !python.includes('/');
  try {
    createRequire(here(`${peersFolder}package.json`)).resolve(peer);
    return true;
  } catch {
    return false;
  }
}

/** What measures the peak, of Node and where an engine runs in Chromium, of that: the key is that of 128 bits. */
export function peakLaunches(engines: readonly EngineSpec[]): Launch[] {
  const chromium = engines.some(inPage) ? [inChromium('peak', 1, 'simd128Chromium')] : [];
  return [inNode('peak', 1, 'simd128'), ...chromium];
}

/** The peak that an engine is held against, of so many GFLOP/s. */
export function peakFor({ name, vectors }: EngineSpec, peaks: Peaks): number | undefined {
  const width = name.split(':')[1] as keyof Peaks | undefined;
  if (vectors === 'native' && width !== undefined && peaks[width]) return peaks[width];
  if (vectors === 'native')
    return Math.max(peaks.avx512 ?? 0, peaks.avx2 ?? 0, peaks.simd128 ?? 0) || undefined;
  return vectors === null ? undefined : peaks[vectors];
}
