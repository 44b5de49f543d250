/**
 * Initial weights: the moments and bounds of each distribution, fan-in and fan-out, orthogonality, seeds, and biases of gates.
 * (Keras's random numbers cannot be reproduced, but its definitions can.) Also compares sparsemax with its definition.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { matmul, type Shape, tensor } from '@unroll/core';
import {
  activation,
  chronoInitializer,
  constant,
  dense,
  embedding,
  gru,
  type Initializer,
  identityMatrix,
  lstm,
  orthogonal,
  randomNormal,
  randomUniform,
  sequential,
  truncatedNormal,
  varianceScaling,
} from '@unroll/nn';
import { randomTensor, run } from './helpers.js';

/** Returns the kernel of the given shape that a dense layer initialises. */
function kernel([rows, cols]: Shape, kernelInitializer: Initializer, seed = 0): number[] {
  const network = sequential([dense({ units: cols!, kernelInitializer })], { seed });
  network.build([[-1, rows!]]);
  return [...network.getWeights()[0]!.values];
}

interface Moments {
  mean: number;
  deviation: number;
  largest: number;
}

function moments(values: readonly number[]): Moments {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const variance = values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance), largest: Math.max(...values.map(Math.abs)) };
}

const shape = [100, 200];
const uniformDeviation = (limit: number): number => limit / Math.sqrt(3);
/** Standard deviation of a standard normal distribution truncated at ±2. */
const TRUNCATED_DEVIATION = 0.87962566103423978;

const expected: Record<string, [Initializer, Moments]> = {
  glorotUniform: ['glorotUniform', { mean: 0, deviation: Math.sqrt(2 / 300), largest: Math.sqrt(6 / 300) }],
  glorotNormal: [
    'glorotNormal',
    { mean: 0, deviation: Math.sqrt(2 / 300), largest: (2 / TRUNCATED_DEVIATION) * Math.sqrt(2 / 300) },
  ],
  heUniform: ['heUniform', { mean: 0, deviation: Math.sqrt(2 / 100), largest: Math.sqrt(6 / 100) }],
  heNormal: [
    'heNormal',
    { mean: 0, deviation: Math.sqrt(2 / 100), largest: (2 / TRUNCATED_DEVIATION) * Math.sqrt(2 / 100) },
  ],
  lecunUniform: ['lecunUniform', { mean: 0, deviation: 0.1, largest: Math.sqrt(3 / 100) }],
  lecunNormal: ['lecunNormal', { mean: 0, deviation: 0.1, largest: 0.2 / TRUNCATED_DEVIATION }],
  randomUniform: ['randomUniform', { mean: 0, deviation: uniformDeviation(0.05), largest: 0.05 }],
  'randomUniform with bounds': [
    randomUniform({ minval: 1, maxval: 3 }),
    { mean: 2, deviation: uniformDeviation(1), largest: 3 },
  ],
  randomNormal: ['randomNormal', { mean: 0, deviation: 0.05, largest: Number.NaN }],
  'randomNormal with a non-zero mean': [
    randomNormal({ mean: 3, stddev: 2 }),
    { mean: 3, deviation: 2, largest: Number.NaN },
  ],
  truncatedNormal: ['truncatedNormal', { mean: 0, deviation: 0.05 * TRUNCATED_DEVIATION, largest: 0.1 }],
  'truncatedNormal with a non-zero mean': [
    truncatedNormal({ mean: 1, stddev: 0.5 }),
    { mean: 1, deviation: 0.5 * TRUNCATED_DEVIATION, largest: 2 },
  ],
  'varianceScaling by default': [
    'varianceScaling',
    { mean: 0, deviation: 0.1, largest: 0.2 / TRUNCATED_DEVIATION },
  ],
  'varianceScaling over fanOut, uniform': [
    varianceScaling({ scale: 6, mode: 'fanOut', distribution: 'uniform' }),
    { mean: 0, deviation: Math.sqrt(6 / 200), largest: Math.sqrt(18 / 200) },
  ],
  'varianceScaling, untruncated': [
    varianceScaling({ scale: 1, mode: 'fanAvg', distribution: 'untruncatedNormal' }),
    { mean: 0, deviation: Math.sqrt(1 / 150), largest: Number.NaN },
  ],
};

