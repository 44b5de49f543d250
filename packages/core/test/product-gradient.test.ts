/**
 * Tests the gradient of weights that are used once per step: it is computed as a single matrix product of the stacked rows of all
 * steps, and equals the sum of the gradients of the steps.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  add,
  gruSequence,
  lstmSequence,
  matmul,
  mul,
  Parameter,
  RandomStream,
  rnnSequence,
  scope,
  setBackend,
  sum,
  type Tensor,
  tensor,
} from '@unroll/core';
import { currentScope, ProductGradient, Tape } from '@unroll/core/internal';

const STEPS = 4;
const [B, I, H] = [3, 5, 4];
const random = new RandomStream(7, 'product gradient');
const values = (...shape: number[]): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(random.uniform(count, -1, 1), shape);
};

/**
 * Uses the weights once per step. `weights(t)` returns the weights of step t: the same for all steps, or one copy per
 * step.
 */
type Work = (weights: (t: number) => Tensor[]) => Tensor;

const rows = Array.from({ length: STEPS }, () => values(B, I));
const batches = Array.from({ length: STEPS }, () => values(2, B, I));
const sequences = rows.map((x) => tensor(x.dataSync(), [B, 1, I]));
const factors = values(B, H);
const total = (terms: Tensor[]): Tensor => terms.reduce((a, b) => add(a, b));
const rnnAttributes = { activation: 'tanh', returnSequences: false, reverse: false, timeOrder: false, zeroOutputForMask: false } as const; // biome-ignore format: attributes
const lstmAttributes = { ...rnnAttributes, recurrentActivation: 'sigmoid' } as const;
const gruAttributes = (resetAfter: boolean) => ({
  ...lstmAttributes,
  resetAfter,
  updateGateOnCandidate: false,
});

const CASES: Record<string, { shapes: number[][]; work: Work }> = {
  'x W': {
    shapes: [[I, H]],
    work: (weights) => total(rows.map((x, t) => sum(mul(matmul(x, weights(t)[0]!), factors)))),
  },
  'x W, batches': {
    shapes: [[I, H]],
    work: (weights) => total(batches.map((x, t) => sum(mul(matmul(x, weights(t)[0]!), factors)))),
  },
  'x Wᵀ': {
    shapes: [[H, I]],
    work: (weights) =>
      total(rows.map((x, t) => sum(mul(matmul(x, weights(t)[0]!, { transB: true }), factors)))),
  },
  lstm: {
    shapes: [[I, 4 * H], [H, 4 * H]], // biome-ignore format: shapes
    work: (weights) => {
      let state: { h: Tensor; c: Tensor } | null = null;
      for (const [t, x] of sequences.entries()) {
        const [W, U] = weights(t) as [Tensor, Tensor];
        state = lstmSequence({ x, W, U, ...(state && { h0: state.h, c0: state.c }) }, lstmAttributes);
      }
      return sum(mul(state!.h, factors));
    },
  },
  rnn: {
    shapes: [[I, H], [H, H]], // biome-ignore format: shapes
    work: (weights) => {
      let h: Tensor | null = null;
      for (const [t, x] of sequences.entries()) {
        const [W, U] = weights(t) as [Tensor, Tensor];
        h = rnnSequence({ x, W, U, h0: h }, rnnAttributes).h;
      }
      return sum(mul(h!, factors));
    },
  },
  ...Object.fromEntries(
    [true, false].map((resetAfter) => [
      `gru, ${resetAfter ? 'reset after' : 'reset before'}`,
      {
        shapes: [[I, 3 * H], [H, 3 * H]], // biome-ignore format: shapes
        work: (weights) => {
          let h: Tensor | null = null;
          for (const [t, x] of sequences.entries()) {
            const [W, U] = weights(t) as [Tensor, Tensor];
            h = gruSequence({ x, W, U, h0: h }, gruAttributes(resetAfter)).h;
          }
          return sum(mul(h!, factors));
        },
      } satisfies { shapes: number[][]; work: Work },
    ]),
  ),
};

const parametersOf = (initial: readonly Tensor[], name: string): Parameter[] =>
  initial.map((value, i) => new Parameter(`${name} ${i}`, value.shape, value.dataSync()));

function gradientsOf(work: () => Tensor, parameters: readonly Parameter[]): Tensor[] {
  const tape = new Tape();
  const gradients = tape.gradients(tape.recordDuring(work));
  return parameters.map((parameter) => gradients.get(parameter)!);
}

describe('weights that are used once per step', async () => {
  await setBackend('reference:float64');
  for (const [name, { shapes, work }] of Object.entries(CASES)) {
    const initial = shapes.map((shape) => values(...shape));
    const shared = parametersOf(initial, 'shared');
    const copies = Array.from({ length: STEPS }, (_, t) => parametersOf(initial, `step ${t}`));

    test(`${name}: the gradient is the sum of the gradients of the steps`, () => {
      const got = scope(() => gradientsOf(() => work(() => shared), shared)).map((grad) => grad.dataSync());
      const perStep = scope(() => gradientsOf(() => work((t) => copies[t]!), copies.flat()));
      got.forEach((values, i) => {
        values.forEach((value, at) => {
          const want = copies.reduce((sum, _, t) => sum + perStep[t * shapes.length + i]!.dataSync()[at]!, 0);
          assert.ok(
            Math.abs(value - want) <= 1e-14 * Math.max(1, Math.abs(want)),
            `${name} ${i} ${at}: ${value}, ${want}`,
          );
        });
      });
    });

    test(`${name}: the products of the steps are computed as one`, () => {
      scope(() => {
        for (const gradient of gradientsOf(() => work(() => shared), shared)) {
          assert.ok(gradient instanceof ProductGradient);
          const columns = new Set(gradient.products.map(({ column = 0 }) => column));
          assert.equal(gradient.products.length, STEPS * columns.size);
          assert.equal(
            productsDuring(() => gradient.block()),
            columns.size,
          );
        }
      });
    });
  }

  test('the gradient is dense if another op also uses the weights, or if the weights are an intermediate value', () => {
    const [W] = parametersOf([values(I, H)], 'W') as [Parameter];
    const used = (weights: Tensor): Tensor => total(rows.map((x) => sum(mul(matmul(x, weights), factors))));
    const [alone] = scope(() => gradientsOf(() => used(W), [W])) as [Tensor];
    const [both] = scope(() => gradientsOf(() => add(used(W), sum(mul(W, 3))), [W])) as [Tensor];
    const [doubled] = scope(() => gradientsOf(() => used(mul(W, 2)), [W])) as [Tensor];
    const close = (got: Tensor, want: (value: number) => number): void => {
      const wanted = alone.dataSync().map(want);
      const errors = got.dataSync().map((value, i) => Math.abs(value - wanted[i]!));
      assert.ok(Math.max(...errors) < 1e-14);
    };
    for (const gradient of [both, doubled]) assert.ok(!(gradient instanceof ProductGradient));
    close(both, (value) => value + 3);
    close(doubled, (value) => 2 * value);
  });
});

/** Counts the matrix products that `work` computes. */
function productsDuring(work: () => void): number {
  const kernels = currentScope().backend.kernels as { gemm: (...args: unknown[]) => void };
  const { gemm } = kernels;
  let count = 0;
  kernels.gemm = (...args) => {
    count++;
    gemm.apply(kernels, args);
  };
  try {
    work();
  } finally {
    kernels.gemm = gemm;
  }
  return count;
}
