// What a set of loaded kernels looks like to the rest of Unroll, the same for the Node addon and for WebAssembly.
import type { CallArea } from './call-area.js';
import type { KernelExports } from './interface.generated.js';

/** The one memory that all pointers of a kernel module are offsets into. Offset 0 is null. */
export interface LinearMemory {
  /** Replaced whenever the memory grows: read it again after any call that may grow the memory. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** The first byte that is free for use; a multiple of 64. What lies below belongs to the kernels. */
  readonly heapBase: number;
  /** The most bytes the memory can have. */
  readonly limit: number;
  /** Makes [0, bytes) usable; false if that much cannot be had. */
  reserve(bytes: number): boolean;
}

export interface KernelModule {
  readonly kind: 'native' | 'wasm';
  /** avx512, avx2, baseline or neon; strict, relaxed or infer, alone or with -threads behind. */
  readonly variant: string;
  /** True if the build has no training kernels; calling one throws. */
  readonly inferenceOnly: boolean;
  readonly kernels: KernelExports;
  readonly memory: LinearMemory;
  /** Where kernels that take a struct read it: see calls.generated.ts. */
  readonly calls: CallArea;
  /** The part of a weight panel, in bytes, that should stay in the L1 cache; 0: products are not cut into parts. */
  readonly panelBytes: number;
  /** The most that setThreads gives. */
  readonly maxThreads: number;
  /** Threads that kernels may use, the caller's included. */
  readonly threads: number;
  /** Threads that are there now. Fewer than `threads` while workers start: kernels do not wait for them. */
  readonly activeThreads: number;
  /** Sets `threads`; more than maxThreads count as maxThreads. */
  setThreads(count: number): void;
  /** Runs small jobs that check the thread pool and returns how many went wrong: for tests, and only in full builds. */
  checkPool(rounds: number): number;
  /** Why these are not the native kernels, where they were wanted first. */
  readonly fallback?: KernelLoadError;
}

/** Which kernels to load. Unset: native if they load, else WebAssembly. */
export interface KernelChoice {
  kind?: 'native' | 'wasm';
  /** Native: an instruction set by name instead of the best this machine has. */
  isa?: string;
  /** WebAssembly: relaxed SIMD, faster where the host fuses multiply and add; results then depend on the host. */
  relaxed?: boolean;
  /** WebAssembly: the small build without the kernels that only training calls; those throw. */
  infer?: boolean;
  /** WebAssembly: the build on shared memory. Unset: where it can run and more than one thread is wanted. */
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
  | 'infers-only'
  | 'bad-threads'
  | 'not-ready';

/** Kernels could not be loaded; the message says why and what to do. */
export class KernelLoadError extends Error {
  override readonly name = 'KernelLoadError';
  readonly code: KernelLoadErrorCode;
  constructor(message: string, code: KernelLoadErrorCode, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
