/**
 * The sparse gradient of an embedding table: zero except in the rows that were looked up. Training adds these rows to its
 * accumulated gradients, without a temporary gradient of the whole table.
 */
import type { Block } from './backend.js';
import { LazyGradient } from './lazy-gradient.js';
import { currentScope } from './runtime.js';
import type { Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/** The gradient of one lookup. */
export interface Lookup {
  /** Row indices, in any shape. */
  ids: Tensor;
  /** The gradient of each row: [...ids, width]. */
  grad: Tensor;
}

export class RowGradient extends LazyGradient {
  /** One entry per lookup; the gradients are added in this order. */
  readonly lookups: readonly Lookup[];

  /** @param shape the shape of the table: [rows, width] */
  constructor(shape: Shape, lookups: readonly Lookup[]) {
    super(shape);
    this.lookups = lookups;
  }

  /** Adds the gradient of each lookup to its rows of `table`. */
  addTo(table: Block): void {
    const { kernels } = currentScope().backend;
    for (const { ids, grad } of this.lookups) {
      kernels.scatterAdd(table, ids.block(), grad.block(), this.shape[1]);
    }
  }

  writeTo(table: Block): void {
    currentScope().backend.kernels.fill(table, 0);
    this.addTo(table);
  }

  plus(other: Tensor): RowGradient | null {
    return other instanceof RowGradient
      ? new RowGradient(this.shape, [...this.lookups, ...other.lookups])
      : null;
  }
}
