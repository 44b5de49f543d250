/**
 * The derivatives of the output and the loss with respect to states and inputs equal finite differences in float64, for
 * every cell and direction; in a linear RNN, they are powers of U. Detects a missing path (through the output of a
 * step, or through h to c), a shifted lag, and a mean over the batch instead of a value for each sequence.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { predict, RandomStream, referenceBackend, tensor } from '@unroll/core';
import { gradientFlow, trace } from '@unroll/insight';
import {
  type Cell,
  dense,
  gru,
  LstmCell,
  lstm,
  type Recurrent,
  recurrent,
  sequential,
  simpleRNN,
} from '@unroll/nn';
import { asyncReference, onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { B, CELLS, I, MASKS, T } from './cases.js';

const random = new RandomStream(11, 'flow');
const X = Array.from({ length: B }, () => Array.from({ length: T }, () => Array.from(random.normal(I))));
const float64 = referenceBackend('float64');

/** Calls `run` with a cell that adds `by` to one unit of h, and of the output, after step `index` in processing order. */
async function runNudged(
  cell: Cell,
  { unit, index, by }: { unit: number; index: number; by: number },
  run: () => Promise<number[]>,
): Promise<number[]> {
  const { step } = cell;
  let count = 0;
  cell.sequence = () => null;
  cell.step = (x, state, context) => {
    const result = step.call(cell, x, state, context);
    if (count++ !== index) return result;
    const h = result.state.h!;
    const width = h.shape[1]!;
    const values = h.dataSync();
    for (let b = 0; b < h.shape[0]!; b++) values[b * width + unit]! += by;
    const changed = tensor(values, h.shape);
    return { y: result.y === h ? changed : result.y, state: { ...result.state, h: changed } };
  };
  try {
    return await run();
  } finally {
    delete (cell as Partial<Cell>).step;
    delete cell.sequence;
  }
}

/** Returns the norms of the derivatives of all outputs with respect to h at one lag, for each sequence. */
async function norms(cell: Cell, lag: number, run: () => Promise<number[]>): Promise<number[]> {
  const squares = new Float64Array(B);
  const by = 1e-5;
  for (let unit = 0; unit < cell.stateSizes.h!; unit++) {
    const up = await runNudged(cell, { unit, index: T - 1 - lag, by }, run);
    const down = await runNudged(cell, { unit, index: T - 1 - lag, by: -by }, run);
    const width = up.length / B;
    up.forEach((value, i) => {
      squares[Math.floor(i / width)]! += ((value - down[i]!) / (2 * by)) ** 2;
    });
  }
  return Array.from(squares, Math.sqrt);
}

const close = (found: number, wanted: number, what: string): void =>
  assert.ok(Math.abs(found - wanted) < 1e-7 * Math.max(1, wanted), `${what}: ${found}, expected ${wanted}`);

describe('gradientFlow equals finite differences', () => {
  for (const name of Object.keys(CELLS)) {
    test(`${name} in float64`, () =>
      onBackend(float64, async () => {
        for (const goBackwards of [false, true]) {
          const layer = CELLS[name]!({ goBackwards });
          const network = sequential([layer, dense({ units: 2, activation: 'tanh' })], { seed: 4 });
          const { states, reverse } = (await gradientFlow(network, tensor(X))).layers[0]!;
          assert.equal(reverse, goBackwards);
          const run = async () => Array.from(await (await predict(network, tensor(X))).data());
          for (const state of Object.keys(states).filter((stateName) => /(^|\.)h$/.test(stateName))) {
            const cell = state === 'h' ? layer.cell : layer.cell.cells![Number(state[0])]!;
            for (let lag = 0; lag < T; lag++) {
              const wanted = await norms(cell, lag, run);
              for (let b = 0; b < B; b++)
                close(
                  states[state]!.values.values[b * T + lag]!,
                  wanted[b]!,
                  `${state}, lag ${lag}, row ${b}`,
                );
            }
          }
        }
      }));
  }

  test('with right padding, lag 0 is the last valid step', () =>
    onBackend(float64, async () => {
      const mask = MASKS.right!;
      const lengths = mask.map((row) => row.reduce((sum, valid) => sum + valid, 0));
      for (const name of ['lstm', 'gru', 'rnn', 'custom', 'minGru']) {
        const network = sequential([CELLS[name]!({ returnSequences: true }), dense({ units: 2 })], {
          seed: 4,
        });
        const { layers, steps } = await gradientFlow(network, tensor(X), null, { mask: tensor(mask) });
        assert.deepEqual(
          Array.from(steps),
          lengths.map((length) => length - 1),
        );
        for (let b = 0; b < B; b++) {
          const alone = tensor([X[b]!.slice(0, lengths[b])]);
          const wanted = (await gradientFlow(network, alone)).layers[0]!;
          for (const state in wanted.states) {
            for (let k = 0; k < T; k++) {
              const found = layers[0]!.states[state]!.values.values[b * T + k]!;
              if (k >= lengths[b]!) assert.ok(Number.isNaN(found));
              else
                close(found, wanted.states[state]!.values.values[k]!, `${name} ${state}, lag ${k}, row ${b}`);
            }
          }
        }
      }
    }));

  test('the derivatives are the same with the fused kernel and step by step', () =>
    onBackend(float64, async () => {
      class Stepped extends LstmCell {
        override sequence(): null {
          return null;
        }
      }
      for (const mask of Object.values(MASKS)) {
        const fused = sequential([lstm({ units: 3, name: 'a' }), dense({ units: 1 })], { seed: 6 });
        const stepped = sequential([
          recurrent(new Stepped({ units: 3 }), { name: 'a' }),
          dense({ units: 1 }),
        ]);
        stepped.build([[-1, -1, I]]);
        fused.build([[-1, -1, I]]);
        stepped.setWeights(fused.getWeights());
        const options = { mask: mask && tensor(mask) };
        const [found, wanted] = await Promise.all(
          [fused, stepped].map(
            async (network) => (await gradientFlow(network, tensor(X), null, options)).layers[0]!,
          ),
        );
        for (const state of ['h', 'c']) {
          found!.states[state]!.values.values.forEach((value, i) => {
            const expected = wanted!.states[state]!.values.values[i]!;
            if (Number.isNaN(expected)) assert.ok(Number.isNaN(value));
            else close(value, expected, `${state} ${i}`);
          });
        }
        assert.deepEqual(found!.forgetProduct!.mean.length, T);
      }
    }));
});

