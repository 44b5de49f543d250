/** Baseline forecasts, which every model is compared with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drift, naive, seasonalNaive } from '@unroll/data';

test('naive repeats the last value', () => assert.deepEqual([...naive([1, 2, 7], 3)], [7, 7, 7]));

test('seasonal-naive takes the value one season before, and repeats the last season', () => {
  assert.deepEqual([...seasonalNaive([9, 1, 2, 3], 7, 3)], [1, 2, 3, 1, 2, 3, 1]);
});

test('drift extends the series by its mean step, (7-1)/3 per row', () =>
  assert.deepEqual([...drift([1, 4, 3, 7], 3)], [9, 11, 13]));

test('rejects a history that is too short and says how many values are needed', () => {
  assert.throws(() => seasonalNaive([1, 2], 1, 3), /needs at least 3 past values, got 2/);
  assert.throws(() => drift([1], 1), /needs at least 2 past values/);
  assert.throws(() => naive([], 1), /needs at least 1 past value/);
});

test('a horizon below 1 is an error', () =>
  assert.throws(() => naive([1], 0), /horizon must be a positive integer, got 0/));
