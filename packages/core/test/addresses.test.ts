/**
 * Runs part of the backend contract on memory above 2 GiB (WebAssembly) and above 4 GiB (native). Detects addresses that
 * are truncated to 31 or 32 bits or read as negative numbers, in JavaScript or in the kernels.
 */
import { describe, test } from 'node:test';
import { UnrollError } from '@unroll/core';
import { cpuBackend } from '@unroll/core/internal';
import { KernelLoadError, loadKernelsSync } from '@unroll/kernels';
import { contractCases, skipReason } from '@unroll/testkit';

const GiB = 2 ** 30;
const KERNELS = [
  ...['fill', 'copy', 'unary: exp', 'binary: add', 'reduce: max', 'gemm: a b', 'softmax', 'gather'],
  ...['scatterAdd', 'ctc', 'random', 'adam', 'lstm', 'gru', 'rnn'],
];
const CASES = new RegExp(`^memory|^kernel (${KERNELS.join('|')})|^op (lstm, part 1|matmul|concat)`);
/** For each kind of kernels: the number of bytes that are allocated first, so that the cases use memory above them. */
const KINDS = {
  native: { choice: { kind: 'native' }, offset: 5 * GiB },
  WebAssembly: { choice: { kind: 'wasm', threads: false }, offset: 2.25 * GiB },
} as const;

/** Returns a backend whose next allocations are above `offset`, or the reason why there is none. */
function highBackend({
  choice,
  offset,
}: (typeof KINDS)[keyof typeof KINDS]): ReturnType<typeof cpuBackend> | string {
  try {
    const backend = cpuBackend(loadKernelsSync(choice));
    backend.heap.allocate(offset); // never written: it uses address space, not memory
    return backend;
  } catch (error) {
    if (error instanceof KernelLoadError || (error instanceof UnrollError && error.code === 'memory'))
      return error.message;
    throw error;
  }
}

for (const [kind, settings] of Object.entries(KINDS)) {
  const backend = highBackend(settings);
  const unavailable = typeof backend === 'string' ? backend : false;
  describe(`the contract above ${settings.offset / GiB} GiB, ${kind}`, { skip: unavailable }, () => {
    if (typeof backend === 'string') return;
    for (const contractCase of contractCases().filter(({ name }) => CASES.test(name))) {
      test(contractCase.name, { skip: skipReason(contractCase, backend) ?? false }, () =>
        contractCase.run(backend),
      );
    }
  });
}
