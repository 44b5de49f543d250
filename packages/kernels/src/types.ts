// The interface of loaded kernels, the same for the Node addon and for WebAssembly.
import type { CallArea } from './call-area.js';
import type { KernelExports } from './interface.generated.js';

/** The memory of a kernel module. All pointers of the kernels are offsets into this memory. Offset 0 is null. */
export interface LinearMemory {
  /** Replaced whenever the memory grows: read it again after any call that may grow the memory. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** The first byte that callers may use; a multiple of 64. The kernels use the memory below it. */
  readonly heapBase: number;
  /** The largest size of the memory in bytes. */
  readonly limit: number;
  /** Makes [0, bytes) usable. Returns false if there is not that much memory. */
  reserve(bytes: number): boolean;
}

export interface KernelModule {
  readonly kind: 'native' | 'wasm';
  /** Native: avx512, avx2, baseline or neon. WebAssembly: strict, relaxed or infer; with threads, followed by -threads. */
  readonly variant: string;
  /** True if the build has no training kernels; calling one throws. */
  readonly inferenceOnly: boolean;
  readonly kernels: KernelExports;
  readonly memory: LinearMemory;
  /** The memory from which kernels read a struct (see calls.generated.ts). */
  readonly calls: CallArea;
  /** Weight panels are divided into slices of this size in bytes, which stay in the L1 cache; 0: panels are not divided. */
  readonly sliceBytes: number;
  /** The largest number of threads that setThreads sets. */
  readonly maxThreads: number;
  /** The number of threads that kernels may use, including the caller. */
  readonly threads: number;
  /** The number of running threads. Fewer than `threads` while workers start; kernels do not wait for them. */
  readonly activeThreads: number;
  /** Sets `threads` to count, at most maxThreads. */
  setThreads(count: number): void;
  /** For tests: runs small jobs that check the thread pool; returns the number of errors (0 in inference-only builds). */
  checkPool(rounds: number): number;
  /** Why the native kernels did not load, if WebAssembly was loaded in their place. */
  readonly fallback?: KernelLoadError;
}

/** Which kernels to load. Default: native if they load, else WebAssembly. */
export interface KernelChoice {
  kind?: 'native' | 'wasm';
  /** Native: the instruction set. Default: the best that this machine supports. */
  isa?: string;
  /** WebAssembly: relaxed SIMD. Faster if the machine fuses multiply and add, but results depend on the machine. */
  relaxed?: boolean;
  /** WebAssembly: the small inference-only build. Calling a training kernel throws. */
  infer?: boolean;
  /** WebAssembly: the build with threads. Default: true if this build can run and more than one thread is to be used. */
  threads?: boolean;
}

export type KernelLoadErrorCode =
  | 'native-missing'
  | 'native-failed'
  | 'isa-unavailable'
  | 'wasm-missing'
  | 'wasm-failed'
  | 'relaxed-unavailable'
  | 'threads-unavailable'
  | 'bad-choice'
  | 'inference-only'
  | 'bad-threads'
  | 'not-ready';

/** Thrown if kernels cannot be loaded or used; the message says why and what to do. */
export class KernelLoadError extends Error {
  override readonly name = 'KernelLoadError';
  readonly code: KernelLoadErrorCode;
  constructor(message: string, code: KernelLoadErrorCode, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
