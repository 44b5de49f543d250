/**
 * Memory in a long run. Detects a training step that leaks linear memory, JavaScript heap or other memory. This is a short
 * version of `node tools/soak.mjs`, with native and with WebAssembly kernels.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Backend, predict, scope, setBackend, valueAndGrad } from '@unroll/core';
import type { Heap } from '@unroll/core/internal';
import { moduleOf, testBackends } from '@unroll/testkit/node';
import { fit, losses } from '@unroll/train';
import { forecaster, waves } from './small-model.js';

after(() => setBackend());

const soak = fileURLToPath(new URL('../../../tools/soak.mjs', import.meta.url));
for (const name of ['native', 'wasm:single']) {
  const available = testBackends().some((candidate) => candidate.backend && candidate.name.startsWith(name));
  test(`2,000 steps do not leak memory on ${name}`, {
    skip: available ? false : 'these kernels do not load here',
  }, () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [soak, '--steps', '2000', '--backend', name],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /, passed$/m);
  });
}

describe('linear memory does not grow after the first runs', () => {
  const { x, y } = waves();
  const loss = losses.mse();
  const work: Record<string, () => Promise<unknown>> = {
    training: () => fit(forecaster({ dropout: 0.2 }), { x, y, loss, optimizer: 'adam', batchSize: 7 }),
    prediction: () => predict(forecaster(), x, { batchSize: 3 }),
    'gradients inside a scope': async () => {
      const model = forecaster();
      await predict(model, x);
      scope(() => valueAndGrad(() => loss.compute(y, y, null), [y]));
    },
    'a step that fails': async () => {
      const throwingLoss = { ...loss, compute: (): never => assert.fail('mine') };
      await assert.rejects(() => fit(forecaster(), { x, y, loss: throwingLoss, optimizer: 'adam' }), /mine/);
    },
  };
  for (const { name, backend } of testBackends()) {
    if (!backend || moduleOf(backend) === null) continue;
    for (const [title, run] of Object.entries(work)) {
      test(`${title} on ${name}`, async () => {
        await setBackend(backend);
        const { heap } = backend as Backend & { heap: Heap };
        // A run may add a few kilobytes for its model, which only the garbage collector frees.
        const growthOfRun = async (): Promise<number> => {
          const before = heap.extent;
          await run();
          return heap.extent - before;
        };
        for (let i = 0; i < 3; i++) await growthOfRun();
        const growth: number[] = [];
        for (let i = 0; i < 5; i++) growth.push(await growthOfRun());
        assert.ok(Math.min(...growth) < 64 * 1024, `each run took ${growth} bytes`);
      });
    }
  }
});
