// Loads the Node-API addon: the one built here, or the one that npm brought as an optional package for this platform.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { checkedThreads } from './choice.js';
import { interfaceVersion, type KernelExports } from './interface.generated.js';
import { KernelLoadError, type KernelModule } from './types.js';

interface Addon {
  cpu: { isas: string[] };
  instantiate(options: { isa?: string; cores?: number; reserveBytes?: number }): {
    memory: { buffer: ArrayBuffer };
    exports: KernelExports;
    isa: string;
    activeThreads(): number;
    checkPool(rounds: number): number;
  };
}

const MOST_THREADS = 128; // as in cpp/pool.h
const require = createRequire(import.meta.url);

const HOW_TO = 'install g++ or clang++ and run `npm run build`, or use WebAssembly';

const findAddon = (): string => {
  const own = fileURLToPath(new URL('./unroll.node', import.meta.url));
  if (existsSync(own)) return own;
  try {
    return require.resolve(`@unroll/kernels-${process.platform}-${process.arch}/unroll.node`);
  } catch {
    throw new KernelLoadError(
      `there are no native kernels for ${process.platform}-${process.arch} here: ${HOW_TO}`,
      'native-missing',
    );
  }
};

const loadAddon = (): Addon => {
  const file = findAddon();
  try {
    return require(file) as Addon;
  } catch (error) {
    throw new KernelLoadError(
      `the native kernels do not load (${(error as Error).message}): ${HOW_TO}`,
      'native-failed',
      { cause: error },
    );
  }
};

/** The instruction sets of the addon that this machine has, best first; none if there is no addon. */
export const nativeIsas = (): string[] => {
  try {
    return loadAddon().cpu.isas;
  } catch (error) {
    if (error instanceof KernelLoadError) return [];
    throw error;
  }
};

export const loadNative = (isa?: string): KernelModule => {
  const addon = loadAddon();
  if (isa !== undefined && !addon.cpu.isas.includes(isa)) {
    throw new KernelLoadError(
      `the instruction set "${isa}" is not available here; these are: ${addon.cpu.isas.join(', ')}`,
      'isa-unavailable',
    );
  }
  const instance = addon.instantiate({
    ...(isa === undefined ? {} : { isa }),
    cores: availableParallelism(),
  });
  const kernels = instance.exports;
  if (kernels.interface_version?.() !== interfaceVersion) {
    throw new KernelLoadError(
      'the native kernels do not match this version: run `npm run build`',
      'native-failed',
    );
  }
  const { buffer } = instance.memory;
  return {
    kind: 'native',
    variant: instance.isa,
    inferenceOnly: false,
    kernels,
    memory: {
      buffer,
      heapBase: 64,
      limit: buffer.byteLength,
      reserve: (bytes) => bytes <= buffer.byteLength,
    },
    maxThreads: MOST_THREADS,
    get threads() {
      return kernels.get_threads();
    },
    get activeThreads() {
      return instance.activeThreads();
    },
    checkPool: (rounds) => instance.checkPool(rounds),
    setThreads: (count) => kernels.set_threads(checkedThreads(count, MOST_THREADS)),
  };
};
