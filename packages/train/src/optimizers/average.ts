/** A moving average of the weights, which is less noisy than the weights and often better for prediction. */
import { scope, valueError } from '@unroll/core';
import { checkOptions, currentScope, FlatBuffer, formatValue } from '@unroll/core/internal';
import { scaleInPlace } from './optimizer.js';

export interface AverageOptions {
  /** Weight of the previous average in each update, at least 0 and below 1. Default 0.99. */
  momentum?: number;
  /** The average replaces the weights every `overwriteEvery` updates. Default null: never. */
  overwriteEvery?: number | null;
}

/** @throws UnrollError `value` for an unknown option or an invalid value */
export function checkAverage(options: AverageOptions): void {
  checkOptions('average', options, { momentum: true, overwriteEvery: true });
  const { momentum = 0.99, overwriteEvery = null } = options;
  if (!(typeof momentum === 'number' && momentum >= 0 && momentum < 1)) {
    throw valueError(`average: momentum must be in [0, 1), got ${formatValue(momentum)}.`, {
      momentum,
    });
  }
  if (overwriteEvery !== null && !(Number.isInteger(overwriteEvery) && overwriteEvery >= 1)) {
    throw valueError(
      `average: overwriteEvery must be a positive integer or null, got ${formatValue(overwriteEvery)}.`,
      {
        overwriteEvery,
      },
    );
  }
}

/**
 * Computes average = momentum · average + (1 - momentum) · weights after each update of the optimizer. As in Keras, the first
 * average is the weights after the first update, not the initial weights.
 */
export class WeightAverage {
  readonly momentum: number;
  readonly overwriteEvery: number | null;
  /** Contains the average, or the weights while `swapped` is true. */
  readonly buffer: FlatBuffer;
  readonly #weights: FlatBuffer;
  #updates = 0;
  #swapped = false;

  constructor(weights: FlatBuffer, options: AverageOptions = {}) {
    checkAverage(options);
    const { momentum = 0.99, overwriteEvery = null } = options;
    this.momentum = momentum;
    this.overwriteEvery = overwriteEvery;
    this.buffer = new FlatBuffer(weights.length);
    this.#weights = weights;
  }

  /** Number of calls of `update`. To resume from a checkpoint, set this number and the values of `buffer`. */
  get updates(): number {
    return this.#updates;
  }

  set updates(count: number) {
    this.#updates = count;
  }

  /** True while the average and the weights are swapped. */
  get swapped(): boolean {
    return this.#swapped;
  }

  /** Updates the average with the weights. Must be called after each update of the optimizer. */
  update(): void {
    const momentum = this.#updates === 0 ? 0 : this.momentum;
    this.#updates++;
    scope(() => {
      const { kernels } = currentScope().backend;
      const average = this.buffer.block();
      const weights = this.#weights.block();
      if (momentum === 0) kernels.fill(average, 0);
      else scaleInPlace(kernels, average, momentum);
      kernels.accumulate(average, weights, 1 - momentum);
      if (this.overwriteEvery !== null && this.#updates % this.overwriteEvery === 0) {
        kernels.copy({ x: average, y: weights });
      }
    });
  }

  /** Swaps weights and average. Call it before evaluating with the average, and again before training continues. */
  swap(): void {
    scope(() => {
      const { backend } = currentScope();
      const { kernels } = backend;
      const [average, weights] = [this.buffer.block(), this.#weights.block()];
      const copy = backend.temporary(weights.length);
      kernels.copy({ x: weights, y: copy });
      kernels.copy({ x: average, y: weights });
      kernels.copy({ x: copy, y: average });
    });
    this.#swapped = !this.#swapped;
  }

  /** Runs `work` with the average in place of the weights; before the first update, with the weights. */
  async withAverage<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.#updates === 0 || this.#swapped) return work();
    this.swap();
    try {
      return await work();
    } finally {
      this.swap();
    }
  }
}
