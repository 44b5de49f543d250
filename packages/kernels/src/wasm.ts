// Creates a KernelModule from a compiled WebAssembly module, in Node and in browsers. The caller provides the module and a
// function that starts a worker. The layout of the memory is:
//
//   [stack, data] | __heap_base: scratch of the first thread | per worker: thread-local storage, stack, scratch |
//   call area | heap
//
// Kernels use a worker as soon as it has entered the pool.
import { CALL_BYTES, type Slots } from './call-area.js';
import { checkedThreads } from './choice.js';
import {
  callSlots,
  initialPages,
  interfaceVersion,
  type KernelExports,
  type Pointer,
} from './interface.generated.js';
import { missingKernels } from './missing-kernels.js';
import { KernelLoadError, type KernelModule, type LinearMemory } from './types.js';

/** The data that a worker needs to enter the pool. */
export interface WorkerStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  stackTop: number;
  storage: number;
  scratch: number;
}

/** The compiled module and its properties, and what the entry point for Node or browsers provides. */
export interface WasmOptions {
  module: WebAssembly.Module;
  relaxed: boolean;
  infer: boolean;
  threads: boolean;
  /** The number of threads that can run at the same time. With more threads, those that wait sleep without spinning first. */
  cores: number;
  maxThreads: number;
  /** Whether this thread may block. The main thread of a page may not. */
  mayWait: boolean;
  /** Starts a worker, which calls {@link enterPool}. */
  spawn(start: WorkerStart): void;
}

interface PoolExports {
  memory?: WebAssembly.Memory;
  __heap_base: WebAssembly.Global;
  __stack_pointer: WebAssembly.Global;
  pool_configure(cores: number, mayWait: number, scratch: number): void;
  pool_active(): number;
  pool_scratch_bytes(): number;
  pool_check?(rounds: number): number;
}

interface WorkerExports extends PoolExports {
  __tls_size: WebAssembly.Global;
  __wasm_init_tls(storage: number): void;
  pool_worker(scratch: number): void;
}

const PAGE = 65536;
const MAX_PAGES = 65536;
const STACK = 256 * 1024;

const NONE = new Int32Array();

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/**
 * Creates shared memory, whose limit is fixed from the start. Some browsers do not allow 4 GiB; smaller limits are then
 * tried.
 */
const sharedMemory = (): WasmMemory => {
  for (let pages = MAX_PAGES; pages >= 4096; pages /= 2) {
    try {
      return new WasmMemory(
        new WebAssembly.Memory({ initial: initialPages, maximum: pages, shared: true }),
        pages,
      );
    } catch {
      // Try half of it.
    }
  }
  throw new KernelLoadError(
    'no address space for shared WebAssembly memory: set threads to false',
    'threads-unavailable',
  );
};

class WasmMemory implements LinearMemory {
  readonly wasm: WebAssembly.Memory;
  readonly limit: number;
  heapBase = 0;
  /** The call area. Its address is set once the layout is known. */
  readonly calls: { address: Pointer; slots: Slots; floats: Slots } = {
    address: 0,
    slots: NONE,
    floats: NONE,
  };

  constructor(wasm: WebAssembly.Memory, pages: number) {
    this.wasm = wasm;
    this.limit = pages * PAGE;
  }
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    return this.wasm.buffer;
  }

  updateCallViews(): void {
    const { calls, buffer } = this;
    calls.slots = new Int32Array(buffer, calls.address, callSlots);
    calls.floats = new Float32Array(buffer, calls.address, callSlots);
  }

  reserve(bytes: number): boolean {
    const missing = Math.ceil((bytes - this.wasm.buffer.byteLength) / PAGE);
    if (missing <= 0) return true;
    try {
      this.wasm.grow(missing);
      this.updateCallViews();
      return true;
    } catch {
      return false; // over the limit, or out of memory
    }
  }
}

/** Returns the kernels of a module. @throws KernelLoadError if the .wasm file is of another version (for example, cached) */
const kernelsOf = (exports: WebAssembly.Exports, infer: boolean): KernelExports => {
  if ((exports as Partial<KernelExports>).interface_version?.() === interfaceVersion)
    return Object.assign(infer ? Object.create(missingKernels) : {}, exports);
  throw new KernelLoadError(
    "the .wasm file does not match this version: copy it again, or clear the browser's cache",
    'wasm-failed',
  );
};

/** Instantiates the module and lays out its memory. May throw WebAssembly errors; the loader adds the name of the file. */
export const instantiateWasm = (options: WasmOptions): KernelModule => {
  const shared = options.threads ? sharedMemory() : undefined;
  const instance = new WebAssembly.Instance(options.module, shared ? { env: { memory: shared.wasm } } : {});
  const kernels = kernelsOf(instance.exports, options.infer);
  const pool = instance.exports as unknown as PoolExports & Partial<WorkerExports>;
  const memory = shared ?? new WasmMemory(pool.memory!, MAX_PAGES);

  const scratchBytes = align(pool.pool_scratch_bytes());
  const storageBytes = align(pool.__tls_size?.value ?? 0);
  const workerBytes = storageBytes + STACK + scratchBytes;
  const maxThreads = options.threads ? options.maxThreads : 1;
  const firstScratch = align(pool.__heap_base.value);
  const firstWorker = firstScratch + scratchBytes;
  const { calls } = memory;
  calls.address = firstWorker + (maxThreads - 1) * workerBytes;
  memory.heapBase = calls.address + CALL_BYTES;
  if (!memory.reserve(memory.heapBase)) {
    throw new KernelLoadError(`not enough memory for kernels with ${maxThreads} threads`, 'wasm-failed');
  }
  memory.updateCallViews();
  pool.pool_configure(options.cores, options.mayWait ? 1 : 0, firstScratch);

  let started = 1;
  let threads = 1;
  return {
    kind: 'wasm',
    variant: `${options.infer ? 'infer' : options.relaxed ? 'relaxed' : 'strict'}${options.threads ? '-threads' : ''}`,
    inferenceOnly: options.infer,
    kernels,
    memory,
    calls,
    sliceBytes: 0,
    maxThreads,
    get threads() {
      return threads;
    },
    get activeThreads() {
      return pool.pool_active();
    },
    checkPool: (rounds) => pool.pool_check?.(rounds) ?? 0,
    setThreads(count: number) {
      threads = checkedThreads(count, maxThreads);
      for (; started < threads; started++) {
        const base = firstWorker + (started - 1) * workerBytes;
        options.spawn({
          module: options.module,
          memory: memory.wasm,
          storage: base,
          stackTop: base + storageBytes + STACK,
          scratch: base + storageBytes + STACK,
        });
      }
      kernels.set_threads(threads);
    },
  };
};

/** Runs a worker: enters the pool with the given memory and does not return. */
export const enterPool = ({ module, memory, storage, stackTop, scratch }: WorkerStart): void => {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const worker = exports as unknown as WorkerExports;
  worker.__stack_pointer.value = stackTop;
  worker.__wasm_init_tls(storage);
  worker.pool_worker(scratch);
};
