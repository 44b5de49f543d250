/**
 * Bit-identical results. Detects sums whose order depends on the threads, a kernel that splits its work differently on one
 * thread than on three, memory that is read before it is written, and randomness that does not come from the seed.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type Backend,
  RandomStream,
  referenceBackend,
  type Shape,
  setBackend,
  type Tensor,
  tensor,
} from '@unroll/core';
import { dense, gru, lstm, type Network, sequential } from '@unroll/nn';
import { bitMismatch } from '@unroll/testkit';
import { testBackends, useThreads } from '@unroll/testkit/node';
import { type StepEvent, train } from '@unroll/train';

after(() => setBackend());

interface Run {
  weights: Float64Array;
  losses: number[];
}

interface Size {
  batch: number;
  time: number;
  features: number;
  units: number;
  steps: number;
}

interface Case {
  size: Size;
  model(units: number): Network;
}

/** Trains for `steps` updates, with dropout and shuffling. */
async function run(backend: Backend, { size, model }: Case, seed = 1): Promise<Run> {
  await setBackend(backend);
  const { batch, time, features, units, steps } = size;
  const count = batch * steps;
  const random = new RandomStream(9, 'data');
  const draw = (...shape: number[]): Tensor =>
    tensor(Float32Array.from(random.normal(shape.reduce((a, n) => a * n))), shape);
  const [x, y] = [draw(count, time, features), draw(count, 1)];
  const network = model(units);
  const losses: number[] = [];
  const options = { x, y, loss: 'mse', optimizer: 'adam', batchSize: batch, seed } as const;
  for await (const event of train(network, options)) {
    if (event.type === 'step') losses.push((event as StepEvent).loss);
  }
  assert.equal(losses.length, steps);
  const all = network.getWeights().map(({ values }) => values);
  const weights = new Float64Array(network.countParams());
  let offset = 0;
  for (const values of all) {
    weights.set(values, offset);
    offset += values.length;
  }
  return { weights, losses };
}

const drop = { dropout: 0.2, recurrentDropout: 0.2 };
const ripple = (shape: Shape): Float64Array =>
  Float64Array.from({ length: shape.reduce((a, n) => a * n) }, (_, i) => Math.sin(i) / 20);
/** LARGE has enough work for three threads, and the matrices of WIDE do not fit in the cache of a core. SMALL is fast. */
const LARGE: Case = {
  size: { batch: 24, time: 12, features: 4, units: 64, steps: 20 },
  model: (units) => sequential([lstm({ units, ...drop }), dense({ units: 1 })], { seed: 1 }),
};
const WIDE: Case = {
  size: { batch: 5, time: 2, features: 4, units: 520, steps: 3 },
  // Orthogonal initial weights would take seconds at this size, without using any kernel.
  model: (units) =>
    sequential([lstm({ units, recurrentInitializer: ripple, ...drop }), dense({ units: 1 })], { seed: 1 }),
};
const SMALL: Case = {
  size: { batch: 8, time: 5, features: 2, units: 9, steps: 20 },
  model: (units) =>
    sequential(
      [gru({ units, returnSequences: true, ...drop }), lstm({ units, ...drop }), dense({ units: 1 })],
      {
        seed: 1,
      },
    ),
};

const assertSameBits = (what: string, a: Run, b: Run): void => {
  assert.equal(bitMismatch(`${what}: weights`, a.weights, b.weights), null);
  assert.equal(bitMismatch(`${what}: losses`, a.losses, b.losses), null);
};

const float64Backend = referenceBackend('float64');
const expectedRun = run(float64Backend, SMALL);

for (const { name, backend, reason } of testBackends()) {
  describe(`training on ${name}`, { skip: reason || false }, () => {
    if (!backend) return;
    let first: Run;
    before(async () => {
      await expectedRun;
      first = await run(backend, SMALL);
    });

    test('gives bitwise equal results with the same seed', async () => {
      assertSameBits('second run', await run(backend, SMALL), first);
    });

    test('gives other results with another seed', async () => {
      const other = await run(backend, SMALL, 2);
      assert.notDeepEqual(other.losses, first.losses);
      assert.notDeepEqual(other.weights, first.weights);
    });

    test('is close to the float64 reference', async () => {
      const { losses, weights } = await expectedRun;
      losses.forEach((loss, i) => {
        assert.ok(Math.abs(first.losses[i]! - loss) <= 1e-4 * Math.max(1, loss), `loss of step ${i + 1}`);
      });
      weights.forEach((w, i) => {
        assert.ok(Math.abs(first.weights[i]! - w) <= 2e-3, `weight ${i}: ${first.weights[i]} and ${w}`);
      });
    });

    for (const [title, trainingCase] of Object.entries({ 'a large batch': LARGE, 'a wide state': WIDE })) {
      test(`gives the same bits on 1, 2 and 3 threads: ${title}`, async (t) => {
        if (!(await useThreads(backend, 3))) {
          t.skip(`${backend.description} does not support three threads`);
          return;
        }
        const runs: Run[] = [];
        for (const threads of [3, 1, 2]) {
          await useThreads(backend, threads);
          runs.push(await run(backend, trainingCase));
        }
        assertSameBits('one thread', runs[1]!, runs[0]!);
        assertSameBits('two threads', runs[2]!, runs[0]!);
      });
    }
  });
}
