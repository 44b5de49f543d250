/**
 * The influence of inputs: connectivity equals finite differences, attributions add up to the difference of the outputs, and a
 * delay line of k steps has a memory of k steps. Detects a wrong step or feature, a missing direction of a
 * bidirectional layer, and results that are averaged over the batch.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { predict, RandomStream, referenceBackend, tensor } from '@unroll/core';
import { attribution, connectivity, memoryLength } from '@unroll/insight';
import {
  bidirectional,
  concatenate,
  dense,
  embedding,
  gru,
  input,
  lstm,
  model,
  type Network,
  sequential,
  simpleRNN,
} from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import { B, CELLS, I, MASKS, T } from './cases.js';

const random = new RandomStream(5, 'influence');
const X = Array.from({ length: B }, () => Array.from({ length: T }, () => Array.from(random.normal(I))));
const float64 = referenceBackend('float64');
const close = (found: number, wanted: number, tolerance: number, what: string): void =>
  assert.ok(
    Math.abs(found - wanted) < tolerance * Math.max(1, Math.abs(wanted)),
    `${what}: ${found}, expected ${wanted}`,
  );

/** Returns the output at one step of a row, for x changed by `change`. */
async function outputOf(
  network: Network,
  mask: number[][] | null,
  row: number,
  step: number,
  change: (x: number[][][]) => void,
): Promise<number[]> {
  const x = structuredClone(X);
  change(x);
  const y = (await predict(network, tensor(x), { mask: mask && tensor(mask) })).toArray() as
    | number[][]
    | number[][][];
  return Array.isArray(y[row]![0]) ? (y[row]![step] as number[]) : (y[row] as number[]);
}

const NETWORKS: Record<string, () => Network> = {
  ...Object.fromEntries(
    Object.keys(CELLS).map((name) => [
      name,
      () =>
        sequential([CELLS[name]!({ returnSequences: true }), dense({ units: 2, activation: 'tanh' })], {
          seed: 8,
        }),
    ]),
  ),
  'two layers, both directions': () =>
    sequential(
      [
        bidirectional(gru({ units: 2, returnSequences: true })),
        lstm({ units: 3, returnSequences: true }),
        dense({ units: 2 }),
      ],
      { seed: 8 },
    ),
  'output without a time axis': () => sequential([lstm({ units: 3 }), dense({ units: 2 })], { seed: 8 }),
};

describe('connectivity equals finite differences in float64', () => {
  for (const [name, make] of Object.entries(NETWORKS)) {
    test(name, () =>
      onBackend(float64, async () => {
        const network = make();
        const isLast = name === 'output without a time axis';
        const { inputs, steps } = await connectivity(network, tensor(X), isLast ? 'last' : 3);
        assert.deepEqual(Array.from(steps), new Array(B).fill(isLast ? T - 1 : 3));
        const by = 1e-5;
        for (let b = 0; b < B; b++) {
          for (let s = 0; s < T; s++) {
            let squares = 0;
            for (let f = 0; f < I; f++) {
              const nudge = (sign: number) =>
                outputOf(network, null, b, 3, (x) => void (x[b]![s]![f]! += sign * by));
              const [up, down] = await Promise.all([nudge(1), nudge(-1)]);
              up.forEach((value, d) => {
                squares += ((value - down[d]!) / (2 * by)) ** 2;
              });
            }
            close(inputs[0]!.norms.values[b * T + s]!, Math.sqrt(squares), 1e-7, `row ${b}, step ${s}`);
          }
        }
      }),
    );
  }

  test('masked inputs have no influence, and `last` is the last valid step', () =>
    onBackend(float64, async () => {
      const network = NETWORKS.lstm!();
      const { inputs, steps } = await connectivity(network, tensor(X), 'last', {
        mask: tensor(MASKS.right!),
      });
      assert.deepEqual(Array.from(steps), [1, 4, 0]);
      MASKS.right!.forEach((row, b) => {
        row.forEach((valid, t) => {
          assert.equal(inputs[0]!.norms.values[b * T + t]! > 0, valid === 1 && t <= steps[b]!);
        });
      });
    }));

  test('the connectivity of ids is that of their vectors', () =>
    onBackend(float64, async () => {
      const table = embedding({ inputDim: 6, outputDim: I });
      const tail = [gru({ units: 3, returnSequences: true, name: 'gru' }), dense({ units: 2, name: 'out' })];
      const network = sequential([table, ...tail], { seed: 1 });
      const ids = tensor([[1, 2, 3, 4, 5]]);
      const { inputs } = await connectivity(network, ids, 2);
      assert.deepEqual(
        inputs.map(({ name, input: index }) => [name, index]),
        [['embedding', 0]],
      );
      const plain = sequential([gru({ units: 3, returnSequences: true }), dense({ units: 2 })]);
      plain.build([[-1, -1, I]]);
      plain.setWeights(network.getWeights().slice(1));
      const vectors = await predict(sequential([table], { name: 'table' }), ids);
      const wanted = await connectivity(plain, vectors, 2);
      for (let t = 0; t < 5; t++)
        close(inputs[0]!.norms.values[t]!, wanted.inputs[0]!.norms.values[t]!, 1e-12, `step ${t}`);
    }));
});

