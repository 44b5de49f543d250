/**
 * Creating and reading tensors. Detects wrong shapes or order, memory that a tensor shares with its caller, and ragged
 * arrays that are accepted.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { full, type NestedArray, ones, tensor, UnrollError, zeros } from '@unroll/core';

const shapeError = (message: string, data?: Record<string, unknown>): UnrollError =>
  new UnrollError('shape', message, data);

describe('tensor()', () => {
  test('takes numbers and nested arrays', () => {
    const cases: [NestedArray, number[]][] = [
      [3, []],
      [[], [0]],
      [[1, 2], [2]],
      [
        [[1], [2], [3]],
        [3, 1],
      ],
      [
        [[[1, 2]], [[3, 4]]],
        [2, 1, 2],
      ],
    ];
    for (const [values, shape] of cases) {
      const made = tensor(values);
      assert.deepEqual(made.shape, shape);
      assert.deepEqual(made.toArray(), values);
      assert.equal(made.rank, shape.length);
    }
  });

  test('takes typed arrays with a shape, and copies them', () => {
    const values = new Float32Array([1, 2, 3, 4, 5, 6]);
    const made = tensor(values, [2, 3]);
    values[0] = 9;
    assert.deepEqual(made.toArray(), [[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix
    assert.deepEqual(tensor(new Float64Array(3)).shape, [3]);
    // biome-ignore format: a matrix
    assert.deepEqual(tensor([1, 2, 3, 4], [2, 2]).toArray(), [[1, 2], [3, 4]]);
  });

  test('data() and dataSync() return copies of the values', async () => {
    const made = tensor([1, 2]);
    made.dataSync()[0] = 7;
    (await made.data())[1] = 7;
    assert.deepEqual(made.toArray(), [1, 2]);
  });

  test('rejects ragged arrays', () => {
    const cases: [NestedArray, string][] = [
      [[[1, 2], [3]], 'values[1] must be a row of length 2, got a row of length 1'],
      [[[1], 2], 'values[1] must be a row of length 1, got a number'],
      [[1, [2]], 'values[1] must be a number, got a row of length 1'],
    ];
    for (const [values, wrong] of cases) {
      const message = `Ragged nested arrays: ${wrong}. Pad sequences of different lengths first.`;
      assert.throws(() => tensor(values), shapeError(message, { path: 'values[1]' }));
    }
  });

  test('rejects values that are not numbers', () => {
    const cases = [
      ['1', '"1"'],
      [null, 'null'],
      [undefined, 'undefined'],
      [true, 'true'],
      [{}, '{}'],
      [{ input: [1], output: [0] }, '{ input, output }'],
      [new Date(0), 'a Date'],
      [Promise.resolve(1), 'a Promise'],
    ] as const;
    for (const [value, got] of cases) {
      assert.throws(
        () => tensor([value] as unknown as NestedArray),
        new UnrollError('value', `values[0] must be a number, got ${got}.`, { path: 'values[0]' }),
      );
    }
  });

  test('rejects arrays of bigints', () => {
    for (const values of [new BigInt64Array(2), [new BigUint64Array(2)], [1n]]) {
      assert.throws(() => tensor(values as unknown as NestedArray), { name: 'UnrollError', code: 'value' });
    }
  });

  test('a long first row does not allocate memory for all rows', () => {
    const ragged = [new Float32Array(2e6), ...Array.from({ length: 5000 }, () => [1])];
    assert.throws(() => tensor(ragged), /values\[1\] must be a row of length 2000000, got a row of length 1/);
  });

  test('rejects values that do not fill the shape, and invalid shapes', () => {
    assert.throws(
      () => tensor(new Float32Array(5), [2, 3]),
      shapeError('5 values do not fill the shape [2, 3] (6 elements).', { count: 5, shape: [2, 3] }),
    );
    for (const shape of [[-1], [1.5], [Number.NaN]]) {
      const message = `A shape must contain only non-negative integers, got [${shape}].`;
      assert.throws(() => zeros(shape), shapeError(message, { shape }));
    }
  });
});

test('full, zeros and ones', () => {
  assert.deepEqual(full([2, 1], 3).toArray(), [[3], [3]]);
  assert.deepEqual(zeros([2]).toArray(), [0, 0]);
  assert.equal(ones([]).item(), 1);
  assert.deepEqual(zeros([2, 0]).toArray(), [[], []]);
});

test('item() reads one number', () => {
  assert.equal(tensor([[5]]).item(), 5);
  assert.throws(
    () => tensor([1, 2]).item(),
    shapeError('item() needs a tensor of one element, got shape [2].'),
  );
});

test('a tensor prints its shape', () => {
  assert.equal(`${zeros([2, 3])}`, 'Tensor[2, 3]');
});
