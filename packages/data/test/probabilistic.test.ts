// Compares metrics of quantiles and intervals with hand-computed values.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  coverage,
  crpsOfNormal,
  crpsOfQuantiles,
  meanWidth,
  pinball,
  weightedQuantileLoss,
  winkler,
} from '@unroll/data';

const actual = [10, 20, 30, 40];
const low = [8, 21, 30, 30]; // actual - low: 2, -1, 0, 10
const high = [12, 25, 33, 36]; // actual - high: -2, -5, -3, 4
const near = (got: number, want: number, by = 1e-12) =>
  assert.ok(Math.abs(got - want) < by, `${got} is not ${want}`);

describe('quantiles', () => {
  test('pinball at 0.1: (0.1·2 + 0.9·1 + 0 + 0.1·10)/4', () => {
    near(pinball(actual, { level: 0.1, values: low }), 2.1 / 4);
  });
  test('pinball at 0.9: (0.1·2 + 0.1·5 + 0.1·3 + 0.9·4)/4', () => {
    near(pinball(actual, { level: 0.9, values: high }), 4.6 / 4);
  });
  const quantiles = [
    { level: 0.1, values: low },
    { level: 0.9, values: high },
  ];
  test('crps of quantiles: 2·(2.1 + 4.6)/4/2', () => near(crpsOfQuantiles(actual, quantiles), 6.7 / 4));
  test('weighted quantile loss: 2·(2.1 + 4.6)/2/100, where 100 is the sum of the actual values', () =>
    near(weightedQuantileLoss(actual, quantiles), 0.067));
  test('the weighted quantile loss of the median alone is the sum of the absolute errors divided by the sum of the actual values', () => {
    near(weightedQuantileLoss([10, 30], [{ level: 0.5, values: [12, 27] }]), 5 / 40);
  });
  test('the CRPS of many quantiles approximates the closed form for the normal distribution', () => {
    // The CRPS of the standard normal for the actual value 0 is 0.2337 (Gneiting & Raftery 2007).
    near(crpsOfNormal([0], [0], [1]), (Math.SQRT2 - 1) / Math.sqrt(Math.PI), 1e-6);
    const levels = Array.from({ length: 100 }, (_, i) => (i + 0.5) / 100); // 0.005, 0.015, ...
    const values = levels.map((level) => [normalQuantile(level)]);
    near(
      crpsOfQuantiles(
        [0],
        levels.map((level, i) => ({ level, values: values[i]! })),
      ),
      0.2337,
      2e-4,
    );
  });
  test('crps of a narrow normal distribution is the absolute error', () =>
    near(crpsOfNormal([3], [5], [1e-9]), 2, 1e-6));
});

describe('intervals', () => {
  test('coverage: 10 in 8..12 and 30 in 30..33, ends included', () => near(coverage(actual, low, high), 0.5));
  test('width: (4 + 4 + 3 + 6)/4', () => near(meanWidth(actual, low, high), 17 / 4));
  test('winkler at 0.8: the widths plus 10 times the distances 1 and 4 of the values outside', () =>
    near(winkler(actual, low, high, 0.8), (17 + 50) / 4));
  test('missing actual values are ignored', () => {
    near(coverage([10, Number.NaN], [8, 0], [12, 0]), 1);
    near(winkler([10, Number.NaN], [8, 0], [12, 0], 0.8), 4);
    assert.ok(Number.isNaN(coverage([], [], [])));
  });
});

test('levels outside 0..1 and unequal lengths are errors', () => {
  assert.throws(() => pinball([1], { level: 1, values: [1] }), /level must be between 0 and 1, got 1/);
  assert.throws(() => winkler([1], [1], [1], 95), /got 95/);
  assert.throws(() => coverage([1, 2], [1], [1]), /must have the same length, got 2 and 1 values/);
  assert.throws(() => crpsOfQuantiles([1], []), /at least one entry, got none/);
});

/** Inverts a numerically integrated normal CDF by bisection: slow, but independent of the code under test. */
function normalQuantile(level: number): number {
  const cdf = (z: number) => {
    let sum = 0;
    for (let x = -9; x < z; x += 1e-3) sum += Math.exp((-x * x) / 2) * 1e-3;
    return sum / Math.sqrt(2 * Math.PI);
  };
  let [a, b] = [-6, 6];
  for (let i = 0; i < 20; i++) [a, b] = cdf((a + b) / 2) < level ? [(a + b) / 2, b] : [a, (a + b) / 2];
  return (a + b) / 2;
}
