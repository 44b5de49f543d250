/** Examples for each loss, and a comparison with a tolerance, for the tests of losses. */
import assert from 'node:assert/strict';
import { RandomStream } from '@unroll/core';
import type { LossName, LossSpec } from '@unroll/train';

/**
 * Returns random predictions [2, 3, K] and targets for a loss. With the seeds of the tests, no prediction is near a point
 * where the loss has no derivative.
 */
export function example(
  loss: LossName,
  seed: number,
): { prediction: number[][][]; target: number[][] | number[][][] } {
  const random = new RandomStream(seed, loss);
  const width = { pinball: 3, studentTNll: 6, gaussianNll: 4, negativeBinomialNll: 4 }[loss as string] ?? 3;
  const rows = <T>(make: () => T): T[][] => [0, 1].map(() => [0, 1, 2].map(make));
  const list = (count: number, low: number, high: number): number[] => [...random.uniform(count, low, high)];
  const integers = (count: number, below: number): number[] => list(count, 0, below).map(Math.floor);
  const probabilities = /Crossentropy/.test(loss) || loss === 'poisson';
  const prediction = rows(() => (probabilities ? list(3, 0.1, 0.9) : list(width, -2, 2)));
  const oneHot = (): number[] => {
    const [label] = integers(1, 3);
    return [0, 1, 2].map((k) => (k === label ? 1 : 0));
  };
  if (loss === 'sparseCategoricalCrossentropy') return { prediction, target: rows(() => integers(1, 3)[0]!) };
  if (loss === 'pinball') return { prediction, target: rows(() => list(1, -2, 2)) };
  if (/Crossentropy/.test(loss)) return { prediction, target: rows(oneHot) };
  if (loss === 'poisson') return { prediction, target: rows(() => integers(3, 5)) };
  if (loss === 'negativeBinomialNll') return { prediction, target: rows(() => integers(2, 9)) };
  const columns = loss === 'studentTNll' || loss === 'gaussianNll' ? 2 : 3;
  return { prediction, target: rows(() => list(columns, -2, 2)) };
}

/** Every loss with one target per element or row; losses with options in several variants. */
export const LOSS_VARIANTS: LossSpec[] = [
  ...([
    'mse',
    'mae',
    'huber',
    'logCosh',
    'poisson',
    'gaussianNll',
    'studentTNll',
    'negativeBinomialNll',
  ] as const),
  { name: 'huber', delta: 0.7 },
  { name: 'pinball', quantiles: [0.1, 0.5, 0.9] },
  ...[false, true].flatMap((fromLogits): LossSpec[] => [
    { name: 'binaryCrossentropy', fromLogits, labelSmoothing: 0.1 },
    { name: 'categoricalCrossentropy', fromLogits, labelSmoothing: 0.1 },
    { name: 'sparseCategoricalCrossentropy', fromLogits },
    { name: 'sparseCategoricalCrossentropy', fromLogits, labelSmoothing: 0.1 },
    { name: 'binaryFocalCrossentropy', fromLogits, applyClassBalancing: true },
    { name: 'binaryFocalCrossentropy', fromLogits, gamma: 0.5 },
    { name: 'categoricalFocalCrossentropy', fromLogits, gamma: 1.5 },
    { name: 'categoricalFocalCrossentropy', fromLogits, gamma: 0, alpha: [1, 2, 3] },
  ]),
];

/** Asserts that two lists of numbers differ by at most `allowed` · max(1, |expected|). */
export function close(actual: ArrayLike<number>, expected: readonly number[], allowed = 1e-6): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    const size = Math.max(1, Math.abs(value));
    assert.ok(
      Math.abs(actual[i]! - value) <= allowed * size,
      `element ${i}: expected ${value}, got ${actual[i]} (allowed error ${allowed * size})`,
    );
  });
}

export const title = (spec: LossSpec): string => (typeof spec === 'string' ? spec : JSON.stringify(spec));