describe('distributions', () => {
  for (const [name, [initializer, want]] of Object.entries(expected)) {
    test(`${name} has the expected mean, deviation and bounds`, () => {
      const got = moments(kernel(shape, initializer));
      assert.ok(Math.abs(got.mean - want.mean) < 0.02 * want.deviation * 2, `mean ${got.mean}`);
      assert.ok(Math.abs(got.deviation / want.deviation - 1) < 0.02, `deviation ${got.deviation}`);
      if (Number.isNaN(want.largest)) assert.ok(got.largest > Math.abs(want.mean) + 3 * want.deviation);
      else assert.ok(got.largest <= want.largest * (1 + 1e-6) && got.largest > 0.97 * want.largest);
    });
  }

  test('zeros, ones, constant and identity have the exact values', () => {
    assert.ok(kernel([3, 4], 'zeros').every((value) => value === 0));
    assert.ok(kernel([3, 4], 'ones').every((value) => value === 1));
    assert.ok(kernel([3, 4], constant({ value: 2.5 })).every((value) => value === 2.5));
    assert.deepEqual(kernel([2, 3], identityMatrix({ gain: 3 })), [3, 0, 0, 0, 3, 0]);
    assert.deepEqual(kernel([2, 2], 'identity'), [1, 0, 0, 1]);
  });

  for (const [rows, cols] of [
    [6, 6],
    [4, 16],
    [16, 4],
  ] as const) {
    test(`orthogonal ${rows} x ${cols}: ${rows <= cols ? 'rows' : 'columns'} are orthonormal`, () => {
      const q = tensor(kernel([rows, cols], orthogonal({ gain: 2 })), [rows, cols]);
      const product = matmul(
        q,
        q,
        rows <= cols ? { transB: true } : { transA: true },
      ).toArray() as number[][];
      product.forEach((row, i) => {
        row.forEach((value, j) => {
          assert.ok(Math.abs(value - (i === j ? 4 : 0)) < 1e-5);
        });
      });
    });
  }

  test('an initializer with a seed does not depend on the model', () => {
    const seeded = randomNormal({ seed: 5 });
    assert.deepEqual(kernel([3, 3], seeded, 1), kernel([3, 3], seeded, 2));
    assert.notDeepEqual(kernel([3, 3], 'randomNormal', 1), kernel([3, 3], 'randomNormal', 2));
  });
});

describe('biases of gates', () => {
  const biasOf = (layer: ReturnType<typeof lstm>): number[] => {
    layer.build([[-1, -1, 2]]);
    return [...layer.getWeights()[2]!.values];
  };

  test('the bias of the forget gates of an LSTM is 1, unless unitForgetBias is false', () => {
    assert.deepEqual(biasOf(lstm({ units: 2 })), [0, 0, 1, 1, 0, 0, 0, 0]);
    assert.deepEqual(biasOf(lstm({ units: 2, unitForgetBias: false })), [0, 0, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual(
      biasOf(lstm({ units: 2, biasInitializer: 'ones', unitForgetBias: false })),
      Array(8).fill(1),
    );
    assert.deepEqual(biasOf(lstm({ units: 1, biasInitializer: constant({ value: 3 }) })), [3, 1, 3, 3]);
  });

  test('chronoInitializer distributes forget times from 2 to maxSteps', () => {
    const bias = biasOf(lstm({ units: 200, biasInitializer: chronoInitializer({ maxSteps: 100 }) }));
    const forget = bias.slice(200, 400);
    // A forget gate σ(ln u) = u/(1+u) retains the state for about 1 + u steps. Here, u is from 1 to 99.
    const times = forget.map(Math.exp);
    assert.ok(Math.min(...times) >= 1 && Math.max(...times) <= 99 + 1e-3);
    assert.ok(Math.abs(moments(times).mean - 50) < 6);
    bias.slice(0, 200).forEach((value, i) => {
      assert.ok(Math.abs(value + forget[i]!) < 1e-6);
    });
    assert.ok(bias.slice(400).every((value) => value === 0));
  });

  test('chronoInitializer for a GRU sets the bias of the update gate according to updateGate', () => {
    const chrono = (updateGate: 'keep' | 'candidate') =>
      chronoInitializer({ maxSteps: 50, cell: 'gru', updateGate });
    const keep = biasOf(gru({ units: 3, biasInitializer: chrono('keep') }));
    assert.ok(keep.slice(0, 3).every((value) => value > 0) && keep.slice(3).every((value) => value === 0));
    const candidate = biasOf(
      gru({ units: 3, updateGate: 'candidate', resetAfter: false, biasInitializer: chrono('candidate') }),
    );
    assert.ok(candidate.slice(0, 3).every((value) => value < 0));
  });
});

test('an embedding uses its pretrained vectors, which its config does not store', () => {
  const layer = embedding({ inputDim: 3, outputDim: 2, weights: [[1, 2], [3, 4], [5, 6]] }); // biome-ignore format: a table
  assert.deepEqual(run(layer, tensor([[2, 0]]))[0]!.value.toArray(), [[[5, 6], [1, 2]]]); // biome-ignore format: a table
  assert.equal('weights' in layer.config.config, false);
});

test('sparsemax is the projection onto the simplex', () => {
  const x = randomTensor('x', 20, 6);
  const y = run(activation('sparsemax'), x)[0]!.value.toArray() as number[][];
  (x.toArray() as number[][]).forEach((row, i) => {
    const p = y[i]!;
    assert.ok(Math.abs(p.reduce((total, value) => total + value, 0) - 1) < 1e-6);
    assert.ok(p.every((value) => value >= 0));
    // p is the projection if x - p is constant on the support and not larger elsewhere.
    const inside = row.map((value, k) => value - p[k]!).filter((_, k) => p[k]! > 0);
    const threshold = Math.max(...inside);
    assert.ok(threshold - Math.min(...inside) < 1e-5);
    row.forEach((value, k) => {
      assert.ok(p[k]! > 0 || value <= threshold + 1e-5);
    });
  });
});
