// Loads the Node-API addon from the package of this platform (an optional dependency), or from dist if it was built there.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CALL_BYTES, type CallArea } from './call-area.js';
import { checkedThreads } from './choice.js';
import { callSlots, interfaceVersion, type KernelExports, mostThreads } from './interface.generated.js';
import { KernelLoadError, type KernelModule } from './types.js';

interface Addon {
  cpu: { isas: string[] };
  instantiate(options: { isa?: string; cores?: number; reserveBytes?: number; sliceBytes?: number }): {
    memory: { buffer: ArrayBuffer };
    exports: KernelExports;
    isa: string;
    sliceBytes(): number;
    activeThreads(): number;
    checkPool(rounds: number): number;
  };
}

declare const __filename: string; // in a CommonJS bundle, which has no import.meta.url

const thisFile = import.meta.url ?? pathToFileURL(__filename).href;
const require = createRequire(thisFile);
let folder = thisFile;

/**
 * Sets the folder of the kernel files, for bundles, which do not contain them. Call it before any other function.
 * @param address the location of a copy of the folder `node_modules/@unroll/kernels/dist`: in Node a path or file URL, in
 * pages a URL, absolute or relative to the page
 */
export const kernelsAt = (address: string | URL): void => {
  const path = String(address).replace(/\/?$/, '/');
  folder = path.startsWith('file:') ? path : pathToFileURL(path).href;
};

/** Returns the URL of a file in the folder of the kernel files. */
export const kernelFile = (file: string): URL => new URL(file, folder);

const HOW_TO =
  'install the optional dependencies of @unroll/kernels or, in a clone, install g++ or clang++ and run `npm run build`; ' +
  'or use WebAssembly';

const findAddon = (): string => {
  try {
    return require.resolve(`@unroll/kernels-${process.platform}-${process.arch}/unroll.node`);
  } catch {
    // There is no package for this platform, or npm did not install optional dependencies.
  }
  const built = fileURLToPath(kernelFile('unroll.node'));
  if (existsSync(built)) return built;
  throw new KernelLoadError(
    `there are no native kernels for ${process.platform}-${process.arch} here: ${HOW_TO}`,
    'native-missing',
  );
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

/** Returns the instruction sets of the addon that this machine supports, best first; [] if there is no addon. */
export const nativeIsas = (): string[] => {
  try {
    return loadAddon().cpu.isas;
  } catch (error) {
    if (error instanceof KernelLoadError) return [];
    throw error;
  }
};

/** Returns the call area. It begins at address 64, because kernels read address 0 as a null pointer. */
const callAreaOf = (buffer: ArrayBuffer): CallArea => {
  const address = 64;
  const slots = new Float64Array(buffer, address, callSlots);
  return { address, slots, floats: slots };
};

/** Returns UNROLL_SLICE_BYTES, which is set by tests and measurements, as the option `sliceBytes` of the addon; {} if not set. */
const sliceOption = (): { sliceBytes?: number } => {
  const wanted = process.env.UNROLL_SLICE_BYTES;
  if (wanted === undefined || wanted === '') return {};
  const sliceBytes = Number(wanted);
  if (Number.isInteger(sliceBytes) && sliceBytes >= 0 && sliceBytes < 2 ** 30) return { sliceBytes };
  throw new KernelLoadError(
    `UNROLL_SLICE_BYTES must be a non-negative integer below 2^30, got "${wanted}"`,
    'bad-choice',
  );
};

export const loadNative = (isa?: string): KernelModule => {
  const addon = loadAddon();
  if (isa !== undefined && !addon.cpu.isas.includes(isa)) {
    throw new KernelLoadError(
      `the instruction set "${isa}" is not available on this machine: choose ${addon.cpu.isas.join(', ')}`,
      'isa-unavailable',
    );
  }
  const instance = addon.instantiate({
    ...(isa === undefined ? {} : { isa }),
    ...sliceOption(),
    cores: availableParallelism(),
  });
  const kernels = instance.exports;
  if (kernels.interface_version?.() !== interfaceVersion) {
    throw new KernelLoadError(
      'the native kernels are of another version than @unroll/kernels: reinstall both or, in a clone, run `npm run build`',
      'native-failed',
    );
  }
  const { buffer } = instance.memory;
  const calls = callAreaOf(buffer);
  return {
    kind: 'native',
    variant: instance.isa,
    inferenceOnly: false,
    kernels,
    calls,
    get sliceBytes() {
      return instance.sliceBytes();
    },
    memory: {
      buffer,
      heapBase: calls.address + CALL_BYTES,
      limit: buffer.byteLength,
      reserve: (bytes) => bytes <= buffer.byteLength,
    },
    maxThreads: mostThreads,
    get threads() {
      return kernels.get_threads();
    },
    get activeThreads() {
      return instance.activeThreads();
    },
    checkPool: (rounds) => instance.checkPool(rounds),
    setThreads: (count) => kernels.set_threads(checkedThreads(count, mostThreads)),
  };
};
