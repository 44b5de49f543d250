/**
 * The engines: how each is started and told its threads, which peak it is held against, and how to get it.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Launch } from './process.js';
import type { Peaks } from './protocol.js';

export interface EngineSpec {
  name: string;
  /** Its own package; null for Unroll. */
  peer: string | null;
  /** The widest vectors it can use: its fraction of the peak is of this. Null: it does not use vectors. */
  vectors: 'native' | 'simd128' | null;
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

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const peersFolder = '../peers/';

/** Python with PyTorch: as told, or the environment that `npm run bench:peers` makes. */
export function pythonPath(told: string | undefined): string {
  if (told !== undefined) return told;
  const windows = here(`${peersFolder}.venv/Scripts/python.exe`);
  return existsSync(windows) ? windows : here(`${peersFolder}.venv/bin/python`);
}

function inNode(script: string, threads: number, ...args: string[]): Launch {
  return { command: process.execPath, args: [here(`workers/${script}.js`), String(threads), ...args] };
}

function unroll(name: string): EngineSpec {
  const [, kind, variant] = /^unroll-(native|wasm)(?::(.+))?$/.exec(name) ?? [];
  if (kind === undefined)
    throw new Error(`There is no engine "${name}". There are: ${ENGINE_NAMES.join(', ')}.`);
  const backend = variant ? `${kind}:${variant}` : kind;
  return {
    name,
    peer: null,
    vectors: kind === 'native' ? 'native' : 'simd128',
    launch: (threads) => ({
      ...inNode('unroll', threads, backend),
      env: { UNROLL_THREADS: String(threads), UNROLL_BACKEND: backend },
    }),
  };
}

/**
 * The engine of that name; Unroll's take an instruction set or a build behind a colon: `unroll-native:avx2`,
 * `unroll-wasm:relaxed`.
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
  switch (name) {
    case 'pytorch':
      return {
        name,
        peer: 'torch',
        vectors: 'native',
        launch: (threads) => ({
          command: python,
          args: [here(`${peersFolder}pytorch.py`), String(threads)],
          env: { OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) },
        }),
      };
    case 'ort-node':
      return node('onnxruntime-node', 'native', 'ort', 'node');
    case 'ort-web':
      return node('onnxruntime-web', 'simd128', 'ort', 'web');
    case 'tfjs-wasm':
      return node('@tensorflow/tfjs-backend-wasm', 'simd128', 'tfjs');
    case 'brain':
      return node('brain.js', null, 'brain');
    default:
      return unroll(name);
  }
}

/** Whether the engine's package is there; the process itself says the rest. */
export function installed({ peer }: EngineSpec, python: string): boolean {
  if (peer === null) return true;
  if (peer === 'torch') return existsSync(python) || !python.includes('/');
  try {
    createRequire(here(`${peersFolder}package.json`)).resolve(peer);
    return true;
  } catch {
    return false;
  }
}

export function launchPeak(): Launch {
  return inNode('peak', 1);
}

/** The peak that an engine is held against, of so many GFLOP/s. */
export function peakFor({ name, vectors }: EngineSpec, peaks: Peaks): number | undefined {
  const width = name.split(':')[1] as keyof Peaks | undefined;
  if (vectors === 'native' && width !== undefined && peaks[width]) return peaks[width];
  if (vectors === 'native')
    return Math.max(peaks.avx512 ?? 0, peaks.avx2 ?? 0, peaks.simd128 ?? 0) || undefined;
  return vectors === 'simd128' ? peaks.simd128 : undefined;
}
