/**
 * Batches of rows of a data set. Detects rows in a wrong order or place, batches that lose their values after the scope in which they
 * were used, and batches that share values with another batch.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { add, keep, reshape, scope, setBackend, tensor } from '@unroll/core';
import { takeRows } from '@unroll/core/internal';
import { testBackends } from '@unroll/testkit/node';

const [N, T, I] = [7, 9, 5];
/** The value of an element states its row and its position in it. */
const dataSet = (width: number) =>
  tensor(
    Float32Array.from({ length: N * width }, (_, i) => 1000 * Math.floor(i / width) + (i % width)),
    [N, width],
  );
const expected = (rows: readonly number[], width: number): number[] =>
  rows.flatMap((row) => Array.from({ length: width }, (_, i) => 1000 * row + i));

for (const { name, backend, reason } of testBackends()) {
  describe(`takeRows, ${name}`, { skip: reason || false }, () => {
    if (!backend) return;
    before(() => setBackend(backend));
    after(() => setBackend());
    // Short rows are copied at once, long ones when they are needed.
    for (const width of [1, 32, 33, T * I])
      test(`takes rows of length ${width} in any order, repeatedly, before, in and after a scope`, () => {
        const all = dataSet(width);
        const rows = [6, 0, 3, 3, 5];
        const batch = takeRows(all, Uint32Array.from(rows));
        const other = takeRows(all, [1]);
        assert.deepEqual(batch.shape, [5, width]);
        const plusOne = scope(() => add(batch, 1));
        const plusTwo = scope(() => [add(other, 2), add(batch, 2)]);
        const values = expected(rows, width);
        assert.deepEqual([...plusOne.dataSync()], values.map((value) => value + 1)); // biome-ignore format: two lines
        assert.deepEqual([...plusTwo[0]!.dataSync()], expected([1], width).map((value) => value + 2)); // biome-ignore format: as above
        assert.deepEqual([...plusTwo[1]!.dataSync()], values.map((value) => value + 2)); // biome-ignore format: as above
        assert.deepEqual([...batch.dataSync()], values);
        assert.deepEqual([...all.dataSync()], expected([0, 1, 2, 3, 4, 5, 6], width));
      });

    test('rows can be returned from a scope, reshaped and selected again', () => {
      const batch = takeRows(dataSet(T * I), [4, 2]);
      const returned = scope(() => keep(batch));
      const sequences = reshape(batch, [2, T, I]);
      const last = takeRows(sequences, [1, 1]);
      assert.deepEqual([...returned.dataSync()], expected([4, 2], T * I));
      assert.deepEqual(last.shape, [2, T, I]);
      assert.deepEqual([...scope(() => add(last, 0)).dataSync()], expected([2, 2], T * I));
      assert.deepEqual([...sequences.dataSync()], expected([4, 2], T * I));
    });

    test('values are the same whether a batch is first read in host memory, in an inner or in an outer scope', () => {
      const plusOne = expected([2, 6], T * I).map((value) => value + 1);
      const read = takeRows(dataSet(T * I), [2, 6]);
      assert.deepEqual([...read.dataSync()], expected([2, 6], T * I));
      const inner = takeRows(dataSet(T * I), [2, 6]);
      scope(() => {
        assert.deepEqual([...scope(() => add(inner, 1)).dataSync()], plusOne);
        assert.deepEqual([...add(read, 1).dataSync()], plusOne);
        assert.deepEqual([...add(inner, 1).dataSync()], plusOne);
        assert.deepEqual([...scope(() => add(inner, 1)).dataSync()], plusOne);
        assert.deepEqual([...keep(inner).dataSync()], expected([2, 6], T * I));
      });
    });

    test('no rows', () => {
      const none = takeRows(dataSet(T * I), []);
      assert.deepEqual(none.shape, [0, T * I]);
      assert.deepEqual([...none.dataSync()], []);
      assert.deepEqual(scope(() => add(none, 1)).shape, [0, T * I]);
    });

    for (const width of [3, T * I])
      for (const row of [-1, N, Number.NaN])
        test(`row ${row} of ${N} rows of length ${width} is refused`, () => {
          assert.throws(() => takeRows(dataSet(width), [0, row]), {
            code: 'value',
            message: `The data set has ${N} rows; there is no row ${row}.`,
          });
        });
  });
}
