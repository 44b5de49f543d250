/**
 * The gradient of a table of which rows were looked up: zeros but for those rows. To whoever reads it, it is a tensor
 * like any other, and is written out then; training adds the rows to the gradients it gathers, and nothing of the
 * table's size is made.
 */
import type { Block, FloatArray } from './backend.js';
import { openScope, runtime, type ScopeState } from './runtime.js';
import type { Shape } from './shape.js';
import { type BlockLocation, storage, Tensor, temporaryTensor } from './tensor.js';

/** Rows that were looked up together. */
export interface Lookup {
  /** Their numbers, in any shape. */
  ids: Tensor;
  /** The gradient of each: [...ids, width]. */
  grad: Tensor;
}

export class RowGradient extends Tensor {
  /** In the order in which they are added up. */
  readonly lookups: readonly Lookup[];
  #cached: Tensor | null = null;

  /** @param shape of the table: [rows, width] */
  constructor(shape: Shape, lookups: readonly Lookup[]) {
    super(shape, storage(null, null, runtime.scope));
    this.lookups = lookups;
  }

  /** Adds the rows to theirs in `table`. */
  addTo(table: Block): void {
    const { kernels } = openScope().backend;
    for (const { ids, grad } of this.lookups) {
      kernels.scatterAdd(table, ids.block(), grad.block(), this.shape[1]);
    }
  }

  override get hostArray(): FloatArray | null {
    return this.#cached?.hostArray ?? null;
  }

  override location(): BlockLocation {
    return this.#whole().location();
  }

  override block(): Block {
    return this.#whole().block();
  }

  override withShape(shape: Shape): Tensor {
    return this.#whole().withShape(shape);
  }

  override moveOut(scope: ScopeState | null): void {
    const whole = this.#whole();
    whole.moveOut(scope);
    this.#cached = whole;
  }

  /** Made anew for each reader: a scope inside this one may close between two of them. */
  #whole(): Tensor {
    if (this.#cached) return this.#cached;
    const whole = temporaryTensor(this.shape);
    openScope().backend.kernels.fill(whole.block(), 0);
    this.addTo(whole.block());
    return whole;
  }
}
