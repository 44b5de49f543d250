// Sliding windows: the rows of each window, and errors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slidingWindows } from '@unroll/data';

test('inputs are the rows up to the origin, targets the rows after it', () => {
  const { inputs, targets, origins } = slidingWindows([[0, 1, 2, 3, 4]], { window: 2, horizon: 2 });
  assert.deepEqual(inputs.toArray(), [
    [[0], [1]],
    [[1], [2]],
  ]);
  assert.deepEqual(targets.toArray(), [
    [[2], [3]],
    [[3], [4]],
  ]);
  assert.deepEqual([...origins], [1, 2]);
});

test('several columns are stacked as features; targets may be other columns', () => {
  const { inputs, targets } = slidingWindows(
    [
      [0, 1, 2],
      [10, 11, 12],
    ],
    { window: 2, horizon: 1 },
    [[100, 101, 102]],
  );
  assert.deepEqual(inputs.toArray(), [
    [
      [0, 10],
      [1, 11],
    ],
  ]);
  assert.deepEqual(targets.toArray(), [[[102]]]);
});

test('a step of 2 skips every second window', () => {
  const { origins } = slidingWindows([[0, 1, 2, 3, 4, 5, 6]], { window: 2, horizon: 1, step: 2 });
  assert.deepEqual([...origins], [1, 3, 5]);
});

test('exactly enough rows give one window; one row fewer is an error', () => {
  assert.deepEqual(slidingWindows([[1, 2, 3]], { window: 2, horizon: 1 }).inputs.shape, [1, 2, 1]);
  assert.throws(() => slidingWindows([[1, 2]], { window: 2, horizon: 1 }), /need at least 3 rows, got 2\./);
});

test('columns of unequal length and counts below 1 are errors', () => {
  assert.throws(
    () =>
      slidingWindows(
        [
          [1, 2, 3],
          [1, 2],
        ],
        { window: 1, horizon: 1 },
      ),
    /same number of rows/,
  );
  assert.throws(
    () => slidingWindows([[1, 2, 3]], { window: 0, horizon: 1 }),
    /window must be a positive integer, got 0/,
  );
});
