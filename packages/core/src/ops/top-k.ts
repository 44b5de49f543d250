/** The op `topK`: the largest elements of each row. */
import { formatShape, shapeError, valueError } from '../errors.js';
import { apply, type Op } from '../op.js';
import { currentScope } from '../runtime.js';
import { asTensor, type Tensor, type TensorLike, temporaryTensor } from '../tensor.js';
import { MAX_EXACT_INTEGER } from './pick.js';

export interface TopKAttributes {
  /** Number of elements to select from each row, from 1 to the length of the rows. */
  k: number;
}

const topKOp: Op<TopKAttributes, readonly [Tensor], readonly [values: Tensor, indices: Tensor]> = {
  name: 'topK',
  shapes([x], { k }) {
    const shape = [...x.slice(0, -1), k];
    return [shape, shape];
  },
  forward({ inputs: [x], outputs: [values, indices], kernels }) {
    kernels.topK(x.block(), values.block(), indices.block(), x.shape[x.rank - 1]);
  },
  backward({ inputs: [x], attrs: { k }, outputs: [, indices], grads: [g], kernels }) {
    const dx = temporaryTensor(x.shape);
    kernels.fill(dx.block(), 0);
    if (g === null) return [dx];
    const { backend } = currentScope();
    const n = x.shape[x.rank - 1];
    const rows = x.size / n;
    // Kernels read indices as float32, so each chunk of rows is small enough for float32 to represent its indices exactly.
    const maxRows = Math.max(1, Math.floor(MAX_EXACT_INTEGER / n));
    for (let first = 0; first < rows; first += maxRows) {
      const count = Math.min(maxRows, rows - first);
      const part = (tensor: Tensor, width: number) =>
        backend.view(tensor.block(), first * width, count * width);
      const [starts, positions] = [backend.temporary(count), backend.temporary(count * k)];
      backend.write(
        starts,
        Array.from({ length: count }, (_, r) => r * n),
      );
      kernels.binary({
        op: 'add',
        a: part(indices, k),
        stridesA: [k, 1],
        b: starts,
        stridesB: [1, 0],
        y: positions,
        shape: [count, k],
      });
      kernels.scatterAdd(part(dx, n), positions, part(g, k), 1);
    }
    return [dx];
  },
};

export const topKOps = { topK: topKOp };

/**
 * Returns the k largest elements along the last axis, in descending order, as in `torch.topk` and `tf.math.top_k`. NaN comes
 * first. Of equal elements, the one with the smaller index comes first. Gradients pass to the elements that were selected.
 * @param k the number of elements, from 1 to the length of the last axis
 * @returns the elements and their indices, both [..., k]
 * @throws UnrollError `shape` for a single number, and for a last axis of more than 2^24 elements, whose indices float32
 *   cannot represent; `value` for an invalid k
 */
export function topK(x: TensorLike, k: number): { values: Tensor; indices: Tensor } {
  const input = asTensor(x);
  const n = input.shape[input.rank - 1] ?? 0;
  if (input.rank === 0) {
    throw shapeError(`topK needs a tensor of rank 1 or more, got ${formatShape(input.shape)}.`);
  }
  if (!(Number.isInteger(k) && k >= 1 && k <= n)) {
    throw valueError(`topK: k must be an integer from 1 to ${n}, the length of the last axis, got ${k}.`, {
      k,
      n,
    });
  }
  if (n > MAX_EXACT_INTEGER) {
    throw shapeError(`topK: the last axis must have at most ${MAX_EXACT_INTEGER} elements, got ${n}.`, { n });
  }
  const [values, indices] = apply(topKOp, [input], { k });
  return { values, indices };
}
