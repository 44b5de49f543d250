/**
 * Compares losses with hand-computed values, and their gradients with central differences in float64. losses-goldens.test.ts
 * compares losses with other frameworks.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setBackend, type Tensor, tensor, valueAndGrad } from '@unroll/core';
import { type Loss, type LossName, type LossSpec, losses, resolveLoss } from '@unroll/train';
import { close, example, LOSS_VARIANTS, title } from './loss-examples.js';

const { log, log1p, exp, PI } = Math;
const sigmoid = (x: number): number => 1 / (1 + exp(-x));
const softplus = (x: number): number => log1p(exp(x));

interface HandComputed {
  spec: LossSpec;
  prediction: number[][];
  target: number[] | number[][];
  /** The loss of each row. */
  rows: number[];
}

test('the targets of the examples for categorical losses have one 1 per row', () => {
  for (const loss of ['categoricalCrossentropy', 'categoricalFocalCrossentropy'] as const)
    for (const seed of [1, 2, 3])
      for (const row of example(loss, seed).target.flat() as number[][])
        assert.deepEqual(row.toSorted(), [0, 0, 1]);
});

// biome-ignore format: one case per line
const HAND_COMPUTED: HandComputed[] = [
  { spec: 'mse', prediction: [[1, 2], [3, 5]], target: [[0, 4], [3, 5]], rows: [2.5, 0] },
  { spec: 'mae', prediction: [[1, 2], [3, 5]], target: [[0, 4], [4, 5]], rows: [1.5, 0.5] },
  { spec: 'huber', prediction: [[1, 0.5], [-4, 0]], target: [[0, 0], [0, 0]], rows: [0.625 / 2, 3.5 / 2] },
  { spec: { name: 'huber', delta: 2 }, prediction: [[5]], target: [[0]], rows: [2 * 5 - 2] },
  {
    spec: 'logCosh',
    prediction: [[1], [-2]],
    target: [[0], [0]],
    rows: [log(Math.cosh(1)), log(Math.cosh(2))],
  },
  {
    spec: 'binaryCrossentropy',
    prediction: [[0.8, 0.3]],
    target: [[1, 0]],
    rows: [-(log(0.8) + log(0.7)) / 2],
  },
  {
    spec: { name: 'binaryCrossentropy', fromLogits: true, labelSmoothing: 0.2 },
    prediction: [[2]],
    target: [[1]],
    rows: [-(0.9 * log(sigmoid(2)) + 0.1 * log(1 - sigmoid(2)))],
  },
  { spec: 'categoricalCrossentropy', prediction: [[0.2, 0.5, 0.3]], target: [[0, 1, 0]], rows: [-log(0.5)] },
  { spec: 'categoricalCrossentropy', prediction: [[0.4, 1, 0.6]], target: [[0, 1, 0]], rows: [-log(0.5)] },
  {
    spec: { name: 'categoricalCrossentropy', fromLogits: true, labelSmoothing: 0.3 },
    prediction: [[0, log(2), 0]],
    target: [[0, 1, 0]],
    rows: [-(0.8 * log(0.5) + 0.2 * log(0.25))],
  },
  {
    spec: 'sparseCategoricalCrossentropy',
    prediction: [[0.2, 0.5, 0.3], [1, 1, 2]],
    target: [1, 2],
    rows: [log(2), log(2)],
  },
  {
    spec: { name: 'sparseCategoricalCrossentropy', fromLogits: true },
    prediction: [[0, log(2), 0], [1000, 0, -1000]],
    target: [0, 1],
    rows: [log(4), 1000],
  },
  {
    spec: { name: 'sparseCategoricalCrossentropy', labelSmoothing: 0.3 },
    prediction: [[0.25, 0.5, 0.25]],
    target: [1],
    rows: [-(0.8 * log(0.5) + 0.2 * log(0.25))],
  },
  {
    spec: { name: 'sparseCategoricalCrossentropy', fromLogits: true, labelSmoothing: 0.3 },
    prediction: [[0, log(2), 0]],
    target: [1],
    rows: [-(0.8 * log(0.5) + 0.2 * log(0.25))],
  },
  { spec: 'binaryFocalCrossentropy', prediction: [[0.8]], target: [[1]], rows: [0.04 * -log(0.8)] },
  {
    spec: { name: 'binaryFocalCrossentropy', applyClassBalancing: true, gamma: 1 },
    prediction: [[0.8], [0.8]],
    target: [[1], [0]],
    rows: [0.25 * 0.2 * -log(0.8), 0.75 * 0.8 * -log(0.2)],
  },
  {
    spec: 'categoricalFocalCrossentropy',
    prediction: [[0.2, 0.8]],
    target: [[0, 1]],
    rows: [0.25 * 0.04 * -log(0.8)],
  },
  {
    spec: { name: 'categoricalFocalCrossentropy', alpha: [1, 3], gamma: 0 },
    prediction: [[0.2, 0.8]],
    target: [[0, 1]],
    rows: [3 * -log(0.8)],
  },
  { spec: 'poisson', prediction: [[2], [0.5]], target: [[3], [0]], rows: [2 - 3 * log(2), 0.5] },
  { spec: { name: 'pinball', quantile: 0.9 }, prediction: [[1], [3]], target: [[2], [2]], rows: [0.9, 0.1] },
  {
    spec: { name: 'pinball', quantiles: [0.1, 0.9] },
    prediction: [[1, 5]],
    target: [2],
    rows: [(0.1 + 0.3) / 2],
  },
  {
    spec: 'gaussianNll',
    prediction: [[1, 0]],
    target: [[3]],
    rows: [log(softplus(0)) + 2 / softplus(0) ** 2 + log(2 * PI) / 2],
  },
  {
    spec: { name: 'gaussianNll', spread: 'variance', full: false },
    prediction: [[1, 4]],
    target: [[3]],
    rows: [(log(4) + 1) / 2],
  },
  {
    // With 3 degrees of freedom the density is 2 / (π √3 s (1 + z²/3)²).
    spec: 'studentTNll',
    prediction: [[1, log(exp(2) - 1), log(exp(1) - 1)]],
    target: [[4]],
    rows: [-log(2 / (PI * Math.sqrt(3) * 2 * (1 + 0.75) ** 2))],
  },
  {
    // alpha = 1 is the geometric distribution: p (1 - p)^y with p = 1 / (1 + mean).
    spec: 'negativeBinomialNll',
    prediction: [[log(exp(3) - 1), log(exp(1) - 1)]],
    target: [[2]],
    rows: [-log(0.25 * 0.75 ** 2)],
  },
  {
    // The targets are counts and their scales: -scipy.stats.nbinom.logpmf(y, 1 / a, 1 / (1 + a * m)) with
    // m = scale * softplus(raw mean), a = softplus(raw alpha) / sqrt(scale).
    spec: { name: 'negativeBinomialNll', units: true },
    prediction: [
      [0.5, -1],
      [-2, 0.3],
      [1.5, 1],
    ],
    target: [
      [3, 2.5],
      [0, 1],
      [120, 90],
    ],
    rows: [1.7754536655449134, 0.12050616682684669, 4.947071861265731],
  },
];