describe('the options loss, step, output and component', () => {
  const network = sequential([gru({ units: 3, returnSequences: true }), dense({ units: 2 })], { seed: 2 });
  const y = Array.from({ length: B }, () => Array.from({ length: T }, () => Array.from(random.normal(2))));

  test('the loss of one step is differentiated for each sequence', () =>
    onBackend(float64, async () => {
      const flow = await gradientFlow(network, tensor(X), tensor(y), { loss: 'mse', step: 2 });
      assert.equal(flow.of, 'loss');
      const cell = (network.layers[0] as Recurrent).cell;
      const run = async (): Promise<number[]> => {
        const out = (await predict(network, tensor(X))).toArray() as number[][][];
        return out.map((row, b) => {
          const [p, q] = row[2]!.map((value, d) => value - y[b]![2]![d]!);
          return (p! * p! + q! * q!) / 2;
        });
      };
      for (let lag = 0; lag <= 2; lag++) {
        const wanted = await norms(cell, lag + T - 1 - 2, run);
        for (let b = 0; b < B; b++)
          close(flow.layers[0]!.states.h!.values.values[b * T + lag]!, wanted[b]!, `lag ${lag}, row ${b}`);
      }
      assert.ok(Number.isNaN(flow.layers[0]!.states.h!.values.values[3]!));
    }));

  test('differentiates one component of the output, or all components; for 200 components, the norm is an estimate', () =>
    onBackend(float64, async () => {
      const at = async (component?: number) =>
        (await gradientFlow(network, tensor(X), null, component === undefined ? {} : { component }))
          .layers[0]!.states.h!.values.values;
      const [both, first, second] = await Promise.all([at(), at(0), at(1)]);
      both!.forEach((value, i) => {
        if (!Number.isNaN(value)) close(value, Math.hypot(first![i]!, second![i]!), `${i}`);
      });
      const wide = sequential([simpleRNN({ units: 3 }), dense({ units: 200 })], { seed: 2 });
      const parts = await Promise.all(
        Array.from(
          { length: 200 },
          async (_, component) =>
            (await gradientFlow(wide, tensor(X), null, { component })).layers[0]!.states.h!.values.values,
        ),
      );
      const estimate = (await gradientFlow(wide, tensor(X))).layers[0]!.states.h!.values.values;
      estimate.forEach((value, i) => {
        const exact = Math.hypot(...parts.map((part) => part[i]!));
        assert.ok(Math.abs(value / exact - 1) < 0.5, `${i}: ${value}, exactly ${exact}`);
      });
    }));

  test('rejects a loss without targets, an unknown step, component or output', async () => {
    const flow = (options: object, targets: number[][][] | null = null) =>
      gradientFlow(network, tensor(X), targets && tensor(targets), options);
    await assert.rejects(flow({ loss: 'mse' }), /both y and loss, or neither, got loss without y/);
    await assert.rejects(flow({}, y), /got y without the option loss/);
    await assert.rejects(flow({ step: 5 }), /step must be "last", "random" or an index from -5 to 4, got 5/);
    await assert.rejects(flow({ component: 2 }), /component must be an index below 2.* got 2/);
    await assert.rejects(flow({ output: 1 }), /output must be an index below 1.* got 1/);
    await assert.rejects(flow({ quantiles: [2] }), /quantiles must be in \[0, 1\], got 2/);
  });
});

