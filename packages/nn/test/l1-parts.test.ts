/**
 * Native matrix products, divided for the L1 cache into blocks along k, the axis that is summed over
 * (docs/decisions/052-l1-parts.md). Detects outputs or gradients whose bits depend on the block size or on the number of
 * threads, and a setting that is not applied.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { tensor } from '@unroll/core';
import { cpuBackend } from '@unroll/core/internal';
import { choiceFor, type KernelModule, loadKernelsSync } from '@unroll/kernels';
import { gru, type Layer, lstm, simpleRNN } from '@unroll/nn';
import { bitMismatch, onBackend } from '@unroll/testkit';
import { moduleOf, testBackends } from '@unroll/testkit/node';
import { type OutputsAndGradients, outputsAndGradients, randomTensor, run } from './helpers.js';

const VARIABLE = 'UNROLL_SLICE_BYTES';
const originalValue = process.env[VARIABLE];
/** Block sizes in bytes: 0 (no blocking), very small blocks, and half of common L1 cache sizes. */
const BLOCK_SIZES = [0, 1000, 4096, 16384, 24576];
/**
 * The kernels process the rows of a batch in groups. 67 rows are a group of 60 rows and a partial one of 7. For a single row, the
 * weights are not divided, but more units are computed at once.
 */
const BATCH_SIZES = [67, 1];
const [T, I] = [3, 41];

/** Loads kernels that process panels of weights in blocks of this many bytes. */
function load(variant: string, sliceBytes: number): KernelModule {
  process.env[VARIABLE] = String(sliceBytes);
  return loadKernelsSync(choiceFor(variant));
}

const layers: Record<string, () => Layer> = {
  lstm: () => lstm({ units: 83, returnSequences: true }),
  gru: () => gru({ units: 83, returnSequences: true }),
  'gru, reset before': () => gru({ units: 83, returnSequences: true, resetAfter: false }),
  simpleRNN: () => simpleRNN({ units: 83, returnSequences: true }),
};

function resultsOf(make: () => Layer, B: number): OutputsAndGradients {
  const layer = make();
  layer.build([[B, T, I]]);
  const x = tensor(randomTensor('x', B, T, I).dataSync(), [B, T, I]);
  return outputsAndGradients(
    () => run(layer, x, { training: true }).map(({ value }) => value),
    [x, ...layer.parameters],
  );
}

const nativeVariants = testBackends()
  .map(({ backend }) => backend && moduleOf(backend))
  .filter((module) => module?.kind === 'native')
  .map((module) => module!.variant);

after(() => {
  if (originalValue === undefined) delete process.env[VARIABLE];
  else process.env[VARIABLE] = originalValue;
});

for (const variant of nativeVariants) {
  describe(`the results do not depend on the block size or on the number of threads on ${variant}`, () => {
    const cases = Object.entries(layers).flatMap(([name, make]) =>
      BATCH_SIZES.map((B) => ({ name: `${name}, batch size ${B}`, make, B })),
    );
    for (const { name, make, B } of cases) {
      test(name, () => {
        let first: OutputsAndGradients | undefined;
        for (const sliceBytes of BLOCK_SIZES) {
          const module = load(variant, sliceBytes);
          assert.equal(module.sliceBytes, sliceBytes);
          const results = [1, 2].map((threads) => {
            module.setThreads(threads);
            return onBackend(cpuBackend(module), () => resultsOf(make, B));
          });
          const [one, two] = results;
          first ??= one;
          const what = `${sliceBytes} bytes`;
          for (const [i, output] of one.outputs.entries()) {
            assert.equal(bitMismatch(what, output.values, first.outputs[i].values), null);
            assert.equal(bitMismatch(`${what}, 2 threads`, two.outputs[i].values, output.values), null);
          }
          for (const [i, gradient] of one.gradients.entries()) {
            assert.equal(
              bitMismatch(`${what}, gradient ${i}`, gradient.values, first.gradients[i].values),
              null,
            );
            assert.equal(bitMismatch(`${what}, 2 threads`, two.gradients[i].values, gradient.values), null);
          }
        }
      });
    }
  });
}

test('UNROLL_SLICE_BYTES must be a valid number of bytes', {
  skip: nativeVariants.length === 0 && 'no native kernels',
}, () => {
  for (const value of ['-1', 'many', '1.5']) {
    process.env[VARIABLE] = value;
    assert.throws(
      () => loadKernelsSync({ kind: 'native' }),
      /UNROLL_SLICE_BYTES must be a non-negative integer below 2\^30/,
    );
  }
});
