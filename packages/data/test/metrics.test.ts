// Compares every metric with a hand-computed value. The title or comment shows the computation.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mae, mape, mase, r2, rmse, rmsse, smape, wmape } from '@unroll/data';

const actual = [2, 4, 8, 10];
const predicted = [3, 4, 6, 14];
// errors -1 0 2 -4; absolute 1 0 2 4; squares 1 0 4 16
const near = (got: number, want: number) => assert.ok(Math.abs(got - want) < 1e-12, `${got} is not ${want}`);

describe('metrics of point forecasts', () => {
  test('mae: (1+0+2+4)/4', () => near(mae(actual, predicted), 7 / 4));
  test('rmse: sqrt((1+0+4+16)/4)', () => near(rmse(actual, predicted), Math.sqrt(21 / 4)));
  test('mape: 100·(1/2 + 0/4 + 2/8 + 4/10)/4', () => near(mape(actual, predicted), (100 * 1.15) / 4));
  test('smape: 200·(1/5 + 0 + 2/14 + 4/24)/4', () => {
    near(smape(actual, predicted), (200 * (1 / 5 + 2 / 14 + 4 / 24)) / 4);
  });
  test('wmape: 100·7/24', () => near(wmape(actual, predicted), 700 / 24));
  test('r2: 1 - 21/40, the mean of the actual values being 6', () =>
    near(r2(actual, predicted), 1 - 21 / 40));

  // training 1 3 2 6. Absolute differences at lag 1: 2 1 4, mean 7/3, mean square 21/3. At lag 2: 1 3, mean 2, mean square 5.
  const training = [1, 3, 2, 6];
  test('mase, season 1: (7/4)/(7/3)', () => near(mase(actual, predicted, training), 3 / 4));
  test('mase, season 2: (7/4)/2', () => near(mase(actual, predicted, training, 2), 7 / 8));
  test('rmsse, season 1: sqrt((21/4)/7)', () => near(rmsse(actual, predicted, training), Math.sqrt(3) / 2));
  test('rmsse, season 2: sqrt((21/4)/5)', () =>
    near(rmsse(actual, predicted, training, 2), Math.sqrt(21 / 20)));
});

describe('edge cases of metrics', () => {
  test('pairs without an actual value are ignored', () => {
    near(mae([2, Number.NaN, 8], [3, 100, 6]), 1.5);
    near(rmse([2, Number.NaN, 8], [3, 100, 6]), Math.sqrt(2.5));
  });
  test('a missing prediction gives NaN', () => assert.ok(Number.isNaN(mae([1, 2], [1, Number.NaN]))));
  test('no valid pair gives NaN', () => assert.ok(Number.isNaN(mae([Number.NaN], [1]))));
  test('differences across gaps in the training values are ignored, which leaves 2 and 4', () =>
    near(mase([1], [4], [1, 3, Number.NaN, 2, 6]), 1));
  test('constant training values give NaN', () => {
    assert.ok(Number.isNaN(mase([1], [2], [5, 5, 5])));
    assert.ok(Number.isNaN(rmsse([1], [2], [5, 5, 5])));
  });
  test('a forecast of 0 for an actual value of 0 has a percentage error of 0', () => {
    assert.equal(smape([0, 1], [0, 1]), 0);
    assert.equal(mape([0], [0]), 0);
  });
  test('unequal lengths are an error that states both', () => {
    assert.throws(() => mae([1, 2], [1]), /must have the same length, got 2 and 1 values/);
  });
});
