/**
 * Optimizers: from gradients to new weights. All weights lie in one buffer, and so do their gradients and each of the
 * optimizer's slots, so that an update is one kernel call.
 */
import { valueError } from '@unroll/core';
import type { Block, Kernels } from '@unroll/core/internal';

export interface UpdateCall {
  kernels: Kernels;
  /** Weights, changed in place. */
  w: Block;
  /** Their gradients. */
  g: Block;
  /** The optimizer's slots, in the order of {@link Optimizer.slots}; zeros before the first update. */
  slots: readonly Block[];
  /** Number of this update, from 1. */
  step: number;
  /** Learning rate of this update. */
  rate: number;
  /** Factor on the gradients (what clipping by global norm asks for). */
  gScale: number;
}

export interface Optimizer {
  readonly name: string;
  readonly learningRate: number;
  readonly slots: readonly string[];
  update(call: UpdateCall): void;
}

export interface AdamOptions {
  /** Default 0.001. */
  learningRate?: number;
  /** Decay of the first moment. Default 0.9. */
  beta1?: number;
  /** Decay of the second moment. Default 0.999. */
  beta2?: number;
  /** Default 1e-7, and added to √v before bias correction, as Keras does (the paper's "epsilon hat"). */
  epsilon?: number;
}

/** Adam (Kingma & Ba 2015), with Keras's defaults and placement of epsilon. */
export function adam(options: AdamOptions = {}): Optimizer {
  const { learningRate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
  if (!(learningRate > 0))
    throw valueError(`adam: learningRate must be above 0, got ${learningRate}.`, { learningRate });
  return {
    name: 'adam',
    learningRate,
    slots: ['m', 'v'],
    update({ kernels, w, g, slots: [m, v], step, rate, gScale }) {
      const correction = Math.sqrt(1 - beta2 ** step) / (1 - beta1 ** step);
      const moments = { beta1, beta2, epsilon, vScale: 1 };
      kernels.adam({ w, g, m: m!, v: v!, ...moments, rate: rate * correction, decay: 0, gScale });
    },
  };
}
