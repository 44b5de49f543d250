/**
 * The gradient of a weight matrix, stored as unevaluated products aᵀ b whose sum is the gradient. If a decoder uses its
 * weights once per step, each step adds one product of few rows. The sum of these products is computed as a single product of
 * the stacked rows, which is faster than computing the product of each step and adding it.
 */
import type { Block } from './backend.js';
import { LazyGradient } from './lazy-gradient.js';
import { type SequenceBuffers, viewPart } from './ops/recurrent.js';
import { currentScope } from './runtime.js';
import type { Shape } from './shape.js';
import { type Tensor, temporaryTensor } from './tensor.js';

/** The product aᵀ b of a [k, m] and b [k, n]: some columns of a gradient of m rows. */
export interface ProductFactors {
  a: Block;
  b: Block;
  /** Number of rows of a and b, and number of columns of b. The columns of a are the rows of the gradient. */
  k: number;
  n: number;
  /** Distances between the starts of the rows of a and b. Default: the rows are adjacent. */
  lda?: number;
  ldb?: number;
  /** The product contributes to n columns of the gradient, starting at this one. Default 0. */
  column?: number;
}

export class ProductGradient extends LazyGradient {
  readonly products: readonly ProductFactors[];

  /**
   * @param shape the shape of the weights: [m, columns]
   * @param products products that together cover every column; those of the same columns are added
   */
  constructor(shape: Shape, products: readonly ProductFactors[]) {
    super(shape);
    this.products = products;
  }

  addTo(target: Block): void {
    for (const group of this.#groups()) this.#multiply(group, target, true);
  }

  writeTo(target: Block): void {
    const groups = this.#groups();
    if (groups.length === 1) this.#multiply(groups[0], target, false);
    else {
      currentScope().backend.kernels.fill(target, 0);
      this.addTo(target);
    }
  }

  plus(other: Tensor): ProductGradient | null {
    return other instanceof ProductGradient
      ? new ProductGradient(this.shape, [...this.products, ...other.products])
      : null;
  }

  /** Returns the products, grouped by the columns of the gradient to which they contribute. */
  #groups(): ProductFactors[][] {
    const groups = new Map<string, ProductFactors[]>();
    for (const product of this.products) {
      const columns = `${product.column ?? 0} ${product.n}`;
      const group = groups.get(columns);
      if (group) group.push(product);
      else groups.set(columns, [product]);
    }
    return [...groups.values()];
  }

  /** Computes the sum of products of the same columns, and writes it to these columns of `target` or adds it to them. */
  #multiply(products: readonly ProductFactors[], target: Block, add: boolean): void {
    const { backend } = currentScope();
    const [m, columns] = this.shape as [number, number];
    const {
      a,
      b,
      k,
      n,
      lda = m,
      ldb = n,
      column = 0,
    } = products.length === 1 ? products[0] : stacked(products, m);
    const view = backend.view(target, column, m * columns - column);
    backend.kernels.gemm(a, b, view, { m, n, k, lda, ldb, ldc: columns, transA: true, add });
  }
}

/** Returns one product that is the sum of the given ones: their rows are copied below each other. */
function stacked(products: readonly ProductFactors[], m: number): ProductFactors {
  const { backend } = currentScope();
  const [{ n, column }] = products;
  const rows = products.reduce((sum, { k }) => sum + k, 0);
  const a = temporaryTensor([rows, m]).block();
  const b = temporaryTensor([rows, n]).block();
  let row = 0;
  for (const { a: from, b: gradient, k, lda = m, ldb = n } of products) {
    backend.kernels.copy({ x: from, stridesX: [lda, 1], y: a, offsetY: row * m, shape: [k, m] });
    backend.kernels.copy({ x: gradient, stridesX: [ldb, 1], y: b, offsetY: row * n, shape: [k, n] });
    row += k;
  }
  return { a, b, k: rows, n, column };
}

/**
 * Returns dW [I,width] and dU [H,width] of a recurrent op, from the gradients dG [T,B,width] of its gates before
 * activation. For several steps, dW and dU are views of the single product xhᵀ dG over all T*B rows. For one step, dW and dU
 * are unevaluated products: the same weights are often used in many such steps, whose products are then computed together.
 */
export function stepGradients({ T, B, I, H, xh }: SequenceBuffers, dG: Tensor): [dW: Tensor, dU: Tensor] {
  const width = dG.shape[2];
  if (T > 1) {
    const gradients = temporaryTensor([I + H, width]);
    const { kernels } = currentScope().backend;
    kernels.gemm(xh.block(), dG.block(), gradients.block(), { m: I + H, n: width, k: T * B, transA: true });
    return [viewPart(gradients, 0, [I, width]), viewPart(gradients, I * width, [H, width])];
  }
  const gradient = (column: number, m: number): Tensor => {
    const a = viewPart(xh, column, [B * (I + H) - column]).block();
    return new ProductGradient([m, width], [{ a, b: dG.block(), k: B, n: width, lda: I + H }]);
  };
  return [gradient(0, I), gradient(I, H)];
}
