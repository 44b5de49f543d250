/**
 * Tests of automatic differentiation. Detects a tape that misses or double-counts a path, gradients that were not
 * requested, wrong gradients of equal extremes (ties), and silent second-order gradients.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  add,
  broadcastTo,
  gather,
  matmul,
  max,
  maximum,
  mean,
  min,
  minimum,
  mul,
  Parameter,
  pow,
  reshape,
  scope,
  setBackend,
  slice,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  UnrollError,
  valueAndGrad,
} from '@unroll/core';
import { layOut, RowGradient, Tape } from '@unroll/core/internal';

before(() => setBackend('reference:float64'));

const gradOf = (work: () => Tensor, ...tensors: Tensor[]): unknown[] =>
  valueAndGrad(work, tensors).grads.map((grad) => grad.toArray());

describe('valueAndGrad', () => {
  test('returns the value, and for each tensor a gradient of its shape', () => {
    const [x, y] = [tensor([[1, 2, 3]]), tensor(4)];
    const { value, grads } = valueAndGrad(() => sum(mul(square(x), y)), [x, y]);
    assert.equal(value.item(), 56);
    assert.deepEqual(
      grads.map((grad) => grad.toArray()),
      [[[8, 16, 24]], 14],
    );
  });

  test('sums the gradients of all paths to a tensor', () => {
    const x = tensor([2, 3]);
    // d/dx (x² + x·x + 5x) = 4x + 5
    assert.deepEqual(
      gradOf(() => sum(add(add(square(x), mul(x, x)), mul(5, x))), x),
      [[13, 17]],
    );
    assert.deepEqual(
      gradOf(() => sum(mul(x, x)), x, x),
      [
        [4, 6],
        [4, 6],
      ],
    );
  });

  test('returns zeros if the value does not depend on a tensor', () => {
    const [x, y] = [tensor([1, 2]), tensor([[3], [4]])];
    assert.deepEqual(
      gradOf(() => sum(x), x, y),
      [
        [1, 1],
        [[0], [0]],
      ],
    );
  });

  test('the gradient of a tensor with respect to itself is 1', () => {
    const x = tensor([[7]]);
    assert.deepEqual(
      gradOf(() => x, x),
      [[[1]]],
    );
  });

  test('tracks the ops that the function applies, but no earlier ones', () => {
    const x = tensor([1, 2]);
    const before = square(x);
    assert.deepEqual(
      gradOf(() => sum(mul(before, x)), x),
      [[1, 4]],
      'square(x) counts as a constant',
    );
  });

  test('the gradients of pow(a, b) are not NaN at a = 0, b >= 0, and that of a is not NaN at b = 0', () => {
    const [a, b] = [tensor([0, 0, 2, -1]), tensor([3, 0, 0, 0])];
    const [da, db] = gradOf(() => sum(pow(a, b)), a, b) as number[][];
    assert.deepEqual(da, [0, 0, 0, 0]);
    assert.deepEqual(db!.slice(0, 3), [0, 0, Math.log(2)]);
    assert.deepEqual(
      gradOf(() => sum(pow(a, 2)), a),
      [[0, 0, 4, -2]],
    );
  });

  test('ignores ops on which the value does not depend', () => {
    const x = tensor([1, 2]);
    const work = (): Tensor => {
      tanh(square(x));
      return sum(mul(x, 3));
    };
    assert.deepEqual(gradOf(work, x), [[3, 3]]);
  });

  test('propagates through views, slices, broadcasts and lookups', () => {
    const x = tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix
    const work = (): Tensor => {
      const row = slice(reshape(x, [3, 2]), 0, 1, 2); // [[3, 4]]
      const wide = broadcastTo(row, [5, 2]);
      return add(sum(wide), sum(gather(x, [1, 1])));
    };
    assert.deepEqual(gradOf(work, x), [[[0, 0, 5], [7, 2, 2]]]); // biome-ignore format: a matrix
  });

  test('the gradient of a table is sparse if only lookups use the table', () => {
    const table = new Parameter('table', [3, 2], [1, 2, 3, 4, 5, 6]);
    const rows = (): Tensor => sum(add(mul(gather(table, [2, 0]), [[1, 2], [3, 4]]), gather(table, [2, 2]))); // biome-ignore format: a matrix
    const gradient = (work: () => Tensor, read: (grad: Tensor) => unknown): unknown =>
      scope(() => {
        const tape = new Tape();
        return read(tape.gradients(tape.recordDuring(work)).get(table)!);
      });
    assert.equal(
      gradient(rows, (grad) => (grad instanceof RowGradient ? grad.lookups.length : null)),
      2,
    );
    // Reads the gradient twice; the scope of the first read is closed before the second.
    const twice = (grad: Tensor): unknown => [scope(() => mul(grad, 2)).toArray(), grad.toArray()];
    assert.deepEqual(gradient(rows, twice), [[[6, 8], [0, 0], [6, 8]], [[3, 4], [0, 0], [3, 4]]]); // biome-ignore format: matrices
    const both = (): Tensor => add(rows(), sum(mul(table, 10)));
    assert.deepEqual(gradient(both, (grad) => grad.toArray()), [[13, 14], [10, 10], [13, 14]]); // biome-ignore format: a matrix
  });

  test('stops at stopGradient', () => {
    const x = tensor([3]);
    assert.deepEqual(
      gradOf(() => sum(mul(x, stopGradient(x))), x),
      [[3]],
    );
  });

  test('rejects a loss that is not a scalar', () => {
    const x = tensor([1, 2]);
    assert.throws(
      () => valueAndGrad(() => square(x), [x]),
      new UnrollError(
        'gradient',
        'The loss must be a single number to take its gradient, got shape [2]. Take its sum or mean.',
        { shape: [2] },
      ),
    );
  });

  test('rejects nested gradients', () => {
    const x = tensor([1, 2]);
    assert.throws(
      () => valueAndGrad(() => sum(valueAndGrad(() => sum(square(x)), [x]).grads[0]!), [x]),
      new UnrollError(
        'gradient',
        'Gradients cannot be nested: the function to differentiate computes a gradient itself. ' +
          'Compute the inner gradient first and pass its value to the function.',
      ),
    );
    assert.deepEqual(
      gradOf(() => sum(square(x)), x),
      [[2, 4]],
      'after the error, taking gradients works again',
    );
  });

  test('the value of a gradient that was computed before counts as a constant', () => {
    const x = tensor([1, 2]);
    const inner = valueAndGrad(() => sum(square(x)), [x]).grads[0]!; // 2x
    assert.deepEqual(
      gradOf(() => sum(mul(inner, x)), x),
      [[2, 4]],
    );
  });
});

describe('parameters', () => {
  test('are tracked automatically if they are trainable', () => {
    const w = new Parameter('w', [2], [1, 2]);
    const fixed = new Parameter('fixed', [2], [3, 4], false);
    scope(() => {
      const tape = new Tape();
      const loss = tape.recordDuring(() => sum(mul(w, fixed)));
      const grads = tape.gradients(loss);
      assert.deepEqual(grads.get(w)!.toArray(), [3, 4]);
      assert.equal(grads.has(fixed), false);
    });
    assert.deepEqual(
      gradOf(() => sum(mul(w, fixed)), fixed),
      [[1, 2]],
      'a parameter that is not trainable has a gradient if it is requested',
    );
  });

  test('keep their gradients when they share a buffer', async () => {
    const w = new Parameter('w', [2], [1, 2]);
    const b = new Parameter('b', [1], [5]);
    const before = valueAndGrad(() => sum(add(square(w), b)), [w, b]);
    const buffer = layOut([w, b]);
    const after = valueAndGrad(() => sum(add(square(w), b)), [w, b]);
    assert.deepEqual(Array.from(await buffer.read()), [1, 2, 5]);
    // biome-ignore format: one line
    assert.deepEqual(after.grads.map((g) => g.toArray()), before.grads.map((g) => g.toArray()));
    assert.equal(layOut([w, b]), buffer, 'a second call does not move them');
  });

  test('reject values of another size', () => {
    const w = new Parameter('lstm/kernel', [2, 2], [1, 2, 3, 4]);
    assert.throws(
      () => w.assign([1, 2, 3]),
      new UnrollError('shape', 'Parameter lstm/kernel of shape [2, 2] needs 4 values, got 3.', {
        name: 'lstm/kernel',
        shape: [2, 2],
        got: 3,
      }),
    );
    const before = w.dataSync();
    w.assign(tensor([[5, 6], [7, 8]])); // biome-ignore format: a matrix
    assert.deepEqual(Array.from(w.dataSync()), [5, 6, 7, 8]);
    assert.deepEqual(Array.from(before), [1, 2, 3, 4]);
  });
});

describe('ties in maxima and minima', () => {
  test('between two tensors: the first one gets the whole gradient', () => {
    const [a, b] = [tensor([1, 2, 3]), tensor([1, 5, 0])];
    // biome-ignore format: rows
    assert.deepEqual(gradOf(() => sum(maximum(a, b)), a, b), [[1, 0, 1], [0, 1, 0]]);
    // biome-ignore format: rows
    assert.deepEqual(gradOf(() => sum(minimum(a, b)), a, b), [[1, 1, 0], [0, 0, 1]]);
  });

  test('within one tensor: the gradient is shared evenly', () => {
    const x = tensor([[3, 1, 3, 3], [2, 2, 0, 1]]); // biome-ignore format: a matrix
    // biome-ignore format: rows
    assert.deepEqual(gradOf(() => sum(max(x, 1)), x), [[[1 / 3, 0, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0, 0]]]);
    assert.deepEqual(gradOf(() => min(x), x), [[[0, 0, 0, 0], [0, 0, 1, 0]]]); // biome-ignore format: rows
  });
});

test('training steps written by hand fit a line', () => {
  const [w, b] = [new Parameter('w', [1, 1], [0]), new Parameter('b', [1], [0])];
  const x = tensor([[0], [1], [2], [3]]);
  const y = tensor([[1], [3], [5], [7]]);
  for (let step = 0; step < 400; step++) {
    const { grads } = valueAndGrad(() => mean(square(sub(add(matmul(x, w), b), y))), [w, b]);
    w.assign(sub(w, mul(0.1, grads[0]!)));
    b.assign(sub(b, mul(0.1, grads[1]!)));
  }
  assert.ok(Math.abs(w.item() - 2) < 1e-6 && Math.abs(b.item() - 1) < 1e-6);
});
