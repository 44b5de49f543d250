/** Stochastic gradient descent with optional momentum. */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { LearningRate } from '../schedules.js';
import {
  checkUnitInterval,
  commonOptions,
  makeOptimizer,
  OPTIMIZER_OPTIONS,
  type Optimizer,
  type OptimizerOptions,
} from './optimizer.js';

export interface SgdOptions extends OptimizerOptions {
  /** Default 0.01. */
  learningRate?: LearningRate;
  /** Momentum, in [0, 1). Default 0. */
  momentum?: number;
  /** Use Nesterov momentum (Nesterov 1983). Default false. */
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent:
 * - without momentum: w -= learningRate g
 * - with momentum μ: m = μ m - learningRate g, w += m
 * - with Nesterov momentum: w += μ m - learningRate g
 * - convention 'pytorch': m = μ m + g (first step: m = g), w -= learningRate m; with Nesterov momentum instead
 *   w -= learningRate (g + μ m). This is equivalent to the formulas above while the learning rate is constant.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  const name = 'sgd';
  checkOptions(name, options, { momentum: true, nesterov: 'boolean', ...OPTIMIZER_OPTIONS });
  const { momentum = 0, nesterov = false } = options;
  const common = commonOptions(options, 0.01);
  checkUnitInterval(name, { momentum });
  if (nesterov && momentum === 0) {
    throw valueError(
      'sgd: nesterov: true requires a momentum above 0, got 0. Set momentum, for example to 0.9.',
      {
        nesterov,
        momentum,
      },
    );
  }
  const keras = common.convention === 'keras';
  const slots = momentum > 0 ? ['momentum'] : [];
  return makeOptimizer(name, common, { momentum, nesterov }, slots, (call, decay) => {
    const { kernels, w, g, slots, rate, gScale } = call;
    const factor = nesterov ? momentum : 1;
    // For the formula that uses these arguments, see SgdCall in @unroll/core (backend.ts).
    kernels.sgd({
      ...{ w, g, m: slots[0] ?? null, momentum, dScale: keras ? rate : 1, decay, gScale },
      rateM: keras ? factor : rate * factor,
      rateG: momentum === 0 || nesterov ? rate : 0,
    });
  });
}
