/**
 * A gradient whose dense values are computed only when they are needed. If a tensor is used many times, the terms of its
 * gradient can be added more cheaply in this form than as dense tensors. Code that reads a lazy gradient as a tensor gets
 * the dense values.
 */
import type { Block, FloatArray } from './backend.js';
import { runtime, type ScopeState } from './runtime.js';
import type { Shape } from './shape.js';
import { type BlockLocation, storage, Tensor, temporaryTensor } from './tensor.js';

export abstract class LazyGradient extends Tensor {
  /** The dense gradient; null before `moveOut`. */
  #dense: Tensor | null = null;

  constructor(shape: Shape) {
    super(shape, storage(null, null, runtime.scope));
  }

  /** Adds the gradient to `target`, which has its shape. */
  abstract addTo(target: Block): void;

  /** Overwrites `target`, which has the shape of the gradient. */
  abstract writeTo(target: Block): void;

  /** Returns the sum of this gradient and another as a lazy gradient; null if the two cannot be added in this form. */
  abstract plus(other: Tensor): LazyGradient | null;

  override get hostArray(): FloatArray | null {
    return this.#dense?.hostArray ?? null;
  }

  override location(): BlockLocation {
    return this.dense().location();
  }

  override block(): Block {
    return this.dense().block();
  }

  override withShape(shape: Shape): Tensor {
    return this.dense().withShape(shape);
  }

  override moveOut(scope: ScopeState | null): void {
    const dense = this.dense();
    dense.moveOut(scope);
    this.#dense = dense;
  }

  /** Returns the dense gradient. Cached only by `moveOut`, because an inner scope may close between two reads. */
  dense(): Tensor {
    if (this.#dense) return this.#dense;
    const dense = temporaryTensor(this.shape);
    this.writeTo(dense.block());
    return dense;
  }
}
