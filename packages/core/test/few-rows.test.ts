/**
 * Recurrent layers on batches of a few rows. For such batches, kernels with wide vectors use separate code, which multiplies
 * the inputs of many steps at once and splits the units across threads. Detects a thread that reads units of another thread
 * before they are written, sums whose order depends on the split, and deviations from the reference backend.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type GruAttributes,
  gruSequence,
  lstmSequence,
  RandomStream,
  rnnSequence,
  scope,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { bitMismatch, gradientTolerance, mismatch, onBackend } from '@unroll/testkit';
import { testBackends, useThreads } from '@unroll/testkit/node';

// The number of units is not a multiple of the vector length, and large enough for several threads.
const [T, I, H] = [8, 21, 230];

const attributes = (resetAfter: boolean): GruAttributes => ({
  ...{
    activation: 'tanh',
    recurrentActivation: 'sigmoid',
    returnSequences: true,
    resetAfter,
    updateGateOnCandidate: false,
  },
  ...{ reverse: false, timeOrder: false, zeroOutputForMask: false },
});

type Inputs = { x: Tensor; W: Tensor; U: Tensor; b: Tensor; mask: Tensor; recurrentDropoutMask: Tensor };
const cells: Record<string, { gates: number; biases: number; run: (inputs: Inputs) => Tensor }> = {
  rnn: { gates: 1, biases: 1, run: (inputs) => rnnSequence(inputs, attributes(true)).y },
  lstm: { gates: 4, biases: 4, run: (inputs) => lstmSequence(inputs, attributes(true)).y },
  gru: { gates: 3, biases: 6, run: (inputs) => gruSequence(inputs, attributes(true)).y },
  'gru, reset before': { gates: 3, biases: 3, run: (inputs) => gruSequence(inputs, attributes(false)).y },
};

/** Returns the outputs and gradients of a cell for a batch of B rows. */
function compute(cell: string, B: number): Record<string, ArrayLike<number>> {
  const { gates, biases, run } = cells[cell]!;
  const draw = (name: string, shape: number[], scale: number): Tensor =>
    tensor(
      new RandomStream(1, name).normal(shape.reduce((a, n) => a * n)).map((v) => v * scale),
      shape,
    );
  const [x, W, U] = [
    draw('x', [B, T, I], 1),
    draw('W', [I, gates * H], 0.1),
    draw('U', [H, gates * H], 0.05),
  ];
  const b = draw('b', biases === 6 ? [2, 3 * H] : [biases * H], 0.1);
  const recurrentDropoutMask = tensor(
    Float64Array.from({ length: B * H }, (_, i) => (i % 3 ? 1.5 : 0)),
    [B, H],
  );
  const mask = tensor(
    Float64Array.from({ length: B * T }, (_, i) => (i % 7 === 3 ? 0 : 1)),
    [B, T],
  );
  let y: ArrayLike<number> = [];
  const { grads } = valueAndGrad(() => {
    const out = run({ x, W, U, b, mask, recurrentDropoutMask });
    y = out.dataSync();
    return sum(out);
  }, [x, W, U, b]);
  const [dx, dW, dU, db] = grads.map((grad) => grad.dataSync());
  return { y, dx: dx!, dW: dW!, dU: dU!, db: db! };
}

const wanted = new Map<string, ReturnType<typeof compute>>();
/** Returns the results of the reference backend. */
function reference(cell: string, B: number): ReturnType<typeof compute> {
  const key = `${cell} ${B}`;
  const cached = wanted.get(key);
  if (cached) return cached;
  const results = onBackend(backendSync('reference:float64'), () => scope(() => compute(cell, B)));
  wanted.set(key, results);
  return results;
}

for (const { name, backend, reason } of testBackends().filter(({ name }) => name !== 'reference')) {
  describe(`batches of 1, 3 and 5 rows equal the reference, for any number of threads, on ${name}`, {
    skip: backend === null && reason,
  }, () => {
    for (const cell of Object.keys(cells)) {
      test(cell, async () => {
        for (const B of [1, 3, 5]) {
          const want = reference(cell, B);
          let first: ReturnType<typeof compute> | null = null;
          for (const threads of [1, 2, 3]) {
            if (threads > 1 && !(await useThreads(backend!, threads))) break;
            if (threads === 1) await useThreads(backend!, 1);
            const got = onBackend(backend!, () => scope(() => compute(cell, B)));
            for (const key of Object.keys(got)) {
              const what = `${key}, B = ${B}, ${threads} threads`;
              if (first) assert.equal(bitMismatch(what, got[key]!, first[key]!), null);
              else assert.equal(mismatch(what, got[key]!, want[key]!, gradientTolerance(want[key]!)), null);
            }
            first ??= got;
          }
        }
      });
    }
  });
}
