/** What a case of the backend contract is. */
import type { Backend, FloatArray } from '@unroll/core';
import type { Block, KernelName } from '@unroll/core/internal';

export interface ContractCase {
  readonly name: string;
  /** The kernels it needs: a backend that lacks one (see `supports`) is not asked. */
  readonly kernels: readonly KernelName[];
  /** Throws an error that says what is wrong. Leaves the program's current backend as it was. */
  run(backend: Backend): void;
}

/** The values of a block, of a backend whose memory can be read at once. */
export function readNow(backend: Backend, block: Block): FloatArray {
  if (backend.readSync) return backend.readSync(block);
  throw new Error(`The contract reads at once, and ${backend.description} cannot.`);
}

/** Why the case cannot run on the backend, or null. */
export function skipReason({ kernels }: ContractCase, backend: Backend): string | null {
  const missing = kernels.filter((kernel) => !backend.supports(kernel));
  return missing.length === 0 ? null : `${backend.description} has no kernel ${missing.join(', ')}`;
}
