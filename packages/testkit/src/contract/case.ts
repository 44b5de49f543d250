/** Defines the cases of the backend contract. */
import type { Backend, FloatArray } from '@unroll/core';
import type { Block, KernelName } from '@unroll/core/internal';

export interface ContractCase {
  readonly name: string;
  /** The kernels that the case needs. Backends that lack one of them (see `supports`) skip the case. */
  readonly kernels: readonly KernelName[];
  /** Throws an error that describes the failure. Does not change the current backend. */
  run(backend: Backend): void;
}

/** The values of a block, read synchronously. */
export function readNow(backend: Backend, block: Block): FloatArray {
  if (backend.readSync) return backend.readSync(block);
  throw new Error(
    `The backend contract requires synchronous reads, which ${backend.description} does not support.`,
  );
}

/** Why the case cannot run on the backend, or null. */
export function skipReason({ kernels }: ContractCase, backend: Backend): string | null {
  const missing = kernels.filter((kernel) => !backend.supports(kernel));
  return missing.length === 0 ? null : `${backend.description} has no kernel ${missing.join(', ')}`;
}
