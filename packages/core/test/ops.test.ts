/**
 * Tests the public ops on inputs that are small enough to verify by hand: axes, negative indices, and plain arrays
 * as arguments. Also tests every error message once. Detects an axis counted from the wrong end, a wrong shape, and an
 * error that names the wrong argument.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as core from '@unroll/core';
import {
  add,
  broadcastTo,
  concat,
  gather,
  layerNorm,
  linear,
  linearScan,
  logSoftmax,
  lstmSequence,
  matmul,
  max,
  mean,
  min,
  negativeBinomialLogLoss,
  pad,
  permute,
  pick,
  type RecurrentAttributes,
  reshape,
  reverse,
  setBackend,
  slice,
  softmax,
  sparseCrossentropy,
  stack,
  studentTLogLoss,
  sub,
  sum,
  sumSquares,
  type Tensor,
  tensor,
  topK,
  transpose,
  UnrollError,
  unstack,
  zeros,
} from '@unroll/core';
import { mismatch } from '@unroll/testkit';

before(() => setBackend('reference:float64'));

const M = tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix

function close(actual: Tensor, expected: readonly number[]): void {
  assert.equal(mismatch('values', actual.dataSync(), expected, 1e-12), null);
}

describe('elementwise', () => {
  test('every function computes the operation of its name', () => {
    const x = [-2.5, -0.5, 0.25, 3];
    const unary: Record<string, (x: number) => number> = {
      neg: (v) => -v,
      abs: Math.abs,
      sign: Math.sign,
      square: (v) => v * v,
      reciprocal: (v) => 1 / v,
      exp: Math.exp,
      tanh: Math.tanh,
      sigmoid: (v) => 1 / (1 + Math.exp(-v)),
      hardSigmoid: (v) => Math.min(1, Math.max(0, v / 6 + 0.5)),
      relu: (v) => Math.max(0, v),
      softplus: (v) => Math.log(1 + Math.exp(v)),
      floor: Math.floor,
      finiteMask: () => 1,
    };
    const positive: Record<string, (x: number) => number> = {
      sqrt: Math.sqrt,
      log: Math.log,
      log1p: Math.log1p,
    };
    const functions = core as unknown as Record<string, (x: unknown, y?: unknown) => Tensor>;
    for (const [name, f] of Object.entries(unary)) close(functions[name]!(x), x.map(f));
    for (const [name, f] of Object.entries(positive)) close(functions[name]!([0.5, 2]), [0.5, 2].map(f));
    // erf to 12 digits, from Abramowitz & Stegun, table 7.1
    close(core.erf([0.5, -1, 2, 3]), [0.520499877813, -0.84270079295, 0.995322265019, 0.999977909503]);
    close(core.finiteMask([1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]), [1, 0, 0, 0]);
    const y = [2, -0.5, 0.5, 3];
    const binary: Record<string, (a: number, b: number) => number> = {
      add: (a, b) => a + b,
      sub: (a, b) => a - b,
      mul: (a, b) => a * b,
      div: (a, b) => a / b,
      maximum: Math.max,
      minimum: Math.min,
      equal: (a, b) => (a === b ? 1 : 0),
      greater: (a, b) => (a > b ? 1 : 0),
      greaterEqual: (a, b) => (a >= b ? 1 : 0),
    };
    for (const [name, f] of Object.entries(binary))
      close(
        functions[name]!(x, y),
        x.map((v, i) => f(v, y[i]!)),
      );
    close(core.pow([2, 3, 0.5], [3, 2, -1]), [8, 9, 2]);
  });

  test('takes plain numbers and arrays, and broadcasts', () => {
    assert.deepEqual(add(1, 2).item(), 3);
    assert.deepEqual(sub(M, [1, 1, 1]).toArray(), [[0, 1, 2], [3, 4, 5]]); // biome-ignore format: a matrix
    assert.deepEqual(add([[1], [2]], [10, 20, 30]).shape, [2, 3]);
    assert.throws(
      () => add(zeros([2, 3]), zeros([2, 4])),
      new UnrollError(
        'shape',
        'add: shapes [2, 3] and [2, 4] do not broadcast: sizes 3 and 4 must be equal, or one of them 1.',
        { op: 'add', a: [2, 3], b: [2, 4] },
      ),
    );
  });
});

describe('reductions', () => {
  test('over all axes, one axis, several, negative axes, and with the reduced axes kept', () => {
    assert.equal(sum(M).item(), 21);
    assert.deepEqual(sum(M, 0).toArray(), [5, 7, 9]);
    assert.deepEqual(sum(M, -1).toArray(), [6, 15]);
    assert.deepEqual(sum(M, 1, true).toArray(), [[6], [15]]);
    assert.deepEqual(mean(M, 0).toArray(), [2.5, 3.5, 4.5]);
    assert.deepEqual(max(M, 1).toArray(), [3, 6]);
    assert.deepEqual(min(M, [0, 1]).item(), 1);
    assert.deepEqual(sumSquares(M, 0).toArray(), [17, 29, 45]);
    const cube = reshape(tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), [2, 3, 2]);
    assert.deepEqual(sum(cube, [0, 2]).toArray(), [18, 26, 34]);
    assert.deepEqual(sum(cube, [2, 0], true).shape, [1, 3, 1]);
    assert.deepEqual(mean(cube, [0, 2]).toArray(), [4.5, 6.5, 8.5]);
    assert.deepEqual(max(cube, [-1, 0]).toArray(), [8, 10, 12]);
    assert.deepEqual(sum(M, []).toArray(), M.toArray(), 'an empty list of axes reduces nothing');
    assert.deepEqual(sumSquares(M, []).toArray(), [[1, 4, 9], [16, 25, 36]]); // biome-ignore format: a matrix
  });

  test('reject an axis that does not exist', () => {
    assert.throws(
      () => sum(M, 2),
      new UnrollError('value', 'sum: axis 2 does not exist in a tensor of rank 2.', {
        op: 'sum',
        axis: 2,
        rank: 2,
      }),
    );
    assert.throws(() => mean(M, -3), /^UnrollError: mean: axis -3 does not exist/);
    assert.throws(() => max(M, 0.5), /axis 0\.5 does not exist/);
  });
});

describe('shapes', () => {
  test('reshape, with one inferred extent', () => {
    // biome-ignore format: a matrix
    assert.deepEqual(reshape(M, [3, -1]).toArray(), [[1, 2], [3, 4], [5, 6]]);
    assert.deepEqual(reshape(M, [-1]).shape, [6]);
    for (const shape of [[4, -1], [5], [-1, -1]]) {
      assert.throws(
        () => reshape(M, shape),
        new UnrollError('shape', `reshape: [2, 3] cannot be reshaped to [${shape.join(', ')}].`, {
          from: [2, 3],
          to: shape,
        }),
      );
    }
  });

  test('permute and transpose', () => {
    assert.deepEqual(permute(M, [1, 0]).toArray(), [[1, 4], [2, 5], [3, 6]]); // biome-ignore format: a matrix
    assert.deepEqual(permute(M, [-1, 0]).shape, [3, 2]);
    assert.deepEqual(transpose(zeros([5, 2, 3])).shape, [5, 3, 2]);
    assert.throws(
      () => permute(M, [0, 0]),
      new UnrollError('value', 'permute: order must be a permutation of the 2 axes, got [0, 0].', {
        order: [0, 0],
        rank: 2,
      }),
    );
  });

  test('broadcastTo', () => {
    // biome-ignore format: a matrix
    assert.deepEqual(broadcastTo([1, 2], [2, 2]).toArray(), [[1, 2], [1, 2]]);
    assert.throws(
      () => broadcastTo(M, [3]),
      new UnrollError('shape', 'broadcastTo: [2, 3] cannot be broadcast to [3].'),
    );
  });

  test('slice, with indices from the end', () => {
    assert.deepEqual(slice(M, 1, 1).toArray(), [[2, 3], [5, 6]]); // biome-ignore format: a matrix
    assert.deepEqual(slice(M, 1, -2, -1).toArray(), [[2], [5]]);
    assert.deepEqual(slice(M, 0, 1, 1).shape, [0, 3]);
    assert.throws(
      () => slice(M, 1, 1, 4),
      new UnrollError('value', 'slice: start and end must lie within axis 1 of size 3, got 1..4.', {
        ...{ shape: [2, 3], axis: 1, start: 1, end: 4 },
      }),
    );
    // biome-ignore format: one line
    for (const [start, end] of [[2, 1], [-4, 3], [0.5, 2]]) assert.throws(() => slice(M, 1, start!, end), /slice: /);
  });

  test('pad, concat, stack, unstack and reverse', () => {
    assert.deepEqual(pad([1, 2], 0, 1, 2).toArray(), [0, 1, 2, 0, 0]);
    // biome-ignore format: one line
    for (const [before, after] of [[-1, 0], [0, -2], [0.5, 0], [0, Number.NaN]]) {
      const message = `pad: before and after must be non-negative integers, got ${before} and ${after}.`;
      assert.throws(() => pad([1, 2, 3], 0, before!, after!), new UnrollError('value', message));
    }
    assert.deepEqual(concat([M, [[7, 8, 9]]], 0).shape, [3, 3]);
    assert.deepEqual(concat([[1], [2, 3]]).toArray(), [1, 2, 3]);
    assert.deepEqual(stack([[1, 2], [3, 4]], 1).toArray(), [[1, 3], [2, 4]]); // biome-ignore format: a matrix
    assert.deepEqual(stack([1, 2], -1).toArray(), [1, 2]);
    const columns = unstack([[1, 2], [3, 4], [5, 6]], -1); // biome-ignore format: a matrix
    assert.deepEqual(columns.map((column) => column.toArray()), [[1, 3, 5], [2, 4, 6]]); // biome-ignore format: a matrix
    assert.deepEqual(unstack([[7, 8]]).map((row) => row.toArray()), [[7, 8]]); // biome-ignore format: a matrix
    assert.deepEqual(reverse(M, -1).toArray(), [[3, 2, 1], [6, 5, 4]]); // biome-ignore format: a matrix
    assert.throws(() => concat([]), new UnrollError('value', 'concat needs at least one tensor, got none.'));
    assert.throws(
      () => concat([M, zeros([3, 3])], 1),
      new UnrollError('shape', 'concat along axis 1: shapes [2, 3], [3, 3] must be equal on all other axes.', {
        ...{ shapes: [[2, 3], [3, 3]], axis: 1 },
      }), // biome-ignore format: one object
    );
    assert.throws(() => stack([M, zeros([3, 3])]), /concat along axis 0: shapes/);
  });
});

describe('matmul', () => {
  test('with transposes, batches and broadcasting', () => {
    // biome-ignore format: a matrix
    assert.deepEqual(matmul(M, M, { transB: true }).toArray(), [[14, 32], [32, 77]]);
    assert.deepEqual(matmul(M, [[1], [1]], { transA: true }).toArray(), [[5], [7], [9]]);
    const batch = matmul(zeros([4, 2, 3]), zeros([3, 5]));
    assert.deepEqual(batch.shape, [4, 2, 5]);
    assert.deepEqual(linear(M, [[1, 0], [0, 1], [1, 1]], [10, 20]).toArray(), [[14, 25], [20, 31]]); // biome-ignore format: matrices
    assert.deepEqual(linear(M, zeros([3, 1]), null).toArray(), [[0], [0]]);
    assert.throws(
      () => linear(M, zeros([3, 4]), [1, 2]),
      /linear: the bias b has shape \[2\], expected \[4\]\.$/,
    );
    assert.throws(() => linear([1, 2], M, null), /matmul needs matrices/);
    assert.deepEqual(linear(M, zeros([2, 3, 1]), [7]).toArray(), [
      [[7], [7]],
      [[7], [7]],
    ]);
    assert.deepEqual(matmul(zeros([2, 1, 2, 3]), zeros([5, 3, 4])).shape, [2, 5, 2, 4]);
  });

  test('reports the sizes that differ', () => {
    const data = { a: [2, 3], b: [2, 3] };
    assert.throws(
      () => matmul(M, M),
      new UnrollError('shape', 'matmul: [2, 3] times [2, 3]: the inner sizes 3 and 2 differ.', data),
    );
    assert.throws(
      () => matmul(M, zeros([4, 5]), { transA: true, transB: true }),
      /matmul: \[2, 3\] transposed times \[4, 5\] transposed: the inner sizes 2 and 5 differ/,
    );
    assert.throws(
      () => matmul([1, 2], M),
      new UnrollError('shape', 'matmul needs matrices (rank 2 or more), got [2] and [2, 3].', {
        a: [2],
        b: [2, 3],
      }),
    );
    assert.throws(
      () => matmul(zeros([2, 2, 3]), zeros([3, 3, 4])),
      /matmul: shapes \[2\] and \[3\] do not broadcast/,
    );
  });
});

describe('rows', () => {
  test('softmax and its logarithm', () => {
    close(softmax([0, Math.log(3)]), [0.25, 0.75]);
    close(logSoftmax([0, Math.log(3)]), [Math.log(0.25), Math.log(0.75)]);
    for (const [name, f] of Object.entries({ softmax, logSoftmax })) {
      assert.throws(
        () => f(3),
        new UnrollError('shape', `${name} needs a tensor of rank 1 or more, got a single number.`),
      );
    }
  });

  test('topK', () => {
    const { values, indices } = topK([[3, 1, 3, Number.NaN], [5, 6, 7, 8]], 2); // biome-ignore format: a matrix
    assert.deepEqual(values.toArray(), [[Number.NaN, 3], [8, 7]]); // biome-ignore format: a matrix
    assert.deepEqual(indices.toArray(), [[3, 0], [3, 2]]); // biome-ignore format: a matrix
    for (const k of [0, 5, 1.5]) {
      const message = `topK: k must be an integer from 1 to 4, the length of the last axis, got ${k}.`;
      assert.throws(() => topK([[1, 2, 3, 4]], k), new UnrollError('value', message, { k, n: 4 }));
    }
    assert.throws(() => topK(3, 1), /topK needs a tensor of rank 1 or more/);
  });

  test('layerNorm', () => {
    close(layerNorm([0, 2], { epsilon: 3, gamma: tensor([2, 2]), beta: tensor([1, 0]) }), [0, 1]);
    close(layerNorm([0, 2], { epsilon: 3 }), [-0.5, 0.5]);
    const message = 'layerNorm: gamma must have the shape [2] for x [1, 2], got [3].';
    assert.throws(
      () => layerNorm([[1, 2]], { gamma: zeros([3]) }),
      new UnrollError('shape', message, { expected: [2], got: [3] }),
    );
    assert.throws(() => layerNorm(3), /layerNorm needs a tensor of rank 1 or more/);
  });

  test('gather', () => {
    assert.deepEqual(gather(M, [[1], [0]]).toArray(), [[[4, 5, 6]], [[1, 2, 3]]]);
    for (const id of [2, -1, 0.5, Number.NaN]) {
      assert.throws(
        () => gather(M, [0, id]),
        new UnrollError(
          'value',
          `gather: ids must be row indices of a table of 2 rows (0 to 1), got ${id} at position 1.`,
          {
            ...{ id, position: 1, rows: 2 },
          },
        ),
      );
    }
    assert.throws(
      () => gather(zeros([3]), [0]),
      new UnrollError('shape', 'gather needs a table of rank 2, got [3].'),
    );
  });

  test('pick and sparse cross-entropy', () => {
    assert.deepEqual(pick(M, [2, 0]).toArray(), [3, 4]);
    close(sparseCrossentropy(tensor([[0, Math.log(3)]]), [1]), [-Math.log(0.75)]);
    assert.throws(
      () => pick(M, [0]),
      new UnrollError(
        'shape',
        'pick takes rows [N, K] and a class index for each row, [N]; got [2, 3] and [1].',
        {
          ...{ x: [2, 3], ids: [1] },
        },
      ),
    );
    assert.throws(
      () => sparseCrossentropy(M, [0, 3]),
      new UnrollError(
        'value',
        'sparseCrossentropy: the class of row 1 must be an integer from 0 to 2, got 3.',
        {
          ...{ id: 3, row: 1, classes: 3 },
        },
      ),
    );
  });
});

describe('likelihoods', () => {
  test('equal the Cauchy and the geometric distribution in special cases', () => {
    // Student's t with 1 degree of freedom is Cauchy's distribution.
    const cauchy = studentTLogLoss([2], tensor([1]), tensor([0.5]), tensor([3]));
    close(cauchy, [Math.log(Math.PI * 3 * (1 + (1.5 / 3) ** 2))]);
    // A negative binomial of dispersion 1 is geometric: p (1-p)^y with p = 1/(1+mu).
    const p = 1 / 3.5;
    close(negativeBinomialLogLoss([4], tensor([2.5]), tensor([1])), [-Math.log(p * (1 - p) ** 4)]);
    assert.throws(
      () => studentTLogLoss([1, 2], tensor([1]), tensor([1]), tensor([1])),
      new UnrollError(
        'shape',
        'studentTLogLoss: all inputs must have the same shape, got [2], [1], [1], [1].',
      ),
    );
  });
});

describe('a fused recurrent op names the operand with the wrong shape', () => {
  const attributes: RecurrentAttributes = {
    ...{ activation: 'tanh', recurrentActivation: 'sigmoid', returnSequences: true },
    ...{ reverse: false, timeOrder: false, zeroOutputForMask: false },
  };
  const right = { x: zeros([2, 3, 4]), W: zeros([4, 20]), U: zeros([5, 20]) };
  const wrong: Record<string, [Partial<Parameters<typeof lstmSequence>[0]>, string]> = {
    x: [{ x: zeros([2, 3]) }, 'lstm takes sequences [batch, time, features], got [2, 3].'],
    'no steps': [{ x: zeros([2, 0, 4]) }, 'lstm: x [2, 0, 4] has no time steps.'],
    W: [{ W: zeros([3, 20]) }, 'lstm: the kernel W has shape [3, 20], expected [4, 20]'],
    U: [{ U: zeros([5, 15]) }, 'lstm: the recurrent kernel U has shape [5, 15], expected [5, 20]'],
    b: [{ b: zeros([5]) }, 'lstm: the bias b has shape [5], expected [20]'],
    h0: [{ h0: zeros([1, 5]) }, 'lstm: the initial state h0 has shape [1, 5], expected [2, 5]'],
    c0: [{ c0: zeros([2, 4]) }, 'lstm: the initial state c0 has shape [2, 4], expected [2, 5]'],
    mask: [{ mask: zeros([2, 4]) }, 'lstm: the mask has shape [2, 4], expected [2, 3]'],
    recurrentDropoutMask: [
      { recurrentDropoutMask: zeros([5]) },
      'lstm: the recurrent dropout mask has shape [5], expected [2, 5] for x [2, 3, 4] and 5 units.',
    ],
  };
  test('accepts valid operands', () => {
    assert.deepEqual(lstmSequence(right, attributes).y.shape, [2, 3, 5]);
  });
  for (const [name, [change, message]] of Object.entries(wrong)) {
    test(name, () => {
      assert.throws(
        () => lstmSequence({ ...right, ...change }, attributes),
        (error) =>
          error instanceof UnrollError && error.code === 'shape' && error.message.startsWith(message),
      );
    });
  }
});

describe('linearScan', () => {
  const a = tensor([[[0.5], [0.25], [1]]]);
  const b = tensor([[[1], [2], [3]]]);

  test('equals values computed by hand: forwards, backwards, from a state and over masked steps', () => {
    const values = (...[inputs, attributes]: Parameters<typeof linearScan>): number[][] => {
      const { y, h } = linearScan(inputs, attributes);
      return [[...y.dataSync()], [...h.dataSync()]];
    };
    assert.deepEqual(values({ a, b }), [[1, 2.25, 5.25], [5.25]]);
    assert.deepEqual(values({ a, b }, { reverse: true }), [[2.375, 2.75, 3], [2.375]]);
    assert.deepEqual(values({ a, b, h0: tensor([[4]]) }), [[3, 2.75, 5.75], [5.75]]);
    const mask = tensor([[0, 1, 0]]);
    assert.deepEqual(values({ a, b, h0: tensor([[4]]), mask }), [[4, 3, 3], [3]]);
  });

  test('names the input that does not fit', () => {
    const wrong: [Parameters<typeof linearScan>[0], string][] = [
      [{ a: zeros([2, 3]), b }, 'linearScan takes factors a [batch, time, units] of at least one time step, got [2, 3].'],
      [{ a: zeros([1, 0, 1]), b }, 'linearScan takes factors a [batch, time, units] of at least one time step, got [1, 0, 1].'],
      [{ a, b: zeros([1, 3, 2]) }, 'linearScan: b has shape [1, 3, 2], expected [1, 3, 1] for a [1, 3, 1].'],
      [{ a, b, h0: zeros([2, 1]) }, 'linearScan: the initial state has shape [2, 1], expected [1, 1] for a [1, 3, 1].'],
      [{ a, b, mask: zeros([1, 2]) }, 'linearScan: the mask has shape [1, 2], expected [1, 3] for a [1, 3, 1].'],
    ]; // biome-ignore format: one error per line
    for (const [inputs, message] of wrong)
      assert.throws(() => linearScan(inputs), { code: 'shape', message });
  });
});
