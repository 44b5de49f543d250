// Scalers: hand-computed results, values to which the scaler was not fitted, inverses, and configs as JSON.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  LogScaler,
  MinMaxScaler,
  quantile,
  RobustScaler,
  StandardScaler,
  scalerFromConfig,
} from '@unroll/data';

const values = [2, 4, 4, 10]; // mean 5, variance (9+1+1+25)/4 = 9; quartiles 3.5, 4, 5.5
/** `scaled` are the scaled values; `scaledEight` is the result for 8, which is not one of them. */
const scalers = [
  { scaler: () => new StandardScaler(), scaled: [-1, -1 / 3, -1 / 3, 5 / 3], scaledEight: 1 },
  { scaler: () => new MinMaxScaler(), scaled: [0, 0.25, 0.25, 1], scaledEight: 0.75 },
  { scaler: () => new RobustScaler(), scaled: [-1, 0, 0, 3], scaledEight: 2 },
  { scaler: () => new LogScaler(), scaled: values.map(Math.log), scaledEight: Math.log(8) },
];
function close(got: ArrayLike<number>, want: readonly number[]): void {
  for (const [i, value] of want.entries()) {
    assert.ok(Math.abs(got[i]! - value) < 1e-12, `${Array.from(got)} is not ${want}`);
  }
}

for (const { scaler, scaled, scaledEight } of scalers) {
  describe(scaler().constructor.name, () => {
    test('scales the values to which it was fitted', () =>
      close(scaler().fit(values).transform(values), scaled));
    test('scales a new value with the fitted statistics', () =>
      close(scaler().fit(values).transform([8]), [scaledEight]));
    test('inverse() reverses transform()', () => {
      const fitted = scaler().fit(values);
      close(fitted.inverse(fitted.transform([7.25, 123])), [7.25, 123]);
    });
    test('can be restored from JSON', () => {
      const config = JSON.parse(JSON.stringify(scaler().fit(values).config()));
      close(scalerFromConfig(config).transform([8]), [scaledEight]);
    });
    test('ignores missing values', () => {
      const fitted = scaler().fit([...values, Number.NaN]);
      close(fitted.transform([8]), [scaledEight]);
      assert.ok(Number.isNaN(fitted.transform([Number.NaN])[0]));
    });
  });
}

test('a constant series becomes 0 and can be inverted', () => {
  for (const Scaler of [StandardScaler, MinMaxScaler, RobustScaler]) {
    for (const value of [5, 0.1]) {
      const fitted = new Scaler().fit([value, value, value]);
      assert.deepEqual([...fitted.transform([value])], [0]);
      assert.deepEqual([...fitted.inverse([0])], [value]);
    }
  }
});

test('a scaler that was not fitted throws', () => {
  assert.throws(() => new StandardScaler().transform([1]), /has not been fitted: call fit/);
});

test('a scaler needs a value that is not NaN', () => {
  for (const values of [[], [Number.NaN]])
    assert.throws(() => new StandardScaler().fit(values), /at least one value that is not NaN, got none\./);
});

test('LogScaler rejects values that are not positive', () => {
  assert.throws(() => new LogScaler().transform([1, 0]), /needs values above 0, got 0 at index 1/);
  close(new LogScaler(1).transform([0]), [0]);
});

test('rejects a config of an unknown kind', () => {
  assert.throws(() => scalerFromConfig({ kind: 'cube' } as never), /no scaler of kind "cube"/);
});

test('quantiles are interpolated between neighbours', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
  assert.equal(quantile([1, 2, 3, 4], 0), 1);
  assert.equal(quantile([1, 2, 3, 4], 1), 4);
  assert.throws(() => quantile([], 0.5), /at least one value/);
  assert.throws(() => quantile([1], 1.5), /between 0 and 1, got 1.5/);
});
