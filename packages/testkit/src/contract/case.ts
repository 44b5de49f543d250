/** The type of the cases of the backend contract. */
import type { Backend, FloatArray } from '@unroll/core';
import type { Block, KernelName } from '@unroll/core/internal';

export interface ContractCase {
  readonly name: string;
  /** The kernels that the case needs. The case is skipped for backends that do not support all these kernels. */
  readonly kernels: readonly KernelName[];
  /** Runs the case. Throws an error if it fails. Leaves the current backend unchanged. */
  run(backend: Backend): void;
}

/** Reads the values of a block synchronously. */
export function readNow(backend: Backend, block: Block): FloatArray {
  if (backend.readSync) return backend.readSync(block);
  throw new Error(
    `The backend contract requires synchronous reads, which ${backend.description} does not support.`,
  );
}

/** Returns why the case cannot run on the backend, or null if it can. */
export function skipReason({ kernels }: ContractCase, backend: Backend): string | null {
  const missing = kernels.filter((kernel) => !backend.supports(kernel));
  return missing.length === 0 ? null : `${backend.description} has no kernel ${missing.join(', ')}`;
}
