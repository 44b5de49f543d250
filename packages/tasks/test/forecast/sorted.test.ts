import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { sortedByIndex, valueAtRank } from '@unroll/tasks/internal';

describe('valueAtRank', () => {
  const cases: Record<string, number[]> = {
    'one value': [3],
    'equal values': [2, 2, 2, 2, 2, 2, 2],
    'two different values': [1, 0, 0, 1, 1, 0, 1, 0, 1],
    'ascending values': Array.from({ length: 101 }, (_, i) => i),
    'descending values': Array.from({ length: 100 }, (_, i) => -i),
    'a peak in the middle': Array.from({ length: 99 }, (_, i) => -Math.abs(i - 49)),
    'infinite values': [Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, 2, Number.POSITIVE_INFINITY],
    'NaN, which comes last': [Number.NaN, 5, Number.NaN, -1, 3, Number.NaN],
    'only NaN': [Number.NaN, Number.NaN],
  };
  for (const [name, values] of Object.entries(cases))
    test(`returns the value at each rank of ${name}`, () => {
      const sorted = Float64Array.from(values).sort();
      for (const rank of values.keys())
        assert.deepEqual(valueAtRank(Float64Array.from(values), rank), sorted[rank], `rank ${rank}`);
    });

  test('agrees with sorting for random lists with and without equal values', () => {
    for (let n = 0; n < 300; n++) {
      const length = 1 + ((n * 37) % 400);
      const distinct = n % 2 ? 1e9 : 5;
      const random = new RandomStream(n, 'values').uniform(length);
      const values = Float64Array.from(random, (each) => Math.floor(each * distinct));
      const rank = (n * 101) % length;
      const kept = values.slice();
      assert.equal(valueAtRank(values, rank), kept.sort()[rank]);
      assert.deepEqual(values.sort(), kept, 'the values are only reordered');
    }
  });
});

describe('sortedByIndex', () => {
  test('returns the positions in ascending order of the indices, equal ones in their order', () => {
    assert.deepEqual([...sortedByIndex([5, -2, 5, 0, -2])], [1, 4, 3, 0, 2]);
    assert.deepEqual([...sortedByIndex([])], []);
  });
});
