// Compares every kernel build that this machine can load against plain JavaScript, and against itself with other numbers of
// threads.
import { describe, test } from 'node:test';
import { choiceFor, listVariants, loadKernelsSync } from '@unroll/kernels';
import { kernelCases } from '@unroll/testkit/kernel-cases';

for (const variant of listVariants()) {
  describe(variant, () => {
    const module = loadKernelsSync(choiceFor(variant));
    for (const { name, run } of kernelCases) test(name, () => run(module));
  });
}