describe('a linear RNN', () => {
  const H = 3;
  /** h ← h U + x W, and the output is h. */
  const linear = (U: number[][]): ReturnType<typeof sequential> => {
    const network = sequential([simpleRNN({ units: H, activation: 'linear', useBias: false })]);
    network.build([[-1, -1, H]]);
    network.setWeights([
      { shape: [H, H], values: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
      { shape: [H, H], values: U.flat() },
    ]);
    return network;
  };
  const steps = 30;
  const x = Array.from({ length: 2 }, () =>
    Array.from({ length: steps }, () => Array.from(random.normal(H))),
  );

  for (const [name, U, factor, radius] of [
    [
      'with a scaled rotation, the norm shrinks by the scale at each lag',
      [
        [0, 0.9, 0],
        [0, 0, 0.9],
        [0.9, 0, 0],
      ],
      0.9,
      0.9,
    ],
    [
      'with an orthogonal matrix, the norm stays the same',
      [
        [0, 1, 0],
        [-1, 0, 0],
        [0, 0, 1],
      ],
      1,
      1,
    ],
    [
      'with eigenvalues above 1, the norm explodes',
      [
        [1.25, 0, 0],
        [0, 1.25, 0],
        [0, 0, 1.25],
      ],
      1.25,
      1.25,
    ],
  ] as [string, number[][], number, number][]) {
    for (const backend of [{ name: 'float64', backend: float64 }, ...testBackends()]) {
      test(`${name} (${backend.name})`, { skip: ('reason' in backend && backend.reason) || false }, () =>
        onBackend(backend.backend!, async () => {
          const { layers } = await gradientFlow(linear(U), tensor(x));
          const { states, spectralRadius: radii } = layers[0]!;
          for (let b = 0; b < 2; b++) {
            for (let k = 0; k < steps; k++) {
              const wanted = Math.sqrt(H) * factor ** k; // the Frobenius norm of U^k
              const found = states.h!.values.values[b * steps + k]!;
              assert.ok(Math.abs(found / wanted - 1) < 1e-4, `lag ${k}: ${found}, expected ${wanted}`);
            }
          }
          assert.ok(Math.abs(states.h!.relative.mean[20]! / factor ** 20 - 1) < 1e-4);
          assert.ok(Math.abs(radii!.U! - radius) < 1e-4);
        }),
      );
    }
  }

  test('with a non-normal matrix U, the norm at lag k is the norm of U^k', () =>
    onBackend(float64, async () => {
      // U^k = 0.5^k [[1, 2k], [0, 1]] in its first two units
      const U = [
        [0.5, 1, 0],
        [0, 0.5, 0],
        [0, 0, 0],
      ];
      const { layers } = await gradientFlow(linear(U), tensor(x));
      for (let k = 1; k < steps; k++) {
        const wanted = 0.5 ** k * Math.sqrt(2 + (2 * k) ** 2);
        assert.ok(Math.abs(layers[0]!.states.h!.mean[k]! / wanted - 1) < 1e-10);
      }
      assert.ok(Math.abs(layers[0]!.spectralRadius!.U! - 0.5) < 1e-4);
    }));
});

test('gradients whose squares are too small for float32 are not 0, and zero gradients are 0', async () => {
  for (const { backend, reason } of testBackends()) {
    if (reason) continue;
    await onBackend(backend!, async () => {
      const network = sequential([simpleRNN({ units: 2, activation: 'linear', useBias: false })]);
      network.build([[-1, -1, 1]]);
      network.setWeights([
        { shape: [1, 2], values: [1, 1] },
        { shape: [2, 2], values: [0.1, 0, 0, 0.1] },
      ]);
      const { layers } = await gradientFlow(
        network,
        tensor(Array.from({ length: 31 }, () => [1])).withShape([1, 31, 1]),
      );
      const found = layers[0]!.states.h!.mean[30]!;
      assert.ok(Math.abs(found / (Math.SQRT2 * 1e-30) - 1) < 1e-4, String(found));
      network.setWeights([
        { shape: [1, 2], values: [1, 1] },
        { shape: [2, 2], values: [0, 0, 0, 0] },
      ]);
      const { states } = (await gradientFlow(network, tensor([[[1], [1], [1]]]))).layers[0]!;
      assert.deepEqual(Array.from(states.h!.relative.mean), [1, 0, 0]);
    });
  }
});

test('gradientFlow and trace return the same values on a backend with asynchronous reads', async () => {
  const network = sequential(
    [lstm({ units: 3, returnSequences: true }), gru({ units: 2 }), dense({ units: 1 })],
    { seed: 3 },
  );
  const run = async () => {
    const { layers } = await gradientFlow(network, tensor(X));
    const traced = await trace(network, tensor(X));
    return [layers.map(({ states }) => states.h!.values.values), traced.layers.map(({ gates }) => gates)];
  };
  const wanted = await onBackend(referenceBackend(), run);
  assert.deepEqual(await onBackend(asyncReference(), run), wanted);
});
