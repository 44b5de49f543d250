/** RMSprop and Adagrad. */
import { checkOptions } from '@unroll/core/internal';
import type { LearningRate } from '../schedules.js';
import {
  checkNonNegative,
  checkUnitInterval,
  commonOptions,
  makeOptimizer,
  OPTIMIZER_OPTIONS,
  type Optimizer,
  type OptimizerOptions,
} from './optimizer.js';

export interface RmspropOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** Decay rate of the moving average of the squared gradients (PyTorch: alpha). Default 0.9. */
  rho?: number;
  /** Momentum, in [0, 1). Default 0. */
  momentum?: number;
  /** Added to v inside the root (convention: 'keras') or to the root √v (convention: 'pytorch'). Default 1e-7. */
  epsilon?: number;
  /** Divide by the standard deviation of the gradients instead of their root mean square. Default false. */
  centered?: boolean;
}

/**
 * RMSprop (Tieleman & Hinton 2012; `centered` and momentum as in Graves 2013):
 * - v = ρ v + (1 - ρ) g², w -= learningRate g / √(v + epsilon)
 * - with momentum μ: m = μ m + learningRate g / √(v + epsilon), w -= m
 * - centered: v - a² replaces v under the root, where a is the moving average of g
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const name = 'rmsprop';
  checkOptions(name, options, {
    rho: true,
    momentum: true,
    epsilon: true,
    centered: 'boolean',
    ...OPTIMIZER_OPTIONS,
  });
  const { rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = options;
  const common = commonOptions(options, 0.001);
  checkUnitInterval(name, { rho, momentum });
  checkNonNegative(name, { epsilon });
  const keras = common.convention === 'keras';
  const slots = ['v', ...(centered ? ['mean'] : []), ...(momentum > 0 ? ['momentum'] : [])];
  const specific = { rho, momentum, epsilon, centered };
  return makeOptimizer(name, common, specific, slots, ({ kernels, w, g, slots, rate, gScale }, decay) => {
    const [v, ...others] = slots;
    // For the formula that uses these arguments, see RmspropCall in @unroll/core (backend.ts).
    kernels.rmsprop({
      ...{
        w,
        g,
        v,
        mean: centered ? others[0] : null,
        m: momentum > 0 ? others[others.length - 1] : null,
      },
      ...{ rho, dScale: 1 - rho, momentum, decay, gScale },
      ...(keras ? { rateQ: rate, rateM: 1 } : { rateQ: 1, rateM: rate }),
      ...(keras
        ? { epsilonInside: epsilon, epsilonOutside: 0 }
        : { epsilonInside: 0, epsilonOutside: epsilon }),
    });
  });
}

export interface AdagradOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: LearningRate;
  /** Initial value of the sum of squared gradients. Default 0.1 (PyTorch: 0). */
  initialAccumulatorValue?: number;
  /** Added to v inside the root (convention: 'keras') or to the root √v (convention: 'pytorch'). Default 1e-7. */
  epsilon?: number;
}

/** Adagrad (Duchi, Hazan & Singer 2011): v += g², w -= learningRate g / √(v + epsilon). */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  const name = 'adagrad';
  checkOptions(name, options, { initialAccumulatorValue: true, epsilon: true, ...OPTIMIZER_OPTIONS });
  const { initialAccumulatorValue = 0.1, epsilon = 1e-7 } = options;
  const common = commonOptions(options, 0.001);
  checkNonNegative(name, { initialAccumulatorValue, epsilon });
  const keras = common.convention === 'keras';
  const specific = { initialAccumulatorValue, epsilon };
  const optimizer = makeOptimizer(
    name,
    common,
    specific,
    ['v'],
    ({ kernels, w, g, slots, rate, gScale }, decay) => {
      const [v] = slots;
      // With rho = dScale = 1, v is the sum of the squared gradients (see RmspropCall in @unroll/core, backend.ts).
      kernels.rmsprop({
        ...{ w, g, v, mean: null, m: null, rho: 1, dScale: 1, momentum: 0, rateQ: 1, decay, gScale },
        ...{ rateM: rate, epsilonInside: keras ? epsilon : 0, epsilonOutside: keras ? 0 : epsilon },
      });
    },
  );
  return {
    ...optimizer,
    update(call) {
      // Initializes all elements, even if this update applies only to some rows.
      if (call.step === 1) call.kernels.fill(call.slots[0], initialAccumulatorValue);
      optimizer.update(call);
    },
  };
}
