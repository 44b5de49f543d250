// Parallel streams: each batch continues the previous batch, and every target is the token after its input.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream, ready, type Tensor } from '@unroll/core';
import { parallelStreams, shiftedStreams, trainingBatches } from '@unroll/tasks/internal';

const ids = Int32Array.from({ length: 103 }, (_, i) => i);
const sizes = { streams: 4, steps: 10 };
const rowsOf = async (values: Tensor): Promise<number[][]> => {
  const [B, T] = values.shape;
  const data = Array.from(await values.data());
  return Array.from({ length: B }, (_, b) => data.slice(b * T, (b + 1) * T));
};

test('a text is cut into streams that continue from batch to batch', async () => {
  await ready();
  const next = [0, 25, 50, 75];
  let count = 0;
  for (const { x, y } of parallelStreams(ids, sizes)) {
    const [inputs, targets] = [await rowsOf(x), await rowsOf(y)];
    for (const [b, row] of inputs.entries()) {
      assert.deepEqual(
        row,
        Array.from(row, (_, t) => next[b] + t),
      );
      assert.deepEqual(
        targets[b],
        row.map((id) => id + 1),
      );
      next[b] += row.length;
    }
    count++;
  }
  assert.equal(count, 3);
  assert.deepEqual(next, [25, 50, 75, 100]);
});

test('an epoch of training starts at a random token, and always has the same number of batches', async () => {
  await ready();
  const starts = new Set<number>();
  for (let epoch = 1; epoch <= 20; epoch++) {
    const batches = [...shiftedStreams(ids, sizes, new RandomStream(epoch))];
    assert.equal(batches.length, trainingBatches(ids, sizes));
    const rows = await Promise.all(batches.map(({ x }) => rowsOf(x)));
    starts.add(rows[0][0][0]);
    assert.equal(rows[1][0][0], rows[0][0][9] + 1);
    assert.ok(Math.max(...rows.flat(2)) < 102);
  }
  assert.deepEqual([...starts].sort(), [0, 1, 2]);
});
