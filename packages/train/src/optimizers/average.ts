/**
 * A moving average of the weights: less noisy than the weights themselves, and often better for prediction.
 */
import { scope, valueError } from '@unroll/core';
import { checkOptions, FlatBuffer, formatValue, openScope } from '@unroll/core/internal';
import { scaleInPlace } from './optimizer.js';

export interface AverageOptions {
  /** Weight of the old average in each update. Default 0.99. */
  momentum?: number;
  /** Replace the weights by the average after every so many updates. Default null: never. */
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
 * Updates average = momentum · average + (1 - momentum) · weights after each update. As in Keras, it starts with the
 * weights after the first update, not with the initial ones.
 */
export class WeightAverage {
  readonly momentum: number;
  readonly overwriteEvery: number | null;
  /** The average; while `swapped`, the weights. For checkpoints. */
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

  /** Number of updates. Set it (with the buffer's values) to resume from a checkpoint. */
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

  /** Adds the weights to the average; call it after each update. */
  update(): void {
    const keep = this.#updates === 0 ? 0 : this.momentum;
    this.#updates++;
    scope(() => {
      const { kernels } = openScope().backend;
      const average = this.buffer.block();
      const weights = this.#weights.block();
      if (keep === 0) kernels.fill(average, 0);
      else scaleInPlace(kernels, average, keep);
      kernels.accumulate(average, weights, 1 - keep);
      if (this.overwriteEvery !== null && this.#updates % this.overwriteEvery === 0) {
        kernels.copy(average, 0, [1], weights, 0, [1], [weights.length]);
      }
    });
  }

  /** Swaps weights and average: before evaluating with the average, and again to continue training. */
  swap(): void {
    scope(() => {
      const { backend } = openScope();
      const { kernels } = backend;
      const [average, weights] = [this.buffer.block(), this.#weights.block()];
      const copy = backend.temporary(weights.length);
      const size = [weights.length];
      kernels.copy(weights, 0, [1], copy, 0, [1], size);
      kernels.copy(average, 0, [1], weights, 0, [1], size);
      kernels.copy(copy, 0, [1], average, 0, [1], size);
    });
    this.#swapped = !this.#swapped;
  }

  /** Runs `work` with the average instead of the weights, if there is one yet. */
  async during<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.#updates === 0 || this.#swapped) return work();
    this.swap();
    try {
      return await work();
    } finally {
      this.swap();
    }
  }
}
