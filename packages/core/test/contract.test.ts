/**
 * Runs the backend contract on every backend that loads on this machine. Detects a kernel that is wrong for some size,
 * stride, option or special value, or that writes outside its result; and an op whose fast path disagrees with the
 * reference.
 */
import { describe, test } from 'node:test';
import { contractCases, skipReason } from '@unroll/testkit';
import { inferenceBackends, testBackends, useThreads } from '@unroll/testkit/node';

for (const { name, backend, reason } of [...testBackends(), ...inferenceBackends()]) {
  describe(`contract on ${name}`, { skip: reason || false }, () => {
    if (!backend) return;
    test('uses threads if it supports them', async (t) => {
      if (!(await useThreads(backend, 3))) t.skip(`${backend.description} does not support three threads`);
    });
    for (const contractCase of contractCases()) {
      test(contractCase.name, { skip: skipReason(contractCase, backend) ?? false }, () =>
        contractCase.run(backend),
      );
    }
  });
}
