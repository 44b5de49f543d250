/** Row ops: softmax over the last axis, and `gather`, which looks up rows of a table (embeddings). */
import { formatShape, shapeError, valueError } from '../errors.js';
import { apply1, NO_ATTRIBUTES, type NoAttributes, type Op } from '../op.js';
import { asTensor, hostValues, type Tensor, type TensorLike } from '../tensor.js';
import { exp, mul, sub } from './elementwise.js';
import { sum } from './reduce.js';

const softmaxOp: Op<NoAttributes, readonly [Tensor]> = {
  name: 'softmax',
  shapes: ([x]) => [x],
  forward({ inputs: [x], outputs: [y], kernels }) {
    const n = x.shape[x.rank - 1];
    kernels.softmax(x.block(), y.block(), n, false);
  },
  // dx = y (g - Σ g y)
  backward: ({ outputs: [y], grads: [g] }) => [mul(y, sub(g, sum(mul(g, y), -1, true)))],
};

const logSoftmaxOp: Op<NoAttributes, readonly [Tensor]> = {
  name: 'logSoftmax',
  shapes: ([x]) => [x],
  forward({ inputs: [x], outputs: [y], kernels }) {
    const n = x.shape[x.rank - 1];
    kernels.softmax(x.block(), y.block(), n, true);
  },
  // dx = g - e^y Σ g
  backward: ({ outputs: [y], grads: [g] }) => [sub(g, mul(exp(y), sum(g, -1, true)))],
};

const gatherOp: Op<NoAttributes, readonly [table: Tensor, ids: Tensor]> = {
  name: 'gather',
  shapes: ([table, ids]) => [[...ids, table[1]]],
  forward({ inputs: [table, ids], outputs: [y], kernels }) {
    kernels.gather(table.block(), ids.block(), y.block(), table.shape[1]);
  },
  backward: ({ inputs: [table, ids], grads: [g], needs, gradients }) => [
    needs[0] ? gradients.ofRows(table.shape, { ids, grad: g }) : null,
    null,
  ],
};

export const rowOps = { softmax: softmaxOp, logSoftmax: logSoftmaxOp, gather: gatherOp };

/** Returns e^x / Σ e^x over the last axis, computed without overflow. */
export function softmax(x: TensorLike): Tensor {
  return apply1(softmaxOp, [checkNotScalar('softmax', asTensor(x))], NO_ATTRIBUTES);
}

/** Returns log(softmax(x)) over the last axis, more accurate than applying both functions one after the other. */
export function logSoftmax(x: TensorLike): Tensor {
  return apply1(logSoftmaxOp, [checkNotScalar('logSoftmax', asTensor(x))], NO_ATTRIBUTES);
}

function checkNotScalar(name: string, x: Tensor): Tensor {
  if (x.rank === 0) throw shapeError(`${name} needs a tensor of rank 1 or more, got a single number.`);
  return x;
}

/**
 * Returns the rows of `table` [n, width] at `ids` (integers 0..n-1, in any shape), as a tensor [...ids, width].
 * @throws UnrollError `value` for the first id outside the table; the message gives its position
 */
export function gather(table: Tensor, ids: TensorLike): Tensor {
  if (table.rank !== 2) {
    throw shapeError(`gather needs a table of rank 2, got ${formatShape(table.shape)}.`);
  }
  const indices = asTensor(ids);
  const [count] = table.shape as [number, number];
  const values = hostValues(indices, 'gather: the ids');
  for (let i = 0; i < values.length; i++) {
    const id = values[i];
    if (!(Number.isInteger(id) && id >= 0 && id < count)) {
      throw valueError(
        `gather: ids must be row indices of a table of ${count} rows (0 to ${count - 1}), got ${id} at position ${i}.`,
        { id, position: i, rows: count },
      );
    }
  }
  return gatherRows(table, indices);
}

/** @internal Like `gather`, without checks: for indices that Unroll computes. */
export const gatherRows = (table: Tensor, indices: Tensor): Tensor =>
  apply1(gatherOp, [table, indices], NO_ATTRIBUTES);
