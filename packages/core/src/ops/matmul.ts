/** The ops `matmul` and `linear`: matrix products with optional transposes, batch axes and a bias. */
import { formatShape, shapeError } from '../errors.js';
import { apply1, type Op } from '../op.js';
import { broadcastShapes, type Shape, sameShape, sizeOf } from '../shape.js';
import { asTensor, type Tensor, type TensorLike } from '../tensor.js';
import { broadcastTo } from './shape.js';

export interface MatmulOptions {
  /** True: swaps the last two axes of `left` before the product. */
  transA?: boolean;
  /** True: swaps the last two axes of `right` before the product. */
  transB?: boolean;
}

interface Dimensions {
  m: number;
  n: number;
  k: number;
  /** Number of matrices in a: the product of the sizes of its leading axes. */
  batch: number;
  /** True if b is a single matrix, by which every matrix of a is multiplied. */
  sharedB: boolean;
}

/**
 * Returns the sizes of a product: a [..., m, k] times b [k, n], or times b [..., k, n] with the same leading axes as
 * a.
 */
function dimensions(a: Shape, b: Shape, { transA, transB }: MatmulOptions): Dimensions {
  const [am, ak] = a.slice(-2) as [number, number];
  const [bk, bn] = b.slice(-2) as [number, number];
  return {
    m: transA ? ak : am,
    k: transA ? am : ak,
    n: transB ? bk : bn,
    batch: sizeOf(a.slice(0, -2)),
    sharedB: b.length === 2,
  };
}

const matmulOp: Op<MatmulOptions, readonly [a: Tensor, b: Tensor, bias: Tensor | null]> = {
  name: 'matmul',
  shapes([a, b, bias], options) {
    const { m, n, k } = dimensions(a, b, options);
    const inner = b[b.length - (options.transB ? 1 : 2)];
    if (k !== inner) {
      throw shapeError(
        `matmul: ${formatShape(a)}${options.transA ? ' transposed' : ''} times ${formatShape(b)}` +
          `${options.transB ? ' transposed' : ''}: the inner sizes ${k} and ${inner} differ.`,
        { a, b, ...options },
      );
    }
    if (bias && !sameShape(bias, [n])) {
      throw shapeError(`linear: the bias b has shape ${formatShape(bias)}, expected [${n}].`, { b: bias });
    }
    return [[...a.slice(0, -2), m, n]];
  },
  forward({ inputs: [a, b, bias], outputs: [y], attrs, kernels }) {
    const { m, n, k, batch, sharedB } = dimensions(a.shape, b.shape, attrs);
    // If b is shared and a is not transposed, the matrices of a are stacked: one product of [batch m, k] and b.
    const stacked = sharedB && !attrs.transA;
    kernels.gemm(a.block(), b.block(), y.block(), {
      ...attrs,
      m: stacked ? m * batch : m,
      n,
      k,
      batch: stacked ? 1 : batch,
      strideA: m * k,
      strideB: sharedB ? 0 : k * n,
      strideC: m * n,
      bias: bias ? bias.block() : null,
    });
  },
  backward({ inputs: [a, b], grads: [g], attrs: { transA = false, transB = false }, needs, gradients }) {
    const { sharedB } = dimensions(a.shape, b.shape, { transA, transB });
    let gradA: Tensor | null = null;
    let gradB: Tensor | null = null;
    if (needs[0]) {
      // y = a b: da = g bᵀ. y = aᵀ b: da = b gᵀ, where a shared b is first broadcast to the batch.
      if (!transA) gradA = apply1(matmulOp, [g, b, null], { transB: !transB });
      else gradA = apply1(matmulOp, [broadcastB(b, g), g, null], { transA: transB, transB: true });
    }
    if (needs[1]) {
      const [left, right] = transB ? [g, a] : [a, g];
      if (sharedB && !transA) {
        const n = right.shape[right.rank - 1];
        gradB = gradients.ofProducts(b.shape, [
          { a: left.block(), b: right.block(), k: sizeOf(g.shape.slice(0, -1)), n },
        ]);
      } else {
        gradB = apply1(matmulOp, [left, right, null], {
          transA: transB || !transA,
          transB: transB && transA,
        });
      }
    }
    return [gradA, gradB, needs[2] ? g : null];
  },
};

/** Repeats a shared b for every matrix of g. */
const broadcastB = (b: Tensor, g: Tensor): Tensor =>
  b.rank === g.rank ? b : broadcastTo(b, [...g.shape.slice(0, -2), ...b.shape]);

export const matmulOps = { matmul: matmulOp };

function product(
  left: TensorLike,
  right: TensorLike,
  bias: TensorLike | null,
  options: MatmulOptions,
): Tensor {
  let a = asTensor(left);
  let b = asTensor(right);
  if (a.rank < 2 || b.rank < 2) {
    throw shapeError(
      `matmul needs matrices (rank 2 or more), got ${formatShape(a.shape)} and ${formatShape(b.shape)}.`,
      { a: a.shape, b: b.shape },
    );
  }
  if (b.rank > 2) {
    const leading = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (!sameShape(leading, a.shape.slice(0, -2))) a = broadcastTo(a, [...leading, ...a.shape.slice(-2)]);
    if (!sameShape(leading, b.shape.slice(0, -2))) b = broadcastTo(b, [...leading, ...b.shape.slice(-2)]);
  }
  return apply1(matmulOp, [a, b, bias === null ? null : asTensor(bias)], options);
}

/**
 * Returns the matrix product [..., m, n] of left [..., m, k] and right [..., k, n]. Leading axes broadcast; a matrix
 * `right` [k, n] multiplies every matrix of `left`.
 * @throws UnrollError `shape` if the inner sizes differ or a tensor has fewer than two axes
 */
export function matmul(left: TensorLike, right: TensorLike, options: MatmulOptions = {}): Tensor {
  return product(left, right, null, options);
}

/**
 * Returns x W + b, computed in one kernel call: x [..., k], W [k, n], b [n] (null: no bias). If W has more axes, they
 * broadcast as in {@link matmul}.
 * @throws UnrollError `shape` if the inner sizes of x and W differ, or if b is not of shape [n]
 */
export function linear(x: TensorLike, W: TensorLike, b: TensorLike | null): Tensor {
  return product(x, W, b, {});
}