/** A shift register of k + 1 units: the output at step t is the input at step t - k. */
function delayLine(k: number): Network {
  const H = k + 1;
  const network = sequential([
    simpleRNN({ units: H, activation: 'linear', useBias: false, returnSequences: true }),
    dense({ units: 1, useBias: false }),
  ]);
  network.build([[-1, -1, 1]]);
  const [W, U, out] = [new Float64Array(H), new Float64Array(H * H), new Float64Array(H)];
  W[0] = 1;
  for (let u = 0; u < k; u++) U[u * H + u + 1] = 1;
  out[k] = 1;
  network.setWeights([
    { shape: [1, H], values: W },
    { shape: [H, H], values: U },
    { shape: [H, 1], values: out },
  ]);
  return network;
}

describe('memoryLength', () => {
  const x = tensor(Array.from({ length: 3 }, () => Array.from(random.normal(20), (value) => [value])));
  for (const k of [0, 1, 7, 19]) {
    for (const method of ['gradient', 'ablation'] as const) {
      test(`of a delay line of ${k} steps is ${k}, by ${method}`, async () => {
        const { lengths, median, influence } = await memoryLength(delayLine(k), x, { method });
        assert.deepEqual(Array.from(lengths), [k, k, k]);
        assert.equal(median, k);
        assert.deepEqual(influence.shape, [3, 20]);
        // Only the lag k has an influence.
        const lags = Array.from(influence.values, (value, i) => (value > 1e-6 ? i % 20 : -1));
        assert.deepEqual(
          lags.filter((lag) => lag >= 0),
          [k, k, k],
        );
      });
    }
  }

  test('is -1 if no step has an influence, and lags before the start of the sequence have the influence NaN', async () => {
    assert.deepEqual(Array.from((await memoryLength(delayLine(7), x, { step: 5 })).lengths), [-1, -1, -1]);
    const mask = tensor(
      [20, 12, 9].map((length) => Array.from({ length: 20 }, (_, t) => (t < length ? 1 : 0))),
    );
    for (const method of ['gradient', 'ablation'] as const) {
      const { lengths, influence } = await memoryLength(delayLine(7), x, { mask, method });
      assert.deepEqual(Array.from(lengths), [7, 7, 7]);
      assert.ok(Number.isNaN(influence.values[2 * 20 + 9]!));
    }
  });

  test('does not count lags whose influence is below the threshold', async () => {
    const leaky = sequential([simpleRNN({ units: 1, activation: 'linear', useBias: false })]);
    leaky.build([[-1, -1, 1]]);
    leaky.setWeights([
      { shape: [1, 1], values: [1] },
      { shape: [1, 1], values: [0.5] },
    ]);
    // The influence at lag k is 0.5^k: 0.5^6 = 0.0156, 0.5^7 = 0.0078; 0.5^3 = 0.125, 0.5^4 = 0.0625.
    assert.equal((await memoryLength(leaky, x)).median, 6);
    assert.equal((await memoryLength(leaky, x, { threshold: 0.1 })).median, 3);
    await assert.rejects(memoryLength(leaky, x, { threshold: 0 }), /threshold must be in \(0, 1\), got 0/);
  });
});