const shaped = (values: number[] | number[][]): Tensor => tensor(values as number[][]);

describe('losses against hand-computed values', () => {
  for (const { spec, prediction, target, rows } of HAND_COMPUTED) {
    test(title(spec), () => {
      const loss = resolveLoss(spec);
      close(loss.rows(shaped(prediction), shaped(target)).dataSync(), rows);
      const average = rows.reduce((total, row) => total + row, 0) / rows.length;
      close([loss.compute(shaped(prediction), shaped(target), null).item()], [average]);
    });
  }
});

describe('gradients of losses against central differences in float64', () => {
  before(() => setBackend('reference:float64'));
  after(() => setBackend());
  const mask = [
    [1, 1, 0],
    [0, 1, 1],
  ];
  const weights = [
    [0.5, 0, 3],
    [1, 2, 0.25],
  ];
  for (const spec of LOSS_VARIANTS) {
    test(title(spec), () => {
      const loss = resolveLoss(spec);
      const { prediction, target } = example(loss.name as LossName, 7);
      const y = tensor(target as number[][]);
      const flat = prediction.flat(2);
      const shape = [2, 3, prediction[0]![0]!.length];
      const lossOf = (values: readonly number[]): number =>
        loss.compute(tensor(values, shape), y, tensor(mask), tensor(weights)).item();
      const p = tensor(flat, shape);
      const { grads } = valueAndGrad(() => loss.compute(p, y, tensor(mask), tensor(weights)), [p]);
      grads[0]!.dataSync().forEach((found, i) => {
        const lossAfter = (step: number): number =>
          lossOf(flat.map((value, j) => (j === i ? value + step : value)));
        const difference = (lossAfter(1e-5) - lossAfter(-1e-5)) / 2e-5;
        assert.ok(
          Math.abs(found - difference) < 1e-7,
          `element ${i}: ${found}, central difference ${difference}`,
        );
      });
    });
  }
});

describe('names and options', () => {
  test('every loss can be restored from its name and options', () => {
    for (const spec of LOSS_VARIANTS) {
      const loss = resolveLoss(spec);
      const restored = resolveLoss(
        JSON.parse(JSON.stringify({ name: loss.name, ...loss.config })) as LossSpec,
      );
      assert.deepEqual(restored.config, loss.config);
    }
    const loss: Loss = losses.pinball();
    assert.equal(resolveLoss(loss), loss);
  });
});
