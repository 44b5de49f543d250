// Heads and their quantile functions: quantiles compared with tables, and the order of learned quantiles.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeHead, negativeBinomialQuantile, normalQuantile, studentTQuantile } from '@unroll/tasks/internal';

const near = (got: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(got - expected) <= tolerance, `${got} is not ${expected}`);
const inverseSoftplus = (x: number) => Math.log(Math.expm1(x));

test('quantiles of the normal distribution agree with a table', () => {
  for (const [p, z] of [
    [0.5, 0],
    [0.9, 1.2815515655],
    [0.975, 1.9599639845],
    [0.999, 3.0902323062],
    [1e-6, -4.7534243088],
  ]) {
    near(normalQuantile(p!), z!, 1e-8);
  }
});

test("quantiles of Student's t agree with printed tables", () => {
  for (const [p, df, t] of [
    [0.975, 2, 4.3027],
    [0.9, 2, 1.8856],
    [0.975, 5, 2.5706],
    [0.9, 5, 1.4759],
    [0.995, 3, 5.8409],
    [0.975, 10, 2.2281],
    [0.6, 10, 0.2602],
    [0.975, 30, 2.0423],
    [0.025, 10, -2.2281],
    [0.5, 7, 0],
  ]) {
    near(studentTQuantile(p!, df!), t!, 2e-3);
  }
});

/** Level, mean, dispersion, quantile. */
const NEGATIVE_BINOMIAL: [number, number, number, number][] = [
  [0.5, 0.3, 2, 0],
  [0.9, 0.3, 2, 1],
  [0.975, 0.3, 2, 2],
  [0.5, 5, 0.4, 4],
  [0.1, 5, 0.4, 1],
  [0.95, 5, 0.4, 12],
  [0.9, 7, 0, 10],
  [0.025, 900, 0.01, 723],
  [0.975, 900, 0.01, 1095],
  [0.5, 5000, 0.0001, 5000],
  [0.975, 40, 3, 242],
  [0.1, 9000, 1e-5, 8873],
  [0.999, 0.01, 50, 2],
  [0.5, 900, 0, 900],
];

// scipy.stats.nbinom.ppf(p, 1 / dispersion, 1 / (1 + dispersion * mean)); dispersion 0: scipy.stats.poisson.ppf(p, mean)
test('quantiles of the negative binomial distribution agree with SciPy, for small and large means', () => {
  for (const [p, mean, dispersion, count] of NEGATIVE_BINOMIAL)
    assert.equal(negativeBinomialQuantile(p, mean, dispersion), count, `${[p, mean, dispersion]}`);
  // For means above 10,000, the quantiles are approximate.
  near(negativeBinomialQuantile(0.975, 1e6, 0.5) / 2785823, 1, 3e-4);
  near(negativeBinomialQuantile(0.5, 1e9, 1e-12) / 1e9, 1, 1e-3);
});

describe('heads', () => {
  test('every quantile of a point forecast is the point', () => {
    const head = makeHead('point', [0.8]);
    assert.deepEqual([head.outputs, head.quantile([7], 0.1), head.quantile([7], 0.9)], [1, 7, 7]);
  });
  test('a normal distribution: mean 3, deviation 2', () => {
    const head = makeHead('gaussian', [0.8]);
    const numbers = [3, inverseSoftplus(2)];
    near(head.quantile(numbers, 0.5), 3, 1e-12);
    near(head.quantile(numbers, 0.9), 3 + 2 * 1.2815515655, 1e-8);
  });
  test("Student's t: location 3, scale 2, 5 degrees of freedom", () => {
    const head = makeHead('studentt', [0.8]);
    near(head.quantile([3, inverseSoftplus(2), inverseSoftplus(3)], 0.975), 3 + 2 * 2.5706, 4e-3);
  });
  test('a negative binomial distribution: if the inputs are divided by a unit, the mean is multiplied by the unit, and the dispersion is divided by its square root', () => {
    const head = makeHead('negbin', [0.8]);
    const numbers = [inverseSoftplus(0.75), inverseSoftplus(1)];
    near(head.mean!(numbers, 4), 3, 1e-12);
    assert.equal(head.quantile(numbers, 0.9, 4), negativeBinomialQuantile(0.9, 3, 0.5));
  });
  test('sorts crossing quantiles', () => {
    const head = makeHead('quantile', [0.8]);
    assert.equal(head.outputs, 3);
    assert.deepEqual(
      [0.1, 0.5, 0.9].map((level) => head.quantile([5, 4, 6], level)),
      [4, 5, 6],
    );
    assert.throws(() => head.quantile([1, 2, 3], 0.25), /must be one of the head's quantiles .*got 0\.25/);
  });
  test('sorts the levels of the quantiles by value, not as text', () => {
    const head = makeHead('quantile', [0.8, 0.999999]); // the lowest level is 5.000000000032756e-7
    assert.deepEqual(
      [0.0000005, 0.1, 0.5, 0.9, 0.9999995].map((level) => head.quantile([1, 2, 3, 4, 5], level)),
      [1, 2, 3, 4, 5],
    );
  });
  test('rejects an unknown head', () =>
    assert.throws(() => makeHead('cauchy' as never, []), /head must be one of point, quantile/));
});