describe('attribution', () => {
  for (const [name, make] of Object.entries(NETWORKS)) {
    // Layer normalisation of x W jumps where x is near 0, so its gradients along a line cannot be integrated.
    if (name === 'layer norm') continue;
    test(`integrated gradients add up to the difference of the outputs: ${name}`, () =>
      onBackend(float64, async () => {
        const network = make();
        for (const baseline of [0, [0.3, -0.2, 0.5]]) {
          const found = await attribution(network, tensor(X), { component: 1, baseline, points: 64 });
          const baselineX = tensor(
            X.map((row) => row.map(() => (baseline === 0 ? [0, 0, 0] : (baseline as number[])))),
          );
          const outputsFor = async (x: typeof baselineX): Promise<number[]> => {
            const y = await predict(network, x);
            const values = await y.data();
            const width = y.size / B;
            return Array.from({ length: B }, (_, b) => values[b * width + width - 1]!);
          };
          const [full, empty] = [await outputsFor(tensor(X)), await outputsFor(baselineX)];
          for (let b = 0; b < B; b++) {
            close(found.output[b]!, full[b]!, 1e-12, 'output');
            close(found.baselineOutput[b]!, empty[b]!, 1e-12, 'baseline');
            const sum = (array: { values: ArrayLike<number>; shape: number[] }): number => {
              const width = array.values.length / B;
              return Array.from(array.values)
                .slice(b * width, (b + 1) * width)
                .reduce((a, c) => a + c, 0);
            };
            // relu and φ of minGRU and minLSTM are not smooth, so the quadrature converges slowly.
            const tolerance = /^(lstm relu|min)/.test(name) ? 0.02 : 1e-8;
            for (const array of [found.values!, found.bySteps, found.byFeatures!])
              close(sum(array), full[b]! - empty[b]!, tolerance, `sum of row ${b}`);
            close(found.gap![b]!, 0, tolerance, 'gap');
          }
        }
      }));
  }

  test('in a linear model, attributions are weights times inputs, with both methods', () =>
    onBackend(float64, async () => {
      const network = delayLine(2);
      const x = tensor([[[3], [-2], [5], [7]]]);
      for (const method of ['integratedGradients', 'occlusion'] as const) {
        const { bySteps, byFeatures, output } = await attribution(network, x, { method });
        assert.deepEqual(
          Array.from(bySteps.values, (value) => Math.round(value * 1e9) / 1e9),
          [0, -2, 0, 0],
        );
        close(byFeatures!.values[0]!, -2, 1e-12, 'feature');
        assert.equal(output[0], -2);
      }
      const moved = await attribution(network, x, { method: 'occlusion', baseline: 10 });
      assert.equal(moved.bySteps.values[1], -12);
      assert.equal(moved.baselineOutput[0], 10);
    }));

  test('for ids, the integration path leads from zero vectors to the vectors of the ids', () =>
    onBackend(float64, async () => {
      const network = sequential(
        [embedding({ inputDim: 6, outputDim: 4 }), gru({ units: 3 }), dense({ units: 3 })],
        { seed: 1 },
      );
      const ids = tensor([
        [1, 2, 3, 4, 5],
        [5, 5, 1, 0, 2],
      ]);
      const found = await attribution(network, ids, { points: 64 });
      const y = (await predict(network, ids)).toArray() as number[][];
      assert.deepEqual(
        Array.from(found.component),
        y.map((row) => row.indexOf(Math.max(...row))),
      );
      for (let b = 0; b < 2; b++) {
        const sum = Array.from(found.bySteps.values)
          .slice(b * 5, (b + 1) * 5)
          .reduce((a, c) => a + c, 0);
        close(sum, found.output[b]! - found.baselineOutput[b]!, 1e-9, `row ${b}`);
        assert.ok(Math.abs(sum) > 1e-4);
      }
      assert.equal(found.byFeatures, null);
      const occluded = await attribution(network, ids, { method: 'occlusion' });
      assert.equal(new Set(Array.from(occluded.bySteps.values, (value) => value.toFixed(6))).size > 5, true);
    }));

  test('the option input chooses one of two inputs', () =>
    onBackend(float64, async () => {
      const [a, b] = [input({ shape: [T, I], name: 'a' }), input({ shape: [T, I], name: 'b' })];
      const joined = concatenate().apply([lstm({ units: 2 }).apply(a), gru({ units: 2 }).apply(b)]);
      const network = model({ inputs: [a, b], outputs: dense({ units: 1 }).apply(joined) });
      const x = [tensor(X), tensor(X)];
      await assert.rejects(
        attribution(network, x),
        /has 2 inputs with a time axis. Choose one with the option input/,
      );
      for (const instrument of [attribution, memoryLength])
        await assert.rejects(instrument(network, x, { input: 2 }), {
          code: 'value',
          message: `${instrument.name}: input must be an index below 2, the number of inputs, got 2.`,
        });
      const both = await Promise.all(
        [0, 1].map((index) => attribution(network, x, { input: index, points: 64 })),
      );
      for (const { gap } of both) assert.ok(gap!.every((value) => Math.abs(value) < 1e-9));
      const { inputs } = await connectivity(network, x);
      assert.deepEqual(
        inputs.map(({ name }) => name),
        ['a', 'b'],
      );
    }));

  test('rejects inputs without a time axis', async () => {
    const network = sequential([lstm({ units: 2 })]);
    await assert.rejects(memoryLength(network, tensor([1, 2])), {
      message:
        /^memoryLength: x has no time axis: the shape must be \[batch, time, features\].*, got \[2\]\.$/,
    });
    const noTime = memoryLength(network, [tensor(X), tensor([1, 2, 3])], { input: 1 });
    await assert.rejects(noTime, { message: /^memoryLength: input 1 has no time axis:.*, got \[3\]\.$/ });
  });

  test('rejects a baseline that does not have one number per feature, and an unknown component', async () => {
    const network = sequential([lstm({ units: 2 })]);
    await assert.rejects(
      attribution(network, tensor(X), { baseline: [1] }),
      /baseline must have 3 numbers.* got 1/,
    );
    await assert.rejects(
      attribution(network, tensor(X), { component: 2 }),
      /component must be an index below 2/,
    );
  });
});
