/**
 * The sparse gradient of an embedding table: zero except in the rows that were looked up. Reading it as a tensor creates
 * the dense gradient. Training adds the rows to its accumulated gradients instead, without allocating a whole table.
 */
import type { Block, FloatArray } from './backend.js';
import { openScope, runtime, type ScopeState } from './runtime.js';
import type { Shape } from './shape.js';
import { type BlockLocation, storage, Tensor, temporaryTensor } from './tensor.js';

/** Rows of one lookup. */
export interface Lookup {
  /** Row indices, in any shape. */
  ids: Tensor;
  /** The gradient of each row: [...ids, width]. */
  grad: Tensor;
}

export class RowGradient extends Tensor {
  /** In the order in which they are added. */
  readonly lookups: readonly Lookup[];
  #cached: Tensor | null = null;

  /** @param shape of the table: [rows, width] */
  constructor(shape: Shape, lookups: readonly Lookup[]) {
    super(shape, storage(null, null, runtime.scope));
    this.lookups = lookups;
  }

  /** Adds the gradients to their rows of `table`. */
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

  /** Not cached before `moveOut`: an inner scope may close between two reads. */
  #whole(): Tensor {
    if (this.#cached) return this.#cached;
    const whole = temporaryTensor(this.shape);
    openScope().backend.kernels.fill(whole.block(), 0);
    this.addTo(whole.block());
    return whole;
  }
}
