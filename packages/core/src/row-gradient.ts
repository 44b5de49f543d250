/**
 * The sparse gradient of an embedding table, which is zero except in the rows that were looked up. Training adds these
 * rows to its accumulated gradients and never allocates a whole table. Code that reads the gradient as a tensor gets
 * the dense gradient.
 */
import type { Block, FloatArray } from './backend.js';
import { openScope, runtime, type ScopeState } from './runtime.js';
import type { Shape } from './shape.js';
import { type BlockLocation, storage, Tensor, temporaryTensor } from './tensor.js';

/** The gradient of one lookup. */
export interface Lookup {
  /** Row indices, in any shape. */
  ids: Tensor;
  /** The gradient of each row: [...ids, width]. */
  grad: Tensor;
}

export class RowGradient extends Tensor {
  /** One entry per lookup; the gradients are added in this order. */
  readonly lookups: readonly Lookup[];
  /** The dense gradient, after `moveOut`. */
  #dense: Tensor | null = null;

  /** @param shape the shape of the table: [rows, width] */
  constructor(shape: Shape, lookups: readonly Lookup[]) {
    super(shape, storage(null, null, runtime.scope));
    this.lookups = lookups;
  }

  /** Adds the gradient of each lookup to its rows of `table`. */
  addTo(table: Block): void {
    const { kernels } = openScope().backend;
    for (const { ids, grad } of this.lookups) {
      kernels.scatterAdd(table, ids.block(), grad.block(), this.shape[1]);
    }
  }

  override get hostArray(): FloatArray | null {
    return this.#dense?.hostArray ?? null;
  }

  override location(): BlockLocation {
    return this.#makeDense().location();
  }

  override block(): Block {
    return this.#makeDense().block();
  }

  override withShape(shape: Shape): Tensor {
    return this.#makeDense().withShape(shape);
  }

  override moveOut(scope: ScopeState | null): void {
    const dense = this.#makeDense();
    dense.moveOut(scope);
    this.#dense = dense;
  }

  /** Returns the dense gradient. Cached only by `moveOut`, because an inner scope may close between two reads. */
  #makeDense(): Tensor {
    if (this.#dense) return this.#dense;
    const dense = temporaryTensor(this.shape);
    openScope().backend.kernels.fill(dense.block(), 0);
    this.addTo(dense.block());
    return dense;
  }
}
